package gan

import (
	"context"
	"fmt"
	"slices"

	"wavemill/models"
	"wavemill/models/internal/blend"
	"wavemill/models/internal/latent"
	"wavemill/models/internal/predict"
	"wavemill/models/internal/shape"
	"wavemill/models/internal/state"
	"wavemill/models/nn"
)

// A Generator draws clips. It implements models.Blender and is safe for concurrent use.
type Generator struct {
	config    Config
	shape     shape.Shape
	predictor *nn.Predictor
	blender   blend.Decoder
	prior     mixture
}

var _ models.Blender = (*Generator)(nil)

// Open returns the generator of a checkpoint.
func Open(c models.Checkpoint) (models.Generator, error) { return open(c) }

func open(c models.Checkpoint) (*Generator, error) {
	h, err := state.Read(Arch, ParseConfig, c)
	if err != nil {
		return nil, err
	}
	g := &Generator{config: h.Config, shape: h.Shape}
	p, err := generatorParams(c)
	if err != nil {
		return nil, fmt.Errorf("gan: %w", err)
	}
	if g.predictor, err = nn.NewPredictor(p, generatorGraph(g.shape, g.config)); err != nil {
		return nil, fmt.Errorf("gan: %w", err)
	}
	if g.blender, err = newBlender(p, g.shape, g.config); err != nil {
		return nil, fmt.Errorf("gan: %w", err)
	}
	if g.prior, err = openMixture(c, g.shape, g.config); err != nil {
		return nil, fmt.Errorf("gan: modes: %w", err)
	}
	return g, nil
}

// generatorGraph returns what adds the generator with its inputs and output to a graph.
func generatorGraph(s shape.Shape, c Config) func(n *nn.Graph, batch int) {
	return func(n *nn.Graph, batch int) {
		labels := n.Input(inLabels, batch)
		n.Output(outClips, generator(n, n.Input(inLatent, batch, c.Latent), labels, correction(n, labels, s, c), s, c))
	}
}

// Generate implements models.Generator.
func (g *Generator) Generate(ctx context.Context, r models.Request) (models.Batch, error) {
	if err := r.Validate(g.shape.Labels); err != nil {
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
	out := g.shape.Batch(slices.Clone(labels))
	var z []float32
	var err error
	out.Data, err = predict.Append(ctx, g.predictor, out.Data, outClips, out.B, func(lo, hi int) []nn.Feed {
		z = g.draw(z[:0], labels[lo:hi], streams[lo:hi], temperature)
		return []nn.Feed{nn.Values(inLatent, z), nn.Labels(inLabels, labels[lo:hi])}
	})
	if err != nil {
		return models.Batch{}, fmt.Errorf("gan: %w", err)
	}
	return out, nil
}
