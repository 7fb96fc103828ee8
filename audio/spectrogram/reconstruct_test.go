package spectrogram

import (
	"math"
	"testing"

	"wavemill/audio/spectrogram/signals"
)

// TestConfigBringsAudioBack goes through every scale and value: the features of the reconstruction must be near the
// features themselves. Limits are mean errors in nepers over bins within 60 dB of the loudest, with some room above
// what was measured.
func TestConfigBringsAudioBack(t *testing.T) {
	x := signals.Make("chirp-harmonic")[:22050]
	for _, scale := range []string{ScaleLinear, ScaleMel} {
		for _, value := range []string{ValueMagnitude, ValuePower, ValueLog, ValueLogPower} {
			t.Run(scale+"-"+value, func(t *testing.T) {
				c := Default(44100)
				c.Scale, c.Value, c.Pad = scale, value, PadZero
				c.DropNyquist = scale == ScaleLinear
				c.Min, c.Max = 0, 0
				if value == ValueLog {
					c.Min, c.Max = -12, 8
					c.Floor = 1e-5
				}
				tr, err := New(c)
				if err != nil {
					t.Fatal(err)
				}
				s, err := tr.Forward(nil, x)
				if err != nil {
					t.Fatal(err)
				}
				y, err := tr.Reconstruct(s, len(x), Phase{})
				if err != nil {
					t.Fatal(err)
				}
				z, err := tr.Forward(nil, y)
				if err != nil {
					t.Fatal(err)
				}
				if e := meanError(c, s.Data, z.Data); !(e < 0.15) {
					t.Errorf("mean error %.3f nepers", e)
				}
			})
		}
	}
}

// meanError is the mean difference of log-amplitudes over values within 60 dB of the largest.
func meanError(c Config, want, got []float32) float64 {
	a, b := make([]float32, len(want)), make([]float32, len(got))
	c.decode(a, want)
	c.decode(b, got)
	exponent := 1.0
	if c.isPower() {
		exponent = 0.5
	}
	var peak float64
	for _, v := range a {
		peak = math.Max(peak, math.Pow(float64(v), exponent))
	}
	var sum, n float64
	for i, v := range a {
		w := math.Pow(float64(v), exponent)
		if w < 1e-3*peak {
			continue
		}
		sum += math.Abs(math.Log((math.Pow(float64(b[i]), exponent) + 1e-4*peak) / (w + 1e-4*peak)))
		n++
	}
	return sum / n
}

func TestSameSeedSameBytes(t *testing.T) {
	tr, err := New(Default(44100))
	if err != nil {
		t.Fatal(err)
	}
	x := signals.Make("drum-snare")
	clear(x[10000:15000])
	s, err := tr.Forward(nil, x)
	if err != nil {
		t.Fatal(err)
	}
	for i := range s.Data { // values that the tolerance of PGHI leaves to chance
		if i%7 == 0 {
			s.Data[i] = -0.9999999
		}
	}
	for _, method := range []string{MethodGriffinLim, MethodFGLA, MethodPGHI, MethodPGHIFGLA, MethodMixed} {
		make := func(seed uint64) []float32 {
			other, err := New(tr.Config())
			if err != nil {
				t.Fatal(err)
			}
			y, err := other.Reconstruct(s, 0, Phase{Method: method, Seed: seed, Iterations: 3})
			if err != nil {
				t.Fatal(err)
			}
			return y
		}
		equal(t, make(5), make(5))
		// PGHI draws phases for the weakest bins only.
		a, b := make(5), make(6)
		different := false
		for i := range a {
			different = different || a[i] != b[i]
		}
		if !different {
			t.Errorf("%s: two seeds gave the same signal", method)
		}
	}
}

// TestMelInverse checks the non-negative least squares on magnitudes that a filter bank made: they must come back with
// the same mel values, though not the same bins.
func TestMelInverse(t *testing.T) {
	c := Default(8000)
	c.Value, c.Min, c.Max = ValueMagnitude, 0, 0
	tr, err := New(c)
	if err != nil {
		t.Fatal(err)
	}
	x := make([]float32, 8000)
	for i, v := range lcg(len(x), 3) {
		x[i] = float32(v * math.Sin(float64(i)*0.001))
	}
	s, err := tr.Forward(nil, x)
	if err != nil {
		t.Fatal(err)
	}
	magnitude := tr.Magnitude(nil, s)
	var diff, norm float64
	for f := range s.Frames {
		for m, b := range tr.bands {
			var got float64
			for i, w := range b.weights {
				v := magnitude[f*tr.linear+b.first+i]
				if v < 0 {
					t.Fatalf("bin %d of frame %d is %g", b.first+i, f, v)
				}
				got += float64(w) * float64(v)
			}
			want := float64(s.Data[f*s.Bins+m])
			diff, norm = diff+(got-want)*(got-want), norm+want*want
		}
	}
	if e := math.Sqrt(diff / norm); !(e < 2e-3) {
		t.Errorf("mel values of the inverse are off by %.2g", e)
	}
}

// TestConsistencyTellsSignalsFromNoise compares magnitudes of signals with magnitudes that no signal has.
func TestConsistencyTellsSignalsFromNoise(t *testing.T) {
	for _, c := range []Config{linear(44100, 1024), Default(44100)} {
		tr, err := New(c)
		if err != nil {
			t.Fatal(err)
		}
		for _, name := range []string{"chirp-harmonic", "drum-kick", "drum-loop"} {
			s, err := tr.Forward(nil, signals.Make(name))
			if err != nil {
				t.Fatal(err)
			}
			real, err := tr.Consistency(s, Phase{})
			if err != nil {
				t.Fatal(err)
			}
			noise := lcg(len(s.Data), 1)
			values := make([]float32, len(s.Data))
			c.decode(values, s.Data)
			for i, v := range noise {
				values[i] *= float32(math.Exp(v))
				if c.isLog() {
					values[i] = float32(2*(math.Log(float64(values[i])+c.Floor)-c.Min)/(c.Max-c.Min) - 1)
				}
			}
			s.Data = values
			spoilt, err := tr.Consistency(s, Phase{})
			if err != nil {
				t.Fatal(err)
			}
			t.Logf("%s %s: %.1f dB, with each value changed by up to 1 neper %.1f dB", c.Scale, name, real, spoilt)
			if real > -20 || spoilt < real+8 {
				t.Errorf("%s %s: %.1f dB, spoilt %.1f dB", c.Scale, name, real, spoilt)
			}
		}
		silence, err := tr.Forward(nil, make([]float32, 4000))
		if err != nil {
			t.Fatal(err)
		}
		if db, err := tr.Consistency(silence, Phase{}); err != nil || db > 0 || math.IsNaN(db) {
			t.Errorf("silence: %g dB, %v", db, err)
		}
	}
}

// TestReconstructLengths asks for lengths around the frames' own.
func TestReconstructLengths(t *testing.T) {
	for _, pad := range []string{PadZero, PadReflect} {
		c := linear(8000, 64)
		c.Pad = pad
		tr, err := New(c)
		if err != nil {
			t.Fatal(err)
		}
		x := signals.Make("chirp-log")[:500]
		s, err := tr.Forward(nil, x)
		if err != nil {
			t.Fatal(err)
		}
		for _, n := range []int{0, 1, 15, 16, c.Samples(s.Frames), 500, 511, 512, 540} {
			y, err := tr.Reconstruct(s, n, Phase{Iterations: 2})
			if err != nil {
				t.Fatalf("%d samples: %v", n, err)
			}
			want := n
			if n == 0 {
				want = c.Samples(s.Frames)
			}
			if len(y) != want {
				t.Errorf("%d samples, want %d", len(y), want)
			}
		}
	}
}
