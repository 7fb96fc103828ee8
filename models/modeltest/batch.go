package modeltest

import (
	"context"
	"math"
	"math/rand/v2"

	"wavemill/audio/spectrogram"
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

// FrontEnd returns a front end for small models: 32 frames by 16 mel bands at 8 kHz.
func FrontEnd() models.FrontEnd {
	c := spectrogram.Default(8000)
	c.Mels = 16
	return models.FrontEnd{Spectrogram: c, Frames: 32}
}

// Train trains a learner of FrontEnd for that many steps of 8 on Clips of so many labels, and returns its checkpoint.
func Train(ctx context.Context, l models.Learner, labels int, steps int64) (models.Checkpoint, error) {
	fe := FrontEnd()
	data := Clips(16, fe.Frames, fe.Spectrogram.Bins(), labels, 1)
	return (&models.Trainer{Steps: steps, BatchSize: 8, Seed: 1}).Run(ctx, l, data, models.Batch{})
}
