package spectrogram

import (
	"math"
	"strings"
	"testing"

	"pgregory.net/rapid"
)

// invertible draws a config that New accepts: any window at a hop of at most a quarter of the transform.
func invertible(t *rapid.T) Config {
	n := rapid.OneOf(rapid.SampledFrom([]int{32, 64, 128, 256, 512, 1024}), rapid.IntRange(8, 700)).Draw(t, "n_fft")
	return Config{
		SampleRate: 8000, NFFT: n, Hop: rapid.IntRange(1, n/4).Draw(t, "hop"),
		Window: rapid.SampledFrom([]string{WindowHann, WindowHamming, WindowGaussian}).Draw(t, "window"),
		Pad:    rapid.SampledFrom([]string{"", PadZero, PadReflect}).Draw(t, "pad"),
		Scale:  ScaleLinear, Value: ValueMagnitude,
	}
}

func samples(t *rapid.T) []float32 {
	seed, n := rapid.Uint32().Draw(t, "seed"), rapid.IntRange(0, 3000).Draw(t, "samples")
	x := make([]float32, n)
	for i, v := range lcg(n, seed) {
		x[i] = float32(v)
	}
	return x
}

func TestInverseUndoesSTFT(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		c, x := invertible(t), samples(t)
		tr, err := New(c)
		if err != nil {
			t.Fatal(err)
		}
		s := tr.STFT(nil, x)
		if len(s) != c.Frames(len(x))*(c.NFFT/2+1) {
			t.Fatalf("%d values for %d samples", len(s), len(x))
		}
		if len(x) == 0 {
			return
		}
		for i, v := range tr.ISTFT(nil, s, len(x)) {
			if d := math.Abs(float64(v - x[i])); !(d < 1e-5) {
				t.Fatalf("sample %d of %d is %g, was %g", i, len(x), v, x[i])
			}
		}
	})
}

// TestInverseAtTheLongestHop shows what ISTFT documents: exact where frames overlap, weaker at the very end.
func TestInverseAtTheLongestHop(t *testing.T) {
	c := linear(8000, 256)
	c.Hop = 128
	tr, err := New(c)
	if err != nil {
		t.Fatal(err)
	}
	x := make([]float32, 1000)
	for i, v := range lcg(len(x), 1) {
		x[i] = float32(v)
	}
	whole := len(x) / c.Hop * c.Hop
	for i, v := range tr.ISTFT(nil, tr.STFT(nil, x), len(x)) {
		limit := 1e-5
		if i >= whole {
			limit /= tr.window[128+i-whole]
		}
		if d := math.Abs(float64(v - x[i])); !(d < limit) {
			t.Fatalf("sample %d is %g, was %g", i, v, x[i])
		}
	}
}

// TestTransformReuse runs signals of different lengths through one Transform: its scratch must not leak between them.
func TestTransformReuse(t *testing.T) {
	c := Default(8000)
	shared, err := New(c)
	if err != nil {
		t.Fatal(err)
	}
	for _, n := range []int{5000, 100, 8000, 1, 0, 3000} {
		x := make([]float32, n)
		for i, v := range lcg(n, uint32(n)) {
			x[i] = float32(v)
		}
		fresh, err := New(c)
		if err != nil {
			t.Fatal(err)
		}
		a, err := shared.Forward(nil, x)
		if err != nil {
			t.Fatal(err)
		}
		b, err := fresh.Forward(nil, x)
		if err != nil {
			t.Fatal(err)
		}
		equal(t, a.Data, b.Data)
		ya, err := shared.Reconstruct(a, 0, Phase{Iterations: 4})
		if err != nil {
			t.Fatal(err)
		}
		yb, err := fresh.Reconstruct(b, 0, Phase{Iterations: 4})
		if err != nil {
			t.Fatal(err)
		}
		equal(t, ya, yb)
	}
}

func equal(t *testing.T, a, b []float32) {
	t.Helper()
	if len(a) != len(b) {
		t.Fatalf("%d values, want %d", len(a), len(b))
	}
	for i := range a {
		if a[i] != b[i] {
			t.Fatalf("value %d is %g, want %g", i, a[i], b[i])
		}
	}
}

func TestNoAllocationPerFrame(t *testing.T) {
	tr, err := New(Default(8000))
	if err != nil {
		t.Fatal(err)
	}
	x := make([]float32, 8000)
	for i, v := range lcg(len(x), 1) {
		x[i] = float32(v)
	}
	var s *Spectrogram
	var z []complex64
	y := make([]float32, len(x))
	work := func() {
		if s, err = tr.Forward(s, x); err != nil {
			t.Fatal(err)
		}
		z = tr.STFT(z, x)
		y = tr.ISTFT(y, z, len(x))
	}
	work()
	if n := testing.AllocsPerRun(20, work); n != 0 {
		t.Errorf("%g allocations per run", n)
	}
}

func TestDefaultIsScaled(t *testing.T) {
	for _, rate := range []int{8000, 16000, 22050, 44100, 48000} {
		c := Default(rate)
		if err := c.Validate(); err != nil {
			t.Fatalf("%d Hz: %v", rate, err)
		}
		if ms := 1000 * c.NFFT / rate; ms < 45 || ms > 91 {
			t.Errorf("%d Hz: frames of %d ms", rate, ms)
		}
		tr, err := New(c)
		if err != nil {
			t.Fatal(err)
		}
		x := make([]float32, rate/2)
		s, err := tr.Forward(nil, x)
		if err != nil {
			t.Fatal(err)
		}
		for _, v := range s.Data {
			if math.Abs(float64(v)+1) > 1e-6 {
				t.Fatalf("%d Hz: silence is %g, want -1", rate, v)
			}
		}
		for i := range x {
			x[i] = float32(math.Sin(2 * math.Pi * 300 * float64(i) / float64(rate)))
		}
		if s, err = tr.Forward(s, x); err != nil {
			t.Fatal(err)
		}
		var peak float32
		for _, v := range s.Data {
			peak = max(peak, v)
		}
		if peak < 0.8 || peak > 1 {
			t.Errorf("%d Hz: a full-scale sine peaks at %g", rate, peak)
		}
	}
}

func TestConfigsThatAreRefused(t *testing.T) {
	for want, change := range map[string]func(c *Config){
		"sample_rate":  func(c *Config) { c.SampleRate = 0 },
		"n_fft":        func(c *Config) { c.NFFT = 1 << 30 },
		"hop":          func(c *Config) { c.Hop = c.NFFT/2 + 1 },
		"window":       func(c *Config) { c.Window = "kaiser" },
		"pad":          func(c *Config) { c.Pad = "wrap" },
		"scale":        func(c *Config) { c.Scale = "bark" },
		"value":        func(c *Config) { c.Value = "phase" },
		"mels":         func(c *Config) { c.Mels = 0 },
		"use fewer":    func(c *Config) { c.NFFT, c.Mels = 1<<17, 1<<10 }, // of filters, which would take gigabytes
		"f_min":        func(c *Config) { c.FMin, c.FMax = 3000, 2000 },
		"f_max":        func(c *Config) { c.FMax = 5000 },
		"mel_formula":  func(c *Config) { c.MelFormula = "fant" },
		"mel_norm":     func(c *Config) { c.MelNorm = "l2" },
		"drop_nyquist": func(c *Config) { c.DropNyquist = true },
		"floor":        func(c *Config) { c.Floor = 0 },
		"min, max":     func(c *Config) { c.Min = math.NaN() },
	} {
		c := Default(8000)
		change(&c)
		if _, err := New(c); err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("%s: error %v", want, err)
		}
	}
	c := linear(8000, 5)
	c.NFFT, c.Hop, c.Window = 4, 2, WindowHann
	if _, err := New(c); err != nil {
		t.Errorf("the shortest transform: %v", err)
	}
}

func TestBadInput(t *testing.T) {
	tr, err := New(linear(8000, 64))
	if err != nil {
		t.Fatal(err)
	}
	x := make([]float32, 100)
	x[7] = float32(math.Inf(1))
	if _, err := tr.Forward(nil, x); err == nil || !strings.Contains(err.Error(), "sample 7") {
		t.Errorf("infinite sample: error %v", err)
	}
	s, err := tr.Forward(nil, make([]float32, 100))
	if err != nil {
		t.Fatal(err)
	}
	for name, f := range map[string]func() error{
		"nil spectrogram": func() error { _, err := tr.Reconstruct(nil, 0, Phase{}); return err },
		"unknown method":  func() error { _, err := tr.Reconstruct(s, 0, Phase{Method: "magic"}); return err },
		"momentum":        func() error { _, err := tr.Reconstruct(s, 0, Phase{Momentum: 1}); return err },
		"iterations":      func() error { _, err := tr.Reconstruct(s, 0, Phase{Iterations: -1}); return err },
		"too long":        func() error { _, err := tr.Reconstruct(s, math.MaxInt, Phase{}); return err },
		"other config": func() error {
			o := *s
			o.Config.Hop = 8
			_, err := tr.Reconstruct(&o, 0, Phase{})
			return err
		},
		"data missing": func() error {
			o := *s
			o.Data = o.Data[1:]
			_, err := tr.Reconstruct(&o, 0, Phase{})
			return err
		},
		"not a number": func() error {
			o := *s
			o.Data = append([]float32{float32(math.NaN())}, o.Data[1:]...)
			_, err := tr.Reconstruct(&o, 0, Phase{})
			return err
		},
		"convergence's length": func() error { _, err := tr.Convergence(s, make([]float32, 3)); return err },
	} {
		if f() == nil {
			t.Errorf("%s: no error", name)
		}
	}
}
