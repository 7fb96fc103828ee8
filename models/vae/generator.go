package vae

import (
	"context"
	"fmt"
	"slices"

	"wavemill/models"
	"wavemill/models/nn"
)

// A Generator draws clips. It implements models.Generator and is safe for concurrent use.
type Generator struct {
	config  Config
	shape   shape
	prior   *prior
	decoder *nn.Predictor
}

var _ models.Generator = (*Generator)(nil)

// Open returns the generator of a checkpoint.
func Open(c models.Checkpoint) (models.Generator, error) {
	if c.Arch != Arch {
		return nil, fmt.Errorf("vae: the checkpoint is of architecture %q", c.Arch)
	}
	config, err := ParseConfig(c.Config)
	if err != nil {
		return nil, err
	}
	s, err := shapeOf(c.FrontEnd, c.Labels)
	if err != nil {
		return nil, err
	}
	p, err := openPrior(c, s.labels, config.Latent)
	if err != nil {
		return nil, err
	}
	params := nn.NewParams(c.Seed)
	if err := params.Import(prefixModel, arrays(c.Tensors)); err != nil {
		return nil, fmt.Errorf("vae: %w", err)
	}
	g := &Generator{config: config, shape: s, prior: p}
	g.decoder, err = nn.NewPredictor(params.Seal(), func(n *nn.Graph, batch int) {
		z := n.Input(inLatent, batch, config.Latent)
		n.Output(outClips, decoder(n, z, n.Input(inLabels, batch), s, config))
	})
	if err != nil {
		return nil, fmt.Errorf("vae: %w", err)
	}
	return g, nil
}

// Generate implements models.Generator.
func (g *Generator) Generate(ctx context.Context, r models.Request) (models.Batch, error) {
	out := models.Batch{B: len(r.Labels), T: g.shape.frames, F: g.shape.bins, Labels: slices.Clone(r.Labels)}
	if err := r.Validate(g.shape.labels); err != nil {
		return models.Batch{}, fmt.Errorf("vae: %w", err)
	}
	t := r.Temperature
	if t == 0 {
		t = g.config.Temperature
	}
	out.Data = make([]float32, 0, out.B*out.T*out.F)
	var z []float32
	err := g.decoder.Each(out.B, func(m *nn.Machine, lo, hi int) error {
		if err := ctx.Err(); err != nil {
			return err
		}
		z = z[:0]
		for i, l := range r.Labels[lo:hi] {
			z = g.prior.draw(z, l, r.Seed, r.First+lo+i, t)
		}
		if err := m.Run(nn.Values(inLatent, z), nn.Labels(inLabels, r.Labels[lo:hi])); err != nil {
			return err
		}
		for _, v := range m.Output(outClips) { // a Gaussian's mean has no limits, a spectrogram has
			out.Data = append(out.Data, min(max(v, -1), 1))
		}
		return nil
	})
	if err != nil {
		return models.Batch{}, fmt.Errorf("vae: %w", err)
	}
	return out, nil
}
