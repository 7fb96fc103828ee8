package codec

import (
	"bytes"
	"path/filepath"
	"strings"
)

// sniffLength is how much of a file's beginning tells its kind. The first Ogg page is shorter.
const sniffLength = 512

// The kinds that are decoded here. All others are what people call them, for messages.
const (
	kindWAV    = "WAV"
	kindFLAC   = "FLAC"
	kindVorbis = "Ogg Vorbis"
)

// signature is how files of a kind begin.
type signature struct {
	at    int
	bytes string
	kind  string
}

// sniff tells a file's kind from its beginning, "" when it is none that is known.
func sniff(head []byte) string {
	if len(head) >= 12 && string(head[8:12]) == "WAVE" {
		switch string(head[:4]) {
		case "RIFF", "RIFX", "RF64", "BW64":
			return kindWAV
		}
	}
	if bytes.HasPrefix(head, []byte("OggS")) {
		return sniffOgg(head)
	}
	for _, s := range []signature{
		{0, "fLaC", kindFLAC},
		{0, "ID3", "MP3"}, // Or FLAC behind an ID3 tag: newFFmpeg looks again.
		{4, "ftyp", "MP4 audio"},
		{0, "FORM", "AIFF"},
		{0, ".snd", "Sun audio"},
		{0, "caff", "Core Audio"},
		{0, "\x1aE\xdf\xa3", "Matroska or WebM audio"},
		{0, "\x30\x26\xb2\x75\x8e\x66\xcf\x11", "Windows Media audio"},
		{0, "riff\x2e\x91\xcf\x11", "Wave64"},
		{0, "#!AMR", "AMR"},
		{0, "MAC ", "Monkey's Audio"},
		{0, "wvpk", "WavPack"},
		{0, "TTA1", "True Audio"},
		{0, "NIST_1A", "NIST Sphere"},
		{0, "Creative Voice File", "Creative Voice"},
		{0, "\x0b\x77", "AC-3"},
	} {
		if len(head) >= s.at && bytes.HasPrefix(head[s.at:], []byte(s.bytes)) {
			return s.kind
		}
	}
	if len(head) >= 4 && head[0] == 0xFF && head[1]&0xE0 == 0xE0 {
		return sniffMPEG(head)
	}
	return ""
}

// sniffMPEG tells MPEG audio and ADTS by their frame header.
func sniffMPEG(head []byte) string {
	if head[1]&0xF6 == 0xF0 { // Layer bits 00: ADTS.
		return "AAC"
	}
	version, layer, bitrate, rate := head[1]>>3&3, head[1]>>1&3, head[2]>>4, head[2]>>2&3
	if version == 1 || layer == 0 || bitrate == 15 || rate == 3 {
		return ""
	}
	if layer == 1 {
		return "MP3"
	}
	return "MPEG audio"
}

// sniffOgg tells what the first packet of an Ogg stream begins.
func sniffOgg(head []byte) string {
	if len(head) < 27 || len(head) < 27+int(head[26]) {
		return "Ogg audio"
	}
	packet := head[27+int(head[26]):]
	for _, s := range []signature{
		{0, "\x01vorbis", kindVorbis},
		{0, "OpusHead", "Opus"},
		{0, "\x7fFLAC", "Ogg FLAC"},
		{0, "Speex   ", "Speex"},
	} {
		if bytes.HasPrefix(packet, []byte(s.bytes)) {
			return s.kind
		}
	}
	return "Ogg audio"
}

// plausibleName reports whether a name ends like that of audio whose content tells nothing: raw
// frames and formats without a signature.
func plausibleName(name string) bool {
	switch strings.ToLower(filepath.Ext(name)) {
	case ".mp3", ".mp2", ".mp1", ".aac", ".ac3", ".opus", ".m4a", ".m4b", ".mp4", ".mka", ".webm", ".wma", ".aif", ".aiff", ".aifc",
		".au", ".snd", ".caf", ".w64", ".amr", ".ape", ".wv", ".tta", ".voc", ".sph":
		return true
	}
	return false
}
