package latent

import (
	"math"
	"math/rand/v2"
	"testing"
)

// TestObserve: the moments become those of the latents, and their count stops at the memory.
func TestObserve(t *testing.T) {
	rng := rand.New(rand.NewPCG(1, 2))
	mean, variance, seen := make([]float32, 2), make([]float32, 2), float32(0)
	for range 500 {
		z := make([]float32, 2*64)
		for i := range z {
			z[i] = float32(3*float64(i%2) - 1 + (1+float64(i%2))*rng.NormFloat64())
		}
		seen = Observe(mean, variance, seen, 0.01, z)
	}
	if seen != 100 {
		t.Errorf("%g batches are counted, want 100", seen)
	}
	for j, want := range []struct{ mean, variance float64 }{{-1, 1}, {2, 4}} {
		if math.Abs(float64(mean[j])-want.mean) > 0.1 || math.Abs(float64(variance[j])/want.variance-1) > 0.1 {
			t.Errorf("latent %d has mean %g and variance %g, want %+v", j, mean[j], variance[j], want)
		}
	}
}
