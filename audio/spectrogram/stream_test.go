package spectrogram

import (
	"errors"
	"math"
	"strings"
	"testing"

	"pgregory.net/rapid"
)

// TestStreamEqualsForward cuts signals into pieces: the frames must be those of the whole.
func TestStreamEqualsForward(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		c, x := invertible(t), samples(t)
		tr, err := New(c)
		if err != nil {
			t.Fatal(err)
		}
		whole, err := tr.Forward(nil, x)
		if err != nil {
			t.Fatal(err)
		}
		var got []float32
		s := tr.NewStream(func(frames []float32) error {
			got = append(got, frames...)
			return nil
		})
		for rest := x; len(rest) > 0; {
			n := rapid.IntRange(1, len(rest)).Draw(t, "piece")
			if err := s.Write(rest[:n]); err != nil {
				t.Fatal(err)
			}
			rest = rest[n:]
		}
		if err := s.Close(); err != nil {
			t.Fatal(err)
		}
		if len(got) != len(whole.Data) {
			t.Fatalf("%d values, want %d", len(got), len(whole.Data))
		}
		for i, v := range whole.Data {
			if got[i] != v {
				t.Fatalf("value %d of frame %d is %g, want %g", i%whole.Bins, i/whole.Bins, got[i], v)
			}
		}
	})
}

// TestStreamHoldsLittle streams ten minutes at 48 kHz and looks at what the stream keeps.
func TestStreamHoldsLittle(t *testing.T) {
	c := Default(48000)
	c.Pad = PadReflect
	tr, err := New(c)
	if err != nil {
		t.Fatal(err)
	}
	frames := 0
	s := tr.NewStream(func(f []float32) error {
		frames += len(f) / c.Bins()
		return nil
	})
	piece := make([]float32, 48000)
	for range 600 {
		if err := s.Write(piece); err != nil {
			t.Fatal(err)
		}
		if most := 4*tr.span() + 2*c.NFFT; cap(s.held) > 2*most {
			t.Fatalf("%d samples are held", cap(s.held))
		}
	}
	if err := s.Close(); err != nil {
		t.Fatal(err)
	}
	if want := c.Frames(600 * 48000); frames != want {
		t.Errorf("%d frames, want %d", frames, want)
	}
}

func TestStreamFailures(t *testing.T) {
	tr, err := New(linear(8000, 64))
	if err != nil {
		t.Fatal(err)
	}
	full := errors.New("disk full")
	s := tr.NewStream(func([]float32) error { return full })
	for range 100 {
		err = s.Write(make([]float32, 1000))
	}
	if !errors.Is(err, full) || !errors.Is(s.Close(), full) {
		t.Errorf("a failed emit gave %v", err)
	}
	s = tr.NewStream(func([]float32) error { return nil })
	if err := s.Write(make([]float32, 1000)); err != nil {
		t.Fatal(err)
	}
	if err := s.Write([]float32{0, float32(math.NaN())}); err == nil || !strings.Contains(err.Error(), "sample 1001") {
		t.Errorf("a sample that is not a number gave %v", err)
	}
	s = tr.NewStream(func([]float32) error { return nil })
	if err := s.Close(); err != nil {
		t.Fatal(err)
	}
	if s.Write(make([]float32, 5)) == nil || s.Close() == nil {
		t.Error("a closed stream takes samples")
	}
}
