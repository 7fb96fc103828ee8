package modeltest

import (
	"math"
	"math/rand/v2"

	"wavemill/models"
)

// Clips returns a batch with structure to learn: each clip is a decaying bump whose place among the bins
// follows from its label, with an onset that differs from clip to clip, and a little noise.
func Clips(b, t, f, labels int, seed uint64) models.Batch {
	rng := rand.New(rand.NewPCG(seed, 0x636c697073))
	x := models.Batch{B: b, T: t, F: f, Data: make([]float32, b*t*f), Labels: make([]int, b)}
	for i := range b {
		x.Labels[i] = i % labels
		centre := float64(f) * (float64(x.Labels[i]) + 0.5) / float64(labels)
		onset := rng.IntN(max(t/4, 1))
		for j := range t {
			for k := range f {
				v := -1 + 0.05*rng.NormFloat64()
				if j >= onset {
					d := (float64(k) - centre) / (float64(f) / 8)
					v += 1.6 * math.Exp(-d*d/2-2*float64(j-onset)/float64(t))
				}
				x.Data[(i*t+j)*f+k] = float32(max(-1, min(1, v)))
			}
		}
	}
	return x
}
