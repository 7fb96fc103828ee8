package synth

import (
	"fmt"
	"math"
	"slices"
	"strconv"
	"strings"
	"testing"

	"gonum.org/v1/gonum/dsp/fourier"
	"pgregory.net/rapid"

	"wavemill/audio"
)

func mustClip(t testing.TB, class string, seed uint64, rate int) audio.Clip {
	t.Helper()
	c, err := Clip(class, seed, rate)
	if err != nil {
		t.Fatal(err)
	}
	return c
}

func TestClipIsWellFormed(t *testing.T) {
	rapid.Check(t, func(rt *rapid.T) {
		class := rapid.SampledFrom(Classes()).Draw(rt, "class")
		rate := rapid.SampledFrom([]int{8000, 16000, 22050, 44100}).Draw(rt, "rate")
		seed := rapid.Uint64().Draw(rt, "seed")
		c, err := Clip(class, seed, rate)
		if err != nil {
			rt.Fatal(err)
		}
		if c.Label != class || c.Rate != rate || c.Channels != 1 || !strings.Contains(c.Source, strconv.FormatUint(seed, 10)) {
			rt.Fatalf("wrong facts: %q, %d Hz, %d channels, %q", c.Label, c.Rate, c.Channels, c.Source)
		}
		if s := c.Duration().Seconds(); s < 0.69 || s > 1 {
			rt.Fatalf("%v s long", s)
		}
		for i, v := range c.Samples {
			if math.IsNaN(float64(v)) || v > 1 || v < -1 {
				rt.Fatalf("sample %d is %v", i, v)
			}
		}
		if p := c.Peak(); p < 0.44 || p > 0.96 {
			rt.Fatalf("peak %v", p)
		}
		if end := c.Samples[len(c.Samples)-1]; math.Abs(float64(end)) > 1e-3 {
			rt.Fatalf("ends at %v, not in silence", end)
		}
	})
}

func TestSameSeedSameSamples(t *testing.T) {
	for _, class := range Classes() {
		a, b, other := mustClip(t, class, 7, DefaultRate), mustClip(t, class, 7, DefaultRate), mustClip(t, class, 8, DefaultRate)
		if !slices.Equal(a.Samples, b.Samples) {
			t.Errorf("%s: one seed, two sounds", class)
		}
		if slices.Equal(a.Samples, other.Samples) {
			t.Errorf("%s: two seeds, one sound", class)
		}
	}
}

func TestWrongArgumentsAreRefusedByName(t *testing.T) {
	if _, err := Clip("gong", 1, DefaultRate); err == nil || !strings.Contains(err.Error(), "hihat") {
		t.Errorf("an unknown class gave %v", err)
	}
	for _, rate := range []int{-1, 0, 7999, 192001} {
		if _, err := Clip("bell", 1, rate); err == nil {
			t.Errorf("%d Hz was accepted", rate)
		}
	}
}

// features describes a clip by the mean log spectrum in 16 bands of equal width on the scale of octaves, for the
// first and the last 60 % of it: enough for an ear that knows nothing of phases.
func features(c audio.Clip) []float64 {
	const size, bands = 1024, 16
	fft := fourier.NewFFT(size)
	var halves [2][bands]float64
	frame := make([]float64, size)
	coefficients := make([]complex128, size/2+1)
	for at := 0; at+size <= len(c.Samples); at += size / 2 {
		for i := range frame {
			frame[i] = float64(c.Samples[at+i]) * (0.5 - 0.5*math.Cos(2*math.Pi*float64(i)/size))
		}
		fft.Coefficients(coefficients, frame)
		for k := 2; k < size/2; k++ {
			band := int(bands * math.Log2(float64(k)/2) / math.Log2(size/4))
			power := real(coefficients[k])*real(coefficients[k]) + imag(coefficients[k])*imag(coefficients[k])
			half := 0
			if at > len(c.Samples)*2/5 {
				half = 1
			}
			halves[half][band] += power
		}
	}
	out := make([]float64, 0, 2*bands)
	for _, half := range halves {
		for _, p := range half {
			out = append(out, math.Log10(p+1e-4))
		}
	}
	return out
}

func distance(a, b []float64) float64 {
	d := 0.0
	for i := range a {
		d += (a[i] - b[i]) * (a[i] - b[i])
	}
	return math.Sqrt(d)
}

// TestClassesDiffer holds that the sound nearest to a sound is one of its own class: 30 clips of each class are judged
// against 30 others of each.
func TestClassesDiffer(t *testing.T) {
	classes := Classes()
	if len(classes) < 6 {
		t.Fatalf("%d classes, the demo promises six", len(classes))
	}
	const each = 30
	known := make([][][]float64, len(classes))
	for k, class := range classes {
		for seed := range uint64(each) {
			known[k] = append(known[k], features(mustClip(t, class, seed, DefaultRate)))
		}
	}
	right := 0
	for k, class := range classes {
		taken := map[string]int{}
		for seed := uint64(1000); seed < 1000+each; seed++ {
			f := features(mustClip(t, class, seed, DefaultRate))
			nearest, near := 0, math.Inf(1)
			for j := range known {
				for _, g := range known[j] {
					if d := distance(f, g); d < near {
						nearest, near = j, d
					}
				}
			}
			taken[classes[nearest]]++
			if nearest == k {
				right++
			}
		}
		t.Logf("%s is taken for %v", class, taken)
	}
	if accuracy := float64(right) / float64(each*len(classes)); accuracy < 0.97 {
		t.Errorf("the nearest sound names %.1f %% rightly, want 97 %%", 100*accuracy)
	}
}

// TestPluckRings holds that a pluck is periodic: shifted by the best period between 105 and 450 Hz it is nearly itself.
func TestPluckRings(t *testing.T) {
	for seed := range uint64(10) {
		c := mustClip(t, "pluck", seed, DefaultRate)
		x := c.Samples[2000:8000]
		best := 0.0
		for lag := DefaultRate / 450; lag <= DefaultRate/105; lag++ {
			var xy, xx, yy float64
			for i := 0; i+lag < len(x); i++ {
				a, b := float64(x[i]), float64(x[i+lag])
				xy, xx, yy = xy+a*b, xx+a*a, yy+b*b
			}
			best = max(best, xy/math.Sqrt(xx*yy))
		}
		if best < 0.9 {
			t.Errorf("seed %d: the best period explains %.2f of the sound", seed, best)
		}
	}
}

func BenchmarkClip(b *testing.B) {
	for _, class := range Classes() {
		b.Run(class, func(b *testing.B) {
			for seed := range uint64(b.N) {
				mustClip(b, class, seed, DefaultRate)
			}
		})
	}
}

func ExampleClip() {
	c, err := Clip("pluck", 1, DefaultRate)
	if err != nil {
		fmt.Println(err)
		return
	}
	fmt.Println(c.Label, c.Rate, c.Channels, c.Duration().Seconds() > 0.69)
	// Output: pluck 22050 1 true
}
