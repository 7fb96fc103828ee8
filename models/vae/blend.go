package vae

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

// newBlender returns the decoder for clips between two labels.
func newBlender(p *nn.Params, s shape.Shape, c Config) (blend.Decoder, error) {
	q, err := nn.NewPredictor(p, func(n *nn.Graph, batch int) {
		z := n.Input(inLatent, batch, c.Latent)
		d := n.Scope("decoder")
		in := blend.NewInputs(n, batch)
		e := embedding(d, in.From, s, c) // [B, E]
		if e != nil {
			e = in.Mix(n, e, embedding(d.Reuse(), in.To, s, c))
		}
		n.Output(outClips, decodeEmbedded(d, z, e, s, c))
	})
	return blend.Decoder{Predictor: q, Shape: s, Width: c.Latent, Latents: inLatent, Output: outClips}, err
}

// Draw returns the latents that Generate decodes into the clips of r, [len(r.Labels), Latent], row-major. Those of clip
// i depend on the checkpoint, r.Labels[i], r.Seeds[i] and r.Temperature alone. The same seed under two labels is drawn
// with the same noise, so that the two are related and can be interpolated. The slice belongs to the caller.
func (g *Generator) Draw(r models.Request) ([]float32, error) {
	if err := r.Validate(g.shape.Labels); err != nil {
		return nil, fmt.Errorf("vae: %w", err)
	}
	return g.draw(context.Background(), r.Labels, latent.Of(r.Seeds), g.temperature(r))
}

// LabelMean implements models.Blender.
func (g *Generator) LabelMean(label int) ([]float32, error) {
	if err := models.ValidateLabels([]int{label}, g.shape.Labels); err != nil {
		return nil, fmt.Errorf("vae: %w", err)
	}
	return latent.Mean(g.config.Latent, func(streams []latent.Stream) ([]float32, error) {
		return g.draw(context.Background(), slices.Repeat([]int{label}, len(streams)), streams, g.config.Temperature)
	})
}

// draw returns latents of labels [B], drawn with the streams [B] until ctx is done.
func (g *Generator) draw(ctx context.Context, labels []int, streams []latent.Stream, temperature float64) ([]float32, error) {
	if g.flow != nil {
		return g.flow.draw(ctx, labels, streams, temperature)
	}
	z := make([]float32, 0, len(labels)*g.config.Latent)
	for i, l := range labels {
		rng := streams[i].Prior()
		z = g.prior.drawFrom(z, l, g.start(l, g.marks.where(streams[i], rng)), rng, temperature)
	}
	return z, nil
}

// Blend implements models.Blender. Of r, Seeds and Temperature are used, for the residual noise alone.
func (g *Generator) Blend(ctx context.Context, latents []float32, a, b []int, weight []float64, r models.Request) (models.Batch, error) {
	out, err := g.blender.Run(ctx, latents, a, b, weight, r)
	if err != nil {
		return models.Batch{}, fmt.Errorf("vae: %w", err)
	}
	limit(out.Data)
	g.addNoise(out, r)
	return out, nil
}
