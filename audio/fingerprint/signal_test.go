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
			for _, h := range [][]float32{bandPass(), bandPass()[:4], bandPass()[:1]} {
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
			w, x, h := new(scratch), make([]float32, innerRate/2), bandPass()
			for b.Loop() {
				w.decimate(x, h, class)
			}
		})
	}
}
