package vae

import (
	"context"
	"fmt"
	"slices"

	"wavemill/models"
	"wavemill/models/internal/latent"
	"wavemill/models/nn"
)

// Names of the inputs of the blending graph, beside inLatent.
const (
	inFrom   = "from"   // [B], labels
	inTo     = "to"     // [B], labels
	inKeep   = "keep"   // [B], share of the first label
	inChange = "change" // [B], share of the second
)

// newBlender returns the decoder for clips between two labels.
func newBlender(p *nn.Params, s shape, c Config) (*nn.Predictor, error) {
	q, err := nn.NewPredictor(p, func(n *nn.Graph, batch int) {
		z := n.Input(inLatent, batch, c.Latent)
		d := n.Scope("decoder")
		from, to := n.Input(inFrom, batch), n.Input(inTo, batch)
		keep, change := n.Input(inKeep, batch), n.Input(inChange, batch)
		e := embedding(d, from, s, c) // [B, E]
		if e != nil {
			e = n.Add(n.MulRows(e, keep), n.MulRows(embedding(d.Reuse(), to, s, c), change))
		}
		n.Output(outClips, decodeAs(d, z, e, s, c))
	})
	if err != nil {
		return nil, fmt.Errorf("vae: %w", err)
	}
	return q, nil
}

// Draw returns the latents that Generate decodes into the clips of r, [len(r.Labels), Latent], row-major. Those of clip
// i depend on the checkpoint, r.Labels[i], r.Seeds[i] and r.Temperature alone. The same seed under two labels is drawn
// with the same noise, so that the two are related and can be interpolated. The slice belongs to the caller.
func (g *Generator) Draw(r models.Request) ([]float32, error) {
	if err := r.Validate(g.shape.labels); err != nil {
		return nil, fmt.Errorf("vae: %w", err)
	}
	return g.draw(context.Background(), r.Labels, latent.Of(r.Seeds), g.temperature(r))
}

// LabelMean implements models.Blender.
func (g *Generator) LabelMean(label int) ([]float32, error) {
	if err := models.ValidateLabels([]int{label}, g.shape.labels); err != nil {
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
		z = g.prior.draw(z, l, streams[i].Prior(), temperature)
	}
	return z, nil
}

// Blend makes clips between two labels from latents [B, Latent], as Draw returns them: clip i under the embedding
// (1 - weight[i]) a[i] + weight[i] b[i], weights from 0 to 1. Of r, Seeds and Temperature are used, for the residual
// noise alone: it is seeded and scaled as in Generate, so that a weight of 0 gives the bytes of Generate. A clip's label
// in the answer is the one of greater weight. The batch belongs to the caller.
func (g *Generator) Blend(ctx context.Context, latents []float32, a, b []int, weight []float64, r models.Request) (models.Batch, error) {
	count, width := len(weight), g.config.Latent
	keep, change, labels, err := models.BlendShares(g.shape.labels, width, latents, a, b, weight, r)
	if err != nil {
		return models.Batch{}, fmt.Errorf("vae: %w", err)
	}
	out := models.Batch{B: count, T: g.shape.frames, F: g.shape.bins, Labels: labels}
	out.Data = make([]float32, 0, count*out.T*out.F)
	err = g.blender.Each(count, func(m *nn.Machine, lo, hi int) error {
		if err := ctx.Err(); err != nil {
			return err
		}
		if err := m.Run(nn.Values(inLatent, latents[lo*width:hi*width]), nn.Labels(inFrom, a[lo:hi]), nn.Labels(inTo, b[lo:hi]),
			nn.Values(inKeep, keep[lo:hi]), nn.Values(inChange, change[lo:hi])); err != nil {
			return err
		}
		out.Data = append(out.Data, m.Output(outClips)...)
		return nil
	})
	if err != nil {
		return models.Batch{}, fmt.Errorf("vae: %w", err)
	}
	limit(out.Data)
	g.addNoise(out, r)
	return out, nil
}
