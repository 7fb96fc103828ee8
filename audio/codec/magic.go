package codec

import "bytes"

// begins returns a magic test for files with the given bytes at an offset.
func begins(at int, signature string) func(head []byte) bool {
	return func(head []byte) bool {
		return len(head) >= at && bytes.HasPrefix(head[at:], []byte(signature))
	}
}

// isWAV tests for RIFF of either byte order and its 64-bit variants.
func isWAV(head []byte) bool {
	if len(head) < 12 || string(head[8:12]) != "WAVE" {
		return false
	}
	switch string(head[:4]) {
	case "RIFF", "RIFX", "RF64", "BW64":
		return true
	}
	return false
}

// oggBegins returns a magic test for Ogg files whose first packet begins with the given bytes.
func oggBegins(signature string) func(head []byte) bool {
	return func(head []byte) bool {
		if !isOgg(head) || len(head) < 27 || len(head) < 27+int(head[26]) {
			return false
		}
		return bytes.HasPrefix(head[27+int(head[26]):], []byte(signature))
	}
}

// isOgg tests for an Ogg page, whatever is in it.
func isOgg(head []byte) bool { return bytes.HasPrefix(head, []byte("OggS")) }

// isEBML tests for Matroska or WebM.
func isEBML(head []byte) bool { return bytes.HasPrefix(head, []byte("\x1aE\xdf\xa3")) }

// isWebM tests for the document type of WebM within the EBML header.
func isWebM(head []byte) bool {
	return isEBML(head) && bytes.Contains(head[:min(len(head), 64)], []byte("webm"))
}

// isAAC tests for an ADTS frame header, which has the sync word of MPEG audio and the layer bits 00.
func isAAC(head []byte) bool { return len(head) >= 4 && head[0] == 0xFF && head[1]&0xF6 == 0xF0 }

// isMP3 tests for an ID3 tag or a frame header of MPEG audio layer III. FLAC behind an ID3 tag passes
// too: openMP3 looks again.
func isMP3(head []byte) bool { return bytes.HasPrefix(head, []byte("ID3")) || mpegLayer(head) == 3 }

// isMPEG tests for a frame header of MPEG audio layer I or II.
func isMPEG(head []byte) bool { layer := mpegLayer(head); return layer == 1 || layer == 2 }

// mpegLayer returns the layer (1 to 3) of the MPEG audio frame header that a file begins with, 0 if there
// is none.
func mpegLayer(head []byte) int {
	if len(head) < 4 || head[0] != 0xFF || head[1]&0xE0 != 0xE0 {
		return 0
	}
	version, layer, bitrate, rate := head[1]>>3&3, head[1]>>1&3, head[2]>>4, head[2]>>2&3
	if version == 1 || layer == 0 || bitrate == 15 || rate == 3 {
		return 0
	}
	return 4 - int(layer)
}
