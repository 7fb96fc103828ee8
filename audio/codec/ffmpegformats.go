package codec

import (
	"bufio"
	"bytes"
	"context"
	"io"
)

// ffmpegFormats are decoded by the ffmpeg program where it is installed. Their magic is tested after
// that of the formats decoded here; those with the weakest magic come last.
var ffmpegFormats = table{
	ffmpegFormat("opus", "Opus", "audio/ogg", oggBegins("OpusHead"), ".opus"),
	ffmpegFormat("oggflac", "Ogg FLAC", "audio/ogg", oggBegins("\x7fFLAC"), ".oga").withMagic(),
	ffmpegFormat("speex", "Speex", "audio/ogg", oggBegins("Speex   "), ".spx"),
	ffmpegFormat("ogg", "Ogg audio", "audio/ogg", isOgg, ".ogx").withMagic(),
	ffmpegFormat("mp4", "MP4 audio", "audio/mp4", begins(4, "ftyp"), ".m4a", ".m4b", ".mp4"),
	ffmpegFormat("aiff", "AIFF", "audio/aiff", begins(0, "FORM"), ".aiff", ".aif", ".aifc"),
	ffmpegFormat("au", "Sun audio", "audio/basic", begins(0, ".snd"), ".au", ".snd"),
	ffmpegFormat("caf", "Core Audio", "audio/x-caf", begins(0, "caff"), ".caf"),
	ffmpegFormat("webm", "WebM audio", "audio/webm", isWebM, ".webm"),
	ffmpegFormat("matroska", "Matroska audio", "audio/x-matroska", isEBML, ".mka"),
	ffmpegFormat("wma", "Windows Media audio", "audio/x-ms-wma", begins(0, "\x30\x26\xb2\x75\x8e\x66\xcf\x11"), ".wma"),
	ffmpegFormat("w64", "Wave64", "audio/x-w64", begins(0, "riff\x2e\x91\xcf\x11"), ".w64"),
	ffmpegFormat("amr", "AMR", "audio/amr", begins(0, "#!AMR"), ".amr"),
	ffmpegFormat("ape", "Monkey's Audio", "audio/x-ape", begins(0, "MAC "), ".ape"),
	ffmpegFormat("wavpack", "WavPack", "audio/x-wavpack", begins(0, "wvpk"), ".wv"),
	ffmpegFormat("tta", "True Audio", "audio/x-tta", begins(0, "TTA1"), ".tta"),
	ffmpegFormat("sphere", "NIST Sphere", "audio/x-nist", begins(0, "NIST_1A"), ".sph"),
	ffmpegFormat("voc", "Creative Voice", "audio/x-voc", begins(0, "Creative Voice File"), ".voc"),
	ffmpegFormat("ac3", "AC-3", "audio/ac3", begins(0, "\x0b\x77"), ".ac3"),
	ffmpegFormat("aac", "AAC", "audio/aac", isAAC, ".aac"),
	{
		name: "mp3", title: "MP3", mediaType: "audio/mpeg", extensions: []string{".mp3"}, headerless: true,
		magic: isMP3, open: openMP3,
	},
	ffmpegFormat("mpeg", "MPEG audio", "audio/mpeg", isMPEG, ".mp2", ".mp1"),
}

// ffmpegFormat is a format that ffmpeg decodes, also where only the name tells.
func ffmpegFormat(name, title, mediaType string, magic func(head []byte) bool, extensions ...string) format {
	return format{
		name: name, title: title, mediaType: mediaType, extensions: extensions, headerless: true, magic: magic,
		open: func(ctx context.Context, s source) (decoder, error) { return newFFmpeg(ctx, s) },
	}
}

// withMagic is the format without files that only the name tells.
func (f format) withMagic() format { f.headerless = false; return f }

// openMP3 opens an MP3 file, or a FLAC or WAV file behind an ID3 tag.
func openMP3(ctx context.Context, s source) (decoder, error) {
	offset, head, err := behindID3(s.reader())
	switch {
	case err != nil:
		return nil, err
	case begins(0, "fLaC")(head):
		return newFLAC(s.content)
	case isWAV(head):
		return openWAVAt(ctx, s, offset)
	}
	return newFFmpeg(ctx, s)
}

// behindID3 finds where the ID3v2 tags of a file end, and what comes then. It leaves r where it was.
func behindID3(r io.ReadSeeker) (offset int64, head []byte, err error) {
	br := bufio.NewReader(r)
	if skipID3(br) != nil {
		_, err = r.Seek(0, io.SeekStart)
		return 0, nil, err // The tag is all there is: the decoder reports it.
	}
	head, _ = br.Peek(12) // A short answer is the end.
	at, err := r.Seek(0, io.SeekCurrent)
	if err != nil {
		return 0, nil, err
	}
	offset, head = at-int64(br.Buffered()), bytes.Clone(head)
	_, err = r.Seek(0, io.SeekStart)
	return offset, head, err
}
