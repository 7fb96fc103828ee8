package fingerprint

import (
	"math"
	"math/rand/v2"
	"testing"

	"wavemill/internal/cpu"
)

// Samples that are summed side by side have the bits of samples that are summed one after the other.
func TestDecimateSumsInOrder(t *testing.T) {
	for _, class := range cpu.Supported() {
		t.Run(class.String(), func(t *testing.T) {
			rng := rand.New(rand.NewPCG(1, 2))
			w := new(scratch) // What one recording leaves in it must not be heard in the next one.
			for _, h := range [][]float32{bandPass(innerRate, tapsHalf), bandPass(innerRate, tapsHalf)[:4], bandPass(innerRate, tapsHalf)[:1]} {
				for _, n := range []int{0, 1, 2, 30, 31, 32, 33, 100, 192, 193, 194, 207, 208, 209, 500, 3001, 500, 209, 2, 1, 0} {
					decimateInOrder(t, rng, w, n, h, class)
				}
			}
		})
	}
}

func decimateInOrder(t *testing.T, rng *rand.Rand, w *scratch, n int, h []float32, class cpu.Class) {
	t.Helper()
	x := make([]float32, n)
	for i := range x {
		x[i] = float32(rng.NormFloat64())
	}
	for i, got := range w.decimate(x, h, class) {
		var want float32
		for j := range h {
			if at := 2*(i-tapsHalf/2) - tapsHalf + j; at >= 0 && at < n {
				want += float32(h[j] * x[at])
			}
		}
		if math.Float32bits(got) != math.Float32bits(want) {
			t.Fatalf("%d samples, %d taps: sample %d is %g, summed in order %g", n, len(h), i, got, want)
		}
	}
}

func BenchmarkDecimate(b *testing.B) {
	for _, class := range cpu.Supported() {
		b.Run(class.String(), func(b *testing.B) {
			w, x, h := new(scratch), make([]float32, innerRate/2), bandPass(innerRate, tapsHalf)
			for b.Loop() {
				w.decimate(x, h, class)
			}
		})
	}
}

// What is filtered at 8 kHz has the bits of sums in the order of the arranged taps, and is the sound that has been filtered at
// 16 kHz.
func TestFilterIsDecimate(t *testing.T) {
	h, m := bandPass(printRate, tapsHalf/2), new(Maker)
	for _, class := range cpu.Supported() {
		rng := rand.New(rand.NewPCG(3, 4))
		w, other := new(scratch), new(scratch)
		for _, n := range []int{0, 1, 40, 97, 500, 3001, 40} {
			x := make([]float32, n)
			for i := range x {
				x[i] = float32(rng.NormFloat64())
			}
			y := w.filter(x, halves(h), class)
			at := func(i int) float32 {
				if i < 0 || i >= n {
					return 0
				}
				return x[i]
			}
			for i, got := range y {
				var want float32
				for k := range len(h)/2 + 1 {
					want += float32(h[k] * at(i-tapsHalf+k))
					if j := k + len(h)/2 + 1; j < len(h) {
						want += float32(h[j] * at(i-tapsHalf+j))
					}
				}
				if math.Float32bits(got) != math.Float32bits(want) {
					t.Fatalf("%s, %d samples: sample %d is %g, summed in order %g", class, n, i, got, want)
				}
			}
			inner, err := m.resampled(&other.inner, x, printRate, innerRate)
			if err != nil {
				t.Fatal(err)
			}
			z := other.decimate(inner, bandPass(innerRate, tapsHalf), class)
			if len(z) != len(y) {
				t.Fatalf("%d samples become %d, and %d by way of 16 kHz", n, len(y), len(z))
			}
			for i := tapsHalf; i < n; i++ { // At its ends, white noise begins and ends otherwise at 16 kHz.
				if math.Abs(float64(y[i]-z[i])) > 0.01 {
					t.Fatalf("%d samples: sample %d is %g, and %g by way of 16 kHz", n, i, y[i], z[i])
				}
			}
		}
	}
}
