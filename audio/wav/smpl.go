package wav

import (
	"encoding/binary"
	"errors"
	"fmt"
	"math"
)

// A Sampler is what the smpl chunk tells a sampler: which part of the sound to repeat while a key is held, and of which
// note the sound is. Source: Microsoft and IBM, "Multimedia Programming Interface and Data Specifications 1.0", new
// multimedia data types (1994).
type Sampler struct {
	// Note is the MIDI note at which the sound has its own pitch, 0 to 127; 60 is the middle C.
	Note int `json:"note"`
	// Cents is how far the sound's pitch lies above that note, 0 to less than 100.
	Cents float64 `json:"cents"`
	// Loops are the parts to repeat.
	Loops []Loop `json:"loops"`
}

// A Loop is a part of a sound that is repeated forwards.
type Loop struct {
	Start int64 `json:"start"` // first frame
	End   int64 `json:"end"`   // first frame behind it
}

const (
	smplHead, smplLoop = 36, 24 // bytes
	maxLoops           = 64     // are read
	middleC            = 60
)

// parseSampler reads the body of a smpl chunk. Loops that end before they begin are left out.
func parseSampler(b []byte, order binary.ByteOrder, h *Header) {
	if len(b) < smplHead {
		h.note("The smpl chunk has %d bytes and was ignored; it needs %d.", len(b), smplHead)
		return
	}
	s := Sampler{Note: int(min(order.Uint32(b[12:]), 127)), Cents: 100 * float64(order.Uint32(b[16:])) / (1 << 32)}
	n := order.Uint32(b[28:])
	for b = b[smplHead:]; n > 0 && len(b) >= smplLoop; n-- {
		l := Loop{int64(order.Uint32(b[8:])), int64(order.Uint32(b[12:])) + 1}
		if l.End > l.Start {
			s.Loops = append(s.Loops, l)
		}
		b = b[smplLoop:]
	}
	h.Sampler = &s
}

// samplerChunk makes the smpl chunk of a file; nothing for nil.
func samplerChunk(s *Sampler, rate int) ([]byte, error) {
	if s == nil {
		return nil, nil
	}
	if s.Note < 0 || s.Note > 127 || !(s.Cents >= 0 && s.Cents < 100) || len(s.Loops) > maxLoops {
		return nil, fmt.Errorf("wav: a sampler's note %d and %g cents with %d loops; MIDI notes are 0 to 127, cents 0 to 100, loops at most %d", s.Note, s.Cents, len(s.Loops), maxLoops)
	}
	le := binary.LittleEndian
	b := le.AppendUint32([]byte("smpl"), uint32(smplHead+smplLoop*len(s.Loops)))
	for _, v := range []uint32{0, 0, uint32(math.Round(1e9 / float64(rate))), uint32(s.Note), uint32(math.Min(s.Cents/100*(1<<32), math.MaxUint32)), 0, 0, uint32(len(s.Loops)), 0} {
		b = le.AppendUint32(b, v)
	}
	for i, l := range s.Loops {
		if l.Start < 0 || l.End <= l.Start || l.End > math.MaxUint32 {
			return nil, errors.New("wav: a loop that ends before it begins, or beyond 2^32 frames")
		}
		for _, v := range []uint32{uint32(i), 0, uint32(l.Start), uint32(l.End - 1), 0, 0} { // forwards, without end
			b = le.AppendUint32(b, v)
		}
	}
	return b, nil
}

// NoteOf returns the MIDI note nearest below a frequency in Hz and the cents above it, with A4 (69) at 440 Hz. It is the
// middle C for a frequency that is no MIDI note.
func NoteOf(hz float64) (note int, cents float64) {
	at := 69 + 12*math.Log2(hz/440)
	if !(at >= 0 && at < 128) {
		return middleC, 0
	}
	note = int(at)
	return note, 100 * (at - float64(note))
}
