package gan

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

// newBlender returns the generator for clips between two labels.
func newBlender(p *nn.Params, s shape, c Config) (*nn.Predictor, error) {
	q, err := nn.NewPredictor(p, func(n *nn.Graph, batch int) {
		g := n.Scope("generator")
		e := n.Input(inLatent, batch, c.Latent)
		var mended *nn.Tensor
		if !c.Unconditional {
			from, to, keep, change := n.Input(inFrom, batch), n.Input(inTo, batch), n.Input(inKeep, batch), n.Input(inChange, batch)
			mix := func(a, b *nn.Tensor) *nn.Tensor { return n.Add(n.MulRows(a, keep), n.MulRows(b, change)) }
			e = n.Concat(e, mix(g.Embedding("label", from, s.labels, c.Embedding), g.Reuse().Embedding("label", to, s.labels, c.Embedding))) // [B, Z + E]
			if c.corrects() {
				mended = mix(correction(n, from, s, c), correction(n.Reuse(), to, s, c))
			}
		}
		n.Output(outClips, generateAs(g, e, mended, s, c))
	})
	if err != nil {
		return nil, fmt.Errorf("gan: %w", err)
	}
	return q, nil
}

// Latent implements models.Blender.
func (g *Generator) Latent() int { return g.config.Latent }

// Draw implements models.Blender. Where labels have no modes, the latents of one seed are the same under all labels.
func (g *Generator) Draw(r models.Request) ([]float32, error) {
	if err := r.Validate(g.shape.labels); err != nil {
		return nil, fmt.Errorf("gan: %w", err)
	}
	z := make([]float32, 0, len(r.Labels)*g.config.Latent)
	return g.draw(z, r.Labels, latent.Of(r.Seeds), g.temperature(r)), nil
}

// LabelMean implements models.Blender.
func (g *Generator) LabelMean(label int) ([]float32, error) {
	if err := models.ValidateLabels([]int{label}, g.shape.labels); err != nil {
		return nil, fmt.Errorf("gan: %w", err)
	}
	return latent.Mean(g.config.Latent, func(streams []latent.Stream) ([]float32, error) {
		return g.draw(nil, slices.Repeat([]int{label}, len(streams)), streams, g.config.Temperature), nil
	})
}

// draw appends latents of labels [B], drawn with the streams [B], to dst.
func (g *Generator) draw(dst []float32, labels []int, streams []latent.Stream, temperature float64) []float32 {
	for i, label := range labels {
		dst = g.latents.draw(dst, label, streams[i].Prior(), temperature)
	}
	return dst
}

// Blend implements models.Blender. An unconditional model makes the same clip whatever the labels.
func (g *Generator) Blend(ctx context.Context, latents []float32, a, b []int, weight []float64, r models.Request) (models.Batch, error) {
	count, width := len(weight), g.config.Latent
	keep, change, labels, err := models.BlendShares(g.shape.labels, width, latents, a, b, weight, r)
	if err != nil {
		return models.Batch{}, fmt.Errorf("gan: %w", err)
	}
	out := models.Batch{B: count, T: g.shape.frames, F: g.shape.bins, Labels: labels}
	out.Data = make([]float32, 0, count*out.T*out.F)
	err = g.blender.Each(count, func(m *nn.Machine, lo, hi int) error {
		if err := ctx.Err(); err != nil {
			return err
		}
		feeds := []nn.Feed{nn.Values(inLatent, latents[lo*width:hi*width])}
		if !g.config.Unconditional {
			feeds = append(feeds, nn.Labels(inFrom, a[lo:hi]), nn.Labels(inTo, b[lo:hi]), nn.Values(inKeep, keep[lo:hi]), nn.Values(inChange, change[lo:hi]))
		}
		if err := m.Run(feeds...); err != nil {
			return err
		}
		out.Data = append(out.Data, m.Output(outClips)...)
		return nil
	})
	if err != nil {
		return models.Batch{}, fmt.Errorf("gan: %w", err)
	}
	return out, nil
}
