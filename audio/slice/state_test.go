package slice_test

import (
	"errors"
	"testing"

	"wavemill/audio/slice"
	"wavemill/internal/allocation"
)

// A damaged state is an error, or one that can be worked with.
func FuzzRestore(f *testing.F) {
	c := slice.Defaults(slice.Silence)
	s, err := slice.New(c, 8000, 1)
	if err != nil {
		f.Fatal(err)
	}
	var k cutter
	if err := s.Write(newTake(f, 1, 8000, 2, 0.4, -50, "kick").samples, k.emit); err != nil {
		f.Fatal(err)
	}
	state, err := s.State()
	if err != nil {
		f.Fatal(err)
	}
	f.Add(state, 0, byte(0))
	f.Add(state, len(state)-20, byte(1))
	f.Add(state, 300, byte(255))
	f.Fuzz(func(t *testing.T, state []byte, at int, change byte) {
		if len(state) > 0 && at >= 0 {
			state = append([]byte(nil), state...)
			state[at%len(state)] ^= change
		}
		var s *slice.Slicer
		var err error
		// A byte may stand for an empty row, 24 bytes; the samples of the clip in progress are within the base.
		allocation.Check(t, len(state), 100, func() { s, err = slice.Restore(state, c, 8000, 1) })
		if err != nil {
			return
		}
		if n := s.Refill(0, nil); n < 0 || n > 8000*60 {
			t.Fatalf("%d frames are missing", n)
		}
		ignore := func(slice.Clip) error { return nil }
		if err := errors.Join(s.Write(make([]float32, 4000), ignore), s.Close(ignore)); err != nil {
			t.Error(err)
		}
	})
}
