package gan

import (
	"context"
	"fmt"
	"slices"

	"wavemill/models"
	"wavemill/models/internal/blend"
	"wavemill/models/internal/latent"
	"wavemill/models/internal/shape"
	"wavemill/models/nn"
)

// newBlender returns the generator for clips between two labels. An unconditional model ignores the labels.
func newBlender(p *nn.Params, s shape.Shape, c Config) (blend.Decoder, error) {
	q, err := nn.NewPredictor(p, func(n *nn.Graph, batch int) {
		g := n.Scope("generator")
		e := n.Input(inLatent, batch, c.Latent)
		in := blend.NewInputs(n, batch)
		var bias *nn.Tensor
		if !c.Unconditional {
			e = n.Concat(e, in.Mix(n, s.Embedding(g, "label", in.From, c.Embedding), s.Embedding(g.Reuse(), "label", in.To, c.Embedding))) // [B, Z + E]
			if c.corrects() {
				bias = in.Mix(n, correction(n, in.From, s, c), correction(n.Reuse(), in.To, s, c))
			}
		}
		n.Output(outClips, generateEmbedded(g, e, bias, s, c))
	})
	return blend.Decoder{Predictor: q, Shape: s, Width: c.Latent, Latents: inLatent, Output: outClips}, err
}

// Latent implements models.Blender.
func (g *Generator) Latent() int { return g.config.Latent }

// Draw implements models.Blender. Where labels have no modes, the latents of one seed are the same under all labels.
func (g *Generator) Draw(r models.Request) ([]float32, error) {
	if err := r.Validate(g.shape.Labels); err != nil {
		return nil, fmt.Errorf("gan: %w", err)
	}
	z := make([]float32, 0, len(r.Labels)*g.config.Latent)
	return g.draw(z, r.Labels, latent.Of(r.Seeds), g.temperature(r)), nil
}

// LabelMean implements models.Blender.
func (g *Generator) LabelMean(label int) ([]float32, error) {
	if err := models.ValidateLabels([]int{label}, g.shape.Labels); err != nil {
		return nil, fmt.Errorf("gan: %w", err)
	}
	return latent.Mean(g.config.Latent, func(streams []latent.Stream) ([]float32, error) {
		return g.draw(nil, slices.Repeat([]int{label}, len(streams)), streams, g.config.Temperature), nil
	})
}

// draw appends latents of labels [B], drawn with the streams [B], to dst.
func (g *Generator) draw(dst []float32, labels []int, streams []latent.Stream, temperature float64) []float32 {
	for i, label := range labels {
		dst = g.prior.draw(dst, label, streams[i].Prior(), temperature)
	}
	return dst
}

// Blend implements models.Blender. An unconditional model makes the same clip for all labels.
func (g *Generator) Blend(ctx context.Context, latents []float32, a, b []int, weight []float64, r models.Request) (models.Batch, error) {
	out, err := g.blender.Run(ctx, latents, a, b, weight, r)
	if err != nil {
		return models.Batch{}, fmt.Errorf("gan: %w", err)
	}
	return out, nil
}
