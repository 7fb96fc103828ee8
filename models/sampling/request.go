package sampling

import (
	"context"
	"slices"

	"wavemill/models"
)

// generate asks the network for one clip per label and seed.
func generate(ctx context.Context, g models.Generator, labels []int, seeds []uint64, temperature float64) (models.Batch, error) {
	var out models.Batch
	for i, label := range labels {
		b, err := g.Generate(ctx, models.Request{Labels: []int{label}, Seed: seeds[i], Temperature: temperature})
		if err != nil {
			return models.Batch{}, err
		}
		out = models.Batch{B: i + 1, T: b.T, F: b.F, Data: append(out.Data, b.Data...), Labels: append(out.Labels, b.Labels...)}
	}
	return out, nil
}

// draw returns the latents that generate would use, [len(labels), Latent].
func draw(g models.Blender, labels []int, seeds []uint64, temperature float64) ([]float32, error) {
	var out []float32
	for i, label := range labels {
		z, err := g.Draw(models.Request{Labels: []int{label}, Seed: seeds[i], Temperature: temperature})
		if err != nil {
			return nil, err
		}
		out = append(out, z...)
	}
	return out, nil
}

// drawForMean draws meanDraws clips of a label.
func drawForMean(g models.Blender, label int) ([]float32, error) {
	return g.Draw(models.Request{Labels: slices.Repeat([]int{label}, meanDraws), Seed: meanSeed})
}

// blend asks the network for one clip per latent vector, between labels a[i] and b[i].
func blend(ctx context.Context, g models.Blender, latents []float32, a, b []int, weights []float64, seeds []uint64, temperature float64) (models.Batch, error) {
	var out models.Batch
	width := g.Latent()
	for i := range a {
		part, err := g.Blend(ctx, latents[i*width:(i+1)*width], a[i:i+1], b[i:i+1], weights[i:i+1], models.Request{Seed: seeds[i], Temperature: temperature})
		if err != nil {
			return models.Batch{}, err
		}
		out = models.Batch{B: i + 1, T: part.T, F: part.F, Data: append(out.Data, part.Data...), Labels: append(out.Labels, part.Labels...)}
	}
	return out, nil
}
