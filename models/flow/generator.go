package flow

import (
	"context"
	"fmt"
	"slices"

	"wavemill/models"
	"wavemill/models/gan"
	"wavemill/models/internal/latent"
	"wavemill/models/internal/predict"
	"wavemill/models/internal/shape"
	"wavemill/models/internal/state"
	"wavemill/models/nn"
)

// A Generator draws clips, and encodes and decodes them. It is safe for concurrent use. Its latents are the map
// [T/8, F/8, C], flattened; the label has its effect on how they are drawn, not on how they are decoded.
type Generator struct {
	config                    Config
	shape                     shape.Shape
	weights                   weights
	mean, deviation           []float32 // [C], of the latents
	labelMean                 []float32 // [labels, Z]
	encoder, decoder, sampler *nn.Predictor
}

var (
	_ models.Autoencoder = (*Generator)(nil)
	_ models.Blender     = (*Generator)(nil)
	_ models.Stepper     = (*Generator)(nil)
)

// Open returns the generator of a checkpoint.
func Open(c models.Checkpoint) (models.Generator, error) {
	g, err := read(c)
	if err != nil {
		return nil, err
	}
	g.labelMean = make([]float32, g.shape.Labels*g.Latent())
	if err := readTensor(c, tensorLabelMean, g.labelMean); err != nil {
		return nil, wrap(err)
	}
	if g.encoder, err = nn.NewPredictor(g.weights.coder, encoderGraph(g.shape, g.config)); err != nil {
		return nil, wrap(err)
	}
	if g.decoder, err = nn.NewPredictor(g.weights.coder, decoderGraph(g.shape, g.config)); err != nil {
		return nil, wrap(err)
	}
	return g, g.setSampler()
}

// weights are the averaged weights of a checkpoint.
type weights struct{ coder, flow *nn.Params }

// read returns a generator with what a checkpoint holds, without its predictors and label means.
func read(c models.Checkpoint) (*Generator, error) {
	h, err := state.Read(Arch, ParseConfig, c)
	if err != nil {
		return nil, err
	}
	g := &Generator{config: h.Config, shape: h.Shape, mean: make([]float32, h.Config.Latent)}
	variance := make([]float32, h.Config.Latent)
	if err := readTensor(c, tensorMean, g.mean); err != nil {
		return nil, wrap(err)
	}
	if err := readTensor(c, tensorVariance, variance); err != nil {
		return nil, wrap(err)
	}
	g.deviation = deviation(variance)
	if g.weights.coder, err = state.Params(c, prefixModel); err != nil {
		return nil, wrap(err)
	}
	g.weights.flow, err = state.Params(c, prefixFlow)
	return g, wrap(err)
}

// setSampler makes the predictor of the way from noise to latents for the configured steps.
func (g *Generator) setSampler() error {
	s, err := newSampler(g.config, g.shape, g.mean, g.deviation)
	if err != nil {
		return err
	}
	g.sampler, err = nn.NewPredictor(g.weights.flow, s.graph())
	return wrap(err)
}

// WithSteps implements models.Stepper. Steps are 1, 2, 4, 8 or 16.
func (g *Generator) WithSteps(steps int) (models.Generator, error) {
	if !slices.Contains(stepCounts(), steps) {
		return nil, fmt.Errorf("flow: %d steps: a clip is generated in one of %d", steps, stepCounts())
	}
	other := *g
	other.config.Steps = steps
	return &other, other.setSampler()
}

// OpenDiscriminator returns the discriminator of a checkpoint. In the first phase of training there is none:
// models.ErrNoDiscriminator.
func OpenDiscriminator(c models.Checkpoint) (models.Discriminator, error) {
	h, err := state.Read(Arch, ParseConfig, c)
	if err != nil {
		return nil, err
	}
	if !state.Has(c.Tensors, prefixDiscriminator) {
		return nil, fmt.Errorf("flow: %w: its training ended before the second phase", models.ErrNoDiscriminator)
	}
	return gan.NewDiscriminator(c, h.Config.discriminator(), prefixDiscriminator)
}

// Generate implements models.Generator.
func (g *Generator) Generate(ctx context.Context, r models.Request) (models.Batch, error) {
	z, err := g.draw(ctx, r)
	if err != nil {
		return models.Batch{}, err
	}
	return g.Decode(ctx, z, r.Labels)
}

// Draw implements models.Blender. The latents of one seed begin as the same noise under all labels.
func (g *Generator) Draw(r models.Request) ([]float32, error) { return g.draw(context.Background(), r) }

// draw returns the latents of the clips of r, [B, Z].
func (g *Generator) draw(ctx context.Context, r models.Request) ([]float32, error) {
	if err := r.Validate(g.shape.Labels); err != nil {
		return nil, wrap(err)
	}
	temperature, width := r.Temperature, g.Latent()
	if temperature == 0 {
		temperature = g.config.Temperature
	}
	noise := make([]float32, 0, len(r.Labels)*width)
	for _, stream := range latent.Of(r.Seeds) {
		rng := stream.Prior()
		for range width {
			noise = append(noise, float32(temperature*rng.NormFloat64()))
		}
	}
	z, err := predict.Append(ctx, g.sampler, make([]float32, 0, len(noise)), outLatents, len(r.Labels), func(lo, hi int) []nn.Feed {
		return []nn.Feed{nn.Values(inNoise, noise[lo*width:hi*width]), nn.Labels(inLabels, r.Labels[lo:hi])}
	})
	return z, wrap(err)
}

// Latent implements models.Autoencoder.
func (g *Generator) Latent() int { return g.config.grid(g.shape.Frames, g.shape.Bins).size() }

// Decode implements models.Autoencoder. The decoder does not look at labels.
func (g *Generator) Decode(ctx context.Context, latents []float32, labels []int) (models.Batch, error) {
	if err := models.ValidateLabels(labels, g.shape.Labels); err != nil {
		return models.Batch{}, wrap(err)
	}
	out, width := g.shape.Batch(slices.Clone(labels)), g.Latent()
	if len(latents) != out.B*width {
		return models.Batch{}, fmt.Errorf("flow: %d latents for %d clips; a clip has %d", len(latents), out.B, width)
	}
	var err error
	out.Data, err = predict.Append(ctx, g.decoder, out.Data, outClips, out.B, func(lo, hi int) []nn.Feed {
		return []nn.Feed{nn.Values(inLatent, latents[lo*width:hi*width])}
	})
	if err != nil {
		return models.Batch{}, wrap(err)
	}
	for i, v := range out.Data {
		out.Data[i] = min(max(v, -1), 1)
	}
	return out, nil
}

// Encode implements models.Autoencoder.
func (g *Generator) Encode(ctx context.Context, x models.Batch) (mean, logVar []float32, err error) {
	if err := g.shape.CheckClips(x); err != nil {
		return nil, nil, wrap(err)
	}
	size := g.shape.Size()
	feeds := func(lo, hi int) []nn.Feed { return []nn.Feed{nn.Values(inClips, x.Data[lo*size:hi*size])} }
	err = predict.Each(ctx, g.encoder, x.B, feeds, func(m *nn.Machine) {
		mean = append(mean, m.Output(outMean)...)
		logVar = append(logVar, m.Output(outLogVar)...)
	})
	if err != nil {
		return nil, nil, wrap(err)
	}
	return mean, logVar, nil
}

// LabelMean implements models.Blender: the mean latents of the label's training clips.
func (g *Generator) LabelMean(label int) ([]float32, error) {
	if err := models.ValidateLabels([]int{label}, g.shape.Labels); err != nil {
		return nil, wrap(err)
	}
	width := g.Latent()
	return slices.Clone(g.labelMean[label*width : (label+1)*width]), nil
}

// Blend implements models.Blender. Between two labels, the latents alone decide.
func (g *Generator) Blend(ctx context.Context, latents []float32, a, b []int, weight []float64, r models.Request) (models.Batch, error) {
	_, _, nearer, err := models.BlendShares(g.shape.Labels, g.Latent(), latents, a, b, weight, r)
	if err != nil {
		return models.Batch{}, wrap(err)
	}
	return g.Decode(ctx, latents, nearer)
}
