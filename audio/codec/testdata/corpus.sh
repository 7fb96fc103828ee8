#!/bin/sh
# Makes a mixed corpus of sound files with sox and ffmpeg in the folder given.
# The test beside it compares what we make of each with what ffmpeg and ffprobe say.
set -eu
cd "$1"
ff() { ffmpeg -nostdin -hide_banner -loglevel error -y "$@"; }

# The sources: a sweep with noise, 0.7 s, which no channel shares with another.
sox -R -n -r 44100 -c 1 -b 24 mono.wav synth 0.7 sine 80-9000 synth 0.7 whitenoise mix vol 0.4
sox -R -n -r 44100 -c 2 -b 24 stereo.wav synth 0.7 sine 100-8000 sine 300-200 vol 0.4
sox -R -n -r 48000 -c 6 -b 24 six.wav synth 0.4 sine 100 sine 200 sine 300 sine 40 sine 500 sine 600 vol 0.3

# WAV by sox.
sox -R mono.wav -b 8 -e unsigned-integer sox-u8.wav
sox -R stereo.wav -b 16 sox-s16.wav
sox -R stereo.wav -b 32 -e signed-integer sox-s32.wav
sox -R stereo.wav -b 32 -e floating-point sox-f32.wav
sox -R mono.wav -b 64 -e floating-point sox-f64.wav
sox -R mono.wav -r 8000 -e a-law sox-alaw.wav
sox -R mono.wav -r 8000 -e u-law sox-ulaw.wav
sox -R mono.wav -B -b 16 sox-rifx16.wav
sox -R stereo.wav -B -b 24 sox-rifx24.wav
sox -R mono.wav -B -b 32 -e floating-point sox-rifxf32.wav
sox -R stereo.wav -b 16 -t wavpcm sox-wavpcm.wav
sox -R stereo.wav -b 16 -t wav - >sox-pipe.wav
sox -R mono.wav -r 11025 -b 16 sox-11025.wav
sox -R mono.wav -r 96000 -b 24 sox-96000.wav
sox -R mono.wav -b 8 -e unsigned-integer sox-odd.wav trim 0 1001s
sox -R six.wav sox-six.wav

# WAV by ffmpeg.
for c in pcm_u8 pcm_s16le pcm_s24le pcm_s32le pcm_s64le pcm_f32le pcm_f64le pcm_alaw pcm_mulaw; do
	ff -i stereo.wav -c:a $c ff-$c.wav
done
ff -i six.wav -c:a pcm_f32le ff-six-f32.wav
ff -i stereo.wav -c:a pcm_s16le -rf64 always ff-rf64.wav
ff -i stereo.wav -c:a pcm_s16le -f wav - >ff-pipe.wav
ff -i stereo.wav -c:a pcm_s16le -write_bext 1 -metadata description=test -metadata title='a title' ff-bext.wav
ff -i mono.wav -c:a pcm_s24le -metadata artist='Ångström' ff-tags.wav

# Cut in the middle of a frame.
head -c 20001 sox-s16.wav >cut.wav

# FLAC.
ff -i stereo.wav -c:a flac -sample_fmt s16 ff-16.flac
ff -i stereo.wav -c:a flac -sample_fmt s32 -metadata title='a title' ff-24.flac
ff -i six.wav -c:a flac -compression_level 12 ff-six.flac
sox -R mono.wav -b 16 -r 8000 sox.flac
sox -R mono.wav -b 8 sox-8.flac

# Ogg Vorbis.
sox -R stereo.wav -C 3 sox.ogg
sox -R mono.wav -r 16000 -C 0 sox-mono.ogg
ff -i stereo.wav -c:a libvorbis -q:a 6 -metadata title='a title' ff.ogg
ff -i six.wav -c:a libvorbis -q:a 3 ff-six.ogg

# What goes through ffmpeg.
ff -i stereo.wav -c:a libmp3lame -q:a 2 ff.mp3
ff -i stereo.wav -c:a libopus -b:a 64k ff.opus
ff -i stereo.wav -c:a aac -b:a 128k ff.m4a
ff -i stereo.wav -c:a aac -b:a 128k ff.aac
ff -i stereo.wav -c:a flac -f ogg ff-flac.oga
sox -R stereo.wav -b 16 sox.aiff
sox -R stereo.wav -b 16 sox.au

# WAV of compressed encodings, which goes through ffmpeg.
ff -i mono.wav -c:a adpcm_ms ff-adpcm-ms.wav
ff -i mono.wav -c:a adpcm_ima_wav ff-adpcm-ima.wav
ff -i mono.wav -c:a libmp3lame -f wav ff-mp3.wav
sox -R mono.wav -r 8000 -e gsm-full-rate sox-gsm.wav
