package vaegan

import (
	"math"
	"math/rand/v2"
	"testing"
)

// Latents drawn from what a few clips say stay near them, however often the same clips are seen.
func TestFewClips(t *testing.T) {
	const width, clips = 32, 5
	for seed := range uint64(20) {
		rng := rand.New(rand.NewPCG(seed, 1))
		z := make([][]float32, clips)
		largest := 0.0
		for i := range z {
			for range width {
				v := rng.NormFloat64()
				z[i] = append(z[i], float32(v))
				largest = max(largest, math.Abs(v))
			}
		}
		p := newLatents(1, width)
		for i := range 400 {
			p.observe(0, z[i%clips])
		}
		for range 50 {
			for _, v := range p.draw(nil, 0, 1, rng) {
				if !(math.Abs(float64(v)) < 6*largest) {
					t.Fatalf("seed %d: a latent of %g from clips up to %g", seed, v, largest)
				}
			}
		}
	}
}

// The factor of a covariance of full rank, times itself, is the covariance.
func TestCholesky(t *testing.T) {
	const n = 4
	rng := rand.New(rand.NewPCG(3, 1))
	var a, c, l [n * n]float64
	for i := range a {
		a[i] = rng.NormFloat64()
	}
	narrow := make([]float32, n*n)
	for i := range n {
		for j := range n {
			for k := range n {
				c[i*n+j] += a[i*n+k] * a[j*n+k]
			}
			narrow[i*n+j] = float32(c[i*n+j])
		}
	}
	p := newLatents(1, n)
	p.cov = narrow
	p.factorise(0)
	copy(l[:], p.factor)
	for i := range n {
		for j := range i + 1 {
			s := 0.0
			for k := range j + 1 {
				s += l[i*n+k] * l[j*n+k]
			}
			if math.Abs(s-c[i*n+j]) > 1e-5 {
				t.Errorf("element %d, %d: %g, want %g", i, j, s, c[i*n+j])
			}
		}
	}
}
