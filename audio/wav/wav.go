// Package wav reads and writes RIFF/WAVE files in every uncompressed variant, also damaged ones.
//
// Decode and Encode work on whole files in memory, Reader and Writer on streams of any length in
// constant memory. Reading understands PCM of 8 to 32 and 64 bits (containers of whole bytes,
// samples left-justified in them), IEEE float of 32 and 64 bits, A-law and µ-law; plain and
// extensible headers; RIFF, big-endian RIFX, and RF64/BW64 for more than 4 GiB; streamed files whose
// sizes were never filled in; odd chunks with and without their pad byte; chunks of any kind before
// and after the data. Of truncated data the whole frames are decoded, and the header
// reports it. Compressed formats are
// refused by name, see UnsupportedError.
//
// Sizes in the file are clamped to what the file holds. A data size of 32 bits that lost its upper bits, in a file of more
// than 4 GiB, is completed from the length of the file.
//
// Sources: Microsoft, "Multiple Channel Audio Data and WAVE Files" (2007); RFC 2361; EBU Tech 3306
// (RF64); ITU-R BS.2088 (BW64); ITU-T G.711 (A-law, µ-law).
package wav

import (
	"errors"
	"fmt"
)

// Header describes the content and the format of a file.
type Header struct {
	// Encoding is ffmpeg's name of the sample format: "pcm_s16le", "pcm_f32be", "pcm_mulaw".
	Encoding string
	// BitsPerSample counts the valid bits of a sample, which may be fewer than its container has:
	// 20 for 20-in-24.
	BitsPerSample int
	// SampleRate is the number of frames a second.
	SampleRate int
	// Channels is 1 to 64.
	Channels int
	// Frames counts the frames that are there, not those that the header declares; -1 when a Reader cannot
	// know yet, because the source is a pipe and the file was streamed.
	Frames int64
	// Tags are the RIFF INFO tags by their four-letter names ("INAM" title, "IGNR" genre, "ICMT"
	// comment, "ISFT" software), as UTF-8; nil when there are none.
	Tags map[string]string
	// Sampler is what the smpl chunk says; nil when there is none.
	Sampler *Sampler
	// Truncated reports that the file ends before the data that its header declares.
	Truncated bool
	// Notes describe faults of the file and how they were handled, in sentences.
	Notes []string
}

// maxNotes bounds Header.Notes, however broken a file is.
const maxNotes = 16

func (h *Header) note(format string, args ...any) {
	if len(h.Notes) < maxNotes {
		h.Notes = append(h.Notes, fmt.Sprintf(format, args...))
	}
}

// ErrNotWAV reports that the data does not begin like a WAV file.
var ErrNotWAV = errors.New("wav: not a WAV file (no RIFF, RIFX, RF64 or BW64 header with the form WAVE)")

// UnsupportedError reports a well-formed file in a format that this package does not decode.
type UnsupportedError struct {
	Tag  uint16 // The format tag of the fmt chunk, or of the extensible subformat.
	Name string // What the format is called: "MS ADPCM".
}

// Error names the format and the way out.
func (e *UnsupportedError) Error() string {
	return fmt.Sprintf("wav: %s (format tag 0x%04X) is not supported; convert it first: ffmpeg -i in.wav -c:a pcm_s16le out.wav", e.Name, e.Tag)
}
