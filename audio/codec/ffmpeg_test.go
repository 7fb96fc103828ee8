package codec

import (
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"wavemill/internal/oracle"
)

// TestCutForFFmpeg cuts files that ffmpeg decodes: what is there is kept, and the cut is told. Of the whole files nothing is.
func TestCutForFFmpeg(t *testing.T) {
	if _, err := exec.LookPath("ffmpeg"); err != nil {
		oracle.Missing(t, "ffmpeg is not installed")
	}
	dir := t.TempDir()
	for _, f := range []struct{ name, codec string }{
		{"ima.wav", "adpcm_ima_wav"},
		{"ms.wav", "adpcm_ms"},
		{"mp3.wav", "mp3"},
		{"x.mp3", "mp3"},
		{"x.aiff", "pcm_s16be"},
		{"x.au", "pcm_s16be"},
		{"x.caf", "pcm_s16le"},
		{"x.w64", "pcm_s16le"},
		{"x.mka", "pcm_s16le"},
		{"x.tta", "tta"},
		{"x.voc", "pcm_s16le"},
		{"x.aac", "aac"},
		{"x.wv", "wavpack"},
	} {
		file := filepath.Join(dir, f.name)
		out, err := exec.CommandContext(t.Context(), "ffmpeg", "-nostdin", "-v", "error",
			"-f", "lavfi", "-i", "sine=frequency=440:duration=3:sample_rate=44100", "-c:a", f.codec, file).CombinedOutput()
		if err != nil {
			t.Fatalf("%s: %v\n%s", f.name, err, out)
		}
		data, err := os.ReadFile(file)
		if err != nil {
			t.Fatal(err)
		}
		whole, info, err := Decode(t.Context(), f.name, data)
		if err != nil || info.Truncated || len(info.Notes) != 0 {
			t.Errorf("%s: %+v, %v", f.name, info, err)
		}
		part, info, err := Decode(t.Context(), f.name, data[:len(data)*55/100-1])
		if err != nil || !info.Truncated || len(info.Notes) != 1 || part.Frames() == 0 || part.Frames() > whole.Frames()*3/4 {
			t.Errorf("%s, cut: %d of %d frames, %+v, %v", f.name, part.Frames(), whole.Frames(), info, err)
		}
	}
}

// TestFFmpegTells takes faults from the log of a child that ends well.
func TestFFmpegTells(t *testing.T) {
	const second = 16000 // bytes of 8 kHz
	for _, c := range []struct {
		log  string
		want string
	}{
		{"  Duration: 00:00:01.00, start: 0.000000, bitrate: 128 kb/s", ""},
		{"  Duration: 00:00:01.08, start: 0.025057, bitrate: 64 kb/s", ""}, // an encoder's delay and padding
		{"  Duration: 00:01:01.00, start: 0.000000, bitrate: 128 kb/s", "The file ends early: it declares 61.00 s, and 1.00 s of sound are in it."},
		{"[caf @ 0x1] Estimating duration from bitrate, this may be inaccurate\n  Duration: 00:00:03.00, bitrate: 1 kb/s", ""},
		{"  Duration: 00:00:03.00, start: 0.000000\n    Stream #0:0: Video: png", ""}, // the picture's
		{"  Duration: N/A, bitrate: 128 kb/s", ""},
		{"[tta @ 0x1] Packet corrupt (stream = 0, dts = 46080).", "A part of the file cannot be decoded. ffmpeg reports: Packet corrupt (stream = 0, dts = 46080)."},
		{"[matroska,webm @ 0x1] File ended prematurely", "A part of the file cannot be decoded. ffmpeg reports: File ended prematurely."},
		{"Input #0, wav, from 'file:/packet corrupt/invalid data'\n    title           : corrupt input", ""},
		{"file:x.caf: corrupt input packet in stream 0", "A part of the file cannot be decoded. ffmpeg reports: corrupt input packet in stream 0."},
	} {
		dir := t.TempDir()
		data := slices.Concat([]byte("RIFF\xff\xff\xff\xffWAVEfmt \x10\x00\x00\x00\x01\x00\x01\x00\x40\x1f\x00\x00\x80\x3e\x00\x00\x02\x00\x10\x00data\xff\xff\xff\xff"), make([]byte, second))
		for name, text := range map[string]string{"sound": string(data), "log": c.log + "\n", "ffmpeg": fmt.Sprintf("#!/bin/sh\ncat '%s/log' >&2\ncat '%[1]s/sound'\n", dir)} {
			if err := os.WriteFile(filepath.Join(dir, name), []byte(text), 0o700); err != nil {
				t.Fatal(err)
			}
		}
		t.Setenv("PATH", dir+string(os.PathListSeparator)+os.Getenv("PATH"))
		clip, info, err := Decode(t.Context(), "x.mp3", []byte("\xff\xfb\x90\x00"))
		if notes := strings.Join(info.Notes, " "); err != nil || clip.Frames() != second/2 || info.Truncated != (c.want != "") || notes != c.want {
			t.Errorf("%q: %d frames, %+v, %v; want %q", c.log, clip.Frames(), info, err, c.want)
		}
	}
}
