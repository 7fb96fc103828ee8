package gan

import (
	"context"
	"fmt"
	"slices"

	"wavemill/models"
	"wavemill/models/nn"
)

// A Generator draws clips. It implements models.Generator and is safe for concurrent use.
type Generator struct {
	config    Config
	shape     shape
	predictor *nn.Predictor
	blender   *nn.Predictor
	latents   mixture
}

var _ models.Blender = (*Generator)(nil)

// Open returns the generator of a checkpoint.
func Open(c models.Checkpoint) (models.Generator, error) {
	if c.Arch != Arch {
		return nil, fmt.Errorf("gan: the checkpoint is of architecture %q", c.Arch)
	}
	config, err := ParseConfig(c.Config)
	if err != nil {
		return nil, err
	}
	s, err := shapeOf(c.FrontEnd, c.Labels)
	if err != nil {
		return nil, err
	}
	p := nn.NewParams(c.Seed)
	if err := importModel(p, c); err != nil {
		return nil, fmt.Errorf("gan: %w", err)
	}
	q, err := nn.NewPredictor(p.Seal(), func(n *nn.Graph, batch int) {
		labels := n.Input(inLabels, batch)
		n.Output(outClips, generator(n, n.Input(inLatent, batch, config.Latent), labels, correction(n, labels, s, config), s, config))
	})
	if err != nil {
		return nil, fmt.Errorf("gan: %w", err)
	}
	blender, err := newBlender(p, s, config)
	if err != nil {
		return nil, err
	}
	latents, err := openMixture(c, s, config)
	if err != nil {
		return nil, fmt.Errorf("gan: modes: %w", err)
	}
	return &Generator{config: config, shape: s, predictor: q, blender: blender, latents: latents}, nil
}

// Generate implements models.Generator.
func (g *Generator) Generate(ctx context.Context, r models.Request) (models.Batch, error) {
	out := models.Batch{B: len(r.Labels), T: g.shape.frames, F: g.shape.bins, Labels: slices.Clone(r.Labels)}
	for i, l := range r.Labels {
		if l < 0 || l >= g.shape.labels {
			return models.Batch{}, fmt.Errorf("gan: clip %d: label %d; the model knows 0 to %d", i, l, g.shape.labels-1)
		}
	}
	if r.First < 0 {
		return models.Batch{}, fmt.Errorf("gan: first clip %d; a series begins at 0", r.First)
	}
	t := r.Temperature
	if t == 0 {
		t = g.config.Temperature
	}
	if !(t > 0 && t <= 10) {
		return models.Batch{}, fmt.Errorf("gan: temperature %g is not between 0 and 10", t)
	}
	out.Data = make([]float32, 0, out.B*out.T*out.F)
	var z []float32
	err := g.predictor.Each(out.B, func(m *nn.Machine, lo, hi int) error {
		if err := ctx.Err(); err != nil {
			return err
		}
		z = z[:0]
		for i := lo; i < hi; i++ {
			z = g.latents.draw(z, r.Labels[i], r.Seed, r.First+i, t)
		}
		if err := m.Run(nn.Values(inLatent, z), nn.Labels(inLabels, r.Labels[lo:hi])); err != nil {
			return fmt.Errorf("gan: %w", err)
		}
		out.Data = append(out.Data, m.Output(outClips)...)
		return nil
	})
	if err != nil {
		return models.Batch{}, err
	}
	return out, nil
}
