package gan

import (
	"context"
	"fmt"
	"slices"

	"wavemill/models"
	"wavemill/models/internal/latent"
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
func Open(c models.Checkpoint) (models.Generator, error) { return open(c) }

func open(c models.Checkpoint) (*Generator, error) {
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
	if err := r.Validate(g.shape.labels); err != nil {
		return models.Batch{}, fmt.Errorf("gan: %w", err)
	}
	return g.generate(ctx, r.Labels, latent.Of(r.Seeds), g.temperature(r))
}

// temperature returns the temperature of a request: its own, or the model's default.
func (g *Generator) temperature(r models.Request) float64 {
	if r.Temperature == 0 {
		return g.config.Temperature
	}
	return r.Temperature
}

// generate makes clips of labels [B], drawn with the streams [B].
func (g *Generator) generate(ctx context.Context, labels []int, streams []latent.Stream, temperature float64) (models.Batch, error) {
	out := models.Batch{B: len(labels), T: g.shape.frames, F: g.shape.bins, Labels: slices.Clone(labels)}
	out.Data = make([]float32, 0, out.B*out.T*out.F)
	var z []float32
	err := g.predictor.Each(out.B, func(m *nn.Machine, lo, hi int) error {
		if err := ctx.Err(); err != nil {
			return err
		}
		z = g.draw(z[:0], labels[lo:hi], streams[lo:hi], temperature)
		if err := m.Run(nn.Values(inLatent, z), nn.Labels(inLabels, labels[lo:hi])); err != nil {
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
