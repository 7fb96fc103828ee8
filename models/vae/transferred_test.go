package vae

import (
	"math"
	"math/rand/v2"
	"testing"
)

// Latents of a label with five clips vary as those of the other labels do, around its own mean, and those of the other labels
// as before.
func TestRareLabelVariesLikeOthers(t *testing.T) {
	const latent = 2
	rng := rand.New(rand.NewPCG(1, 1))
	var z []float32
	var labels []int
	add := func(label, n int, at float64) {
		for range n {
			z = append(z, float32(at+3*rng.NormFloat64()), float32(at+0.5*rng.NormFloat64()))
			labels = append(labels, label)
		}
	}
	add(0, 100, 0)
	add(1, 100, 20)
	five := len(labels)
	add(2, 5, -30)
	for i := five; i < len(labels); i++ { // nearly alike
		z[2*i], z[2*i+1] = -30+float32(i-five)/100, -30
	}
	for _, kind := range []string{PriorKDE, PriorManifold, PriorGMM} {
		c := Config{Latent: latent, Prior: kind, Bandwidth: 0.1, Neighbours: 3, Components: 2}
		p, err := fitPrior(c, z, labels, 3, 1)
		if err != nil {
			t.Fatal(err)
		}
		var sum, square [latent]float64
		const n = 2000
		for range n {
			for j, v := range p.draw(nil, 2, rng, 1) {
				sum[j] += float64(v) / n
				square[j] += float64(v) * float64(v) / n
			}
		}
		for j, want := range []float64{3, 0.5} {
			deviation := math.Sqrt(square[j] - sum[j]*sum[j])
			if math.Abs(sum[j]+30) > 0.3 || deviation < 0.4*want || deviation > 1.2*want {
				t.Errorf("%s: latent %d of the rare label is %.2f ± %.2f, that of others varies by %.1f", kind, j, sum[j], deviation, want)
			}
		}
		if kind == PriorKDE && len(p.labels[0].weight) != 100 {
			t.Errorf("the prior of a label with many clips changed: %d components", len(p.labels[0].weight))
		}
	}
}

func TestRareLabels(t *testing.T) {
	groups := func(counts ...int) [][]int {
		out := make([][]int, len(counts))
		for l, n := range counts {
			out[l] = make([]int, n)
		}
		return out
	}
	for _, c := range []struct {
		counts []int
		want   int // the rare one; -1: none
	}{
		{[]int{200, 5, 300}, 1}, {[]int{5, 5, 5}, -1}, {[]int{200, 30, 300}, -1}, {[]int{30, 10, 30}, -1}, {[]int{2, 200}, 0},
	} {
		for l, rare := range rareLabels(groups(c.counts...)) {
			if rare != (l == c.want) {
				t.Errorf("%v: label %d rare: %v", c.counts, l, rare)
			}
		}
	}
}
