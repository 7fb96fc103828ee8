package fingerprint

import (
	"math/rand/v2"
	"testing"
)

// Samples that are summed eight at a time have the bits of samples that are summed one after the other.
func TestDecimateSumsInOrder(t *testing.T) {
	rng := rand.New(rand.NewPCG(1, 2))
	h := bandPass()
	w := new(scratch) // What one recording leaves in it must not be heard in the next one.
	for _, n := range []int{0, 1, 2, 100, 192, 193, 194, 207, 208, 209, 500, 3001, 500, 209, 2, 1, 0} {
		x := make([]float32, n)
		for i := range x {
			x[i] = float32(rng.NormFloat64())
		}
		for i, got := range w.decimate(x, h) {
			var want float32
			for j := range h {
				if at := 2*(i-tapsHalf/2) - tapsHalf + j; at >= 0 && at < n {
					want += float32(h[j] * x[at])
				}
			}
			if got != want {
				t.Fatalf("%d samples: sample %d is %g, summed in order %g", n, i, got, want)
			}
		}
	}
}

func BenchmarkDecimate(b *testing.B) {
	w, x, h := new(scratch), make([]float32, innerRate/2), bandPass()
	for b.Loop() {
		w.decimate(x, h)
	}
}
