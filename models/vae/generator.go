package vae

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

// A Generator draws clips, and encodes and decodes them. It is safe for concurrent use.
type Generator struct {
	config           Config
	shape            shape.Shape
	prior            *prior
	flow             *flow // draws instead of prior, unless nil
	residual         *residualNoise
	marks            *marker
	image            int // bins of the stereo image at the end of a frame; they get no residual noise
	encoder, decoder *nn.Predictor
	blender          blend.Decoder
}

var (
	_ models.Autoencoder = (*Generator)(nil)
	_ models.Blender     = (*Generator)(nil)
)

// Open returns the generator of a checkpoint.
func Open(c models.Checkpoint) (models.Generator, error) {
	h, err := state.Read(Arch, ParseConfig, c)
	if err != nil {
		return nil, err
	}
	spectra := h.FrontEnd.Spectrogram
	g := &Generator{config: h.Config, shape: h.Shape, marks: newMarker(h.Config, spectra.Marks()+spectra.Image()), image: spectra.Image()}
	if g.prior, err = openPrior(c, g.config.priors(g.shape), g.config.Latent); err != nil {
		return nil, err
	}
	if g.residual, err = openResidualNoise(c, g.shape); err != nil {
		return nil, err
	}
	if g.config.Prior == PriorFlow {
		if g.flow, err = openFlow(c, g.config, g.shape.Labels); err != nil {
			return nil, err
		}
	}
	params, err := state.Params(c, prefixModel)
	if err != nil {
		return nil, fmt.Errorf("vae: %w", err)
	}
	if err := g.build(params); err != nil {
		return nil, fmt.Errorf("vae: %w", err)
	}
	return g, nil
}

// build makes the predictors of the networks.
func (g *Generator) build(p *nn.Params) error {
	var err error
	if g.encoder, err = nn.NewPredictor(p, encoderGraph(g.shape, g.config)); err != nil {
		return err
	}
	if g.decoder, err = nn.NewPredictor(p, decoderGraph(g.shape, g.config)); err != nil {
		return err
	}
	g.blender, err = newBlender(p, g.shape, g.config)
	return err
}

// encoderGraph returns what adds the encoder with its inputs and outputs to a graph.
func encoderGraph(s shape.Shape, c Config) func(n *nn.Graph, batch int) {
	return func(n *nn.Graph, batch int) {
		mean, logVar := encoder(n, n.Input(inClips, batch, s.Frames, s.Bins, 1), c)
		n.Output(outMean, mean)
		n.Output(outLogVar, logVar)
	}
}

// decoderGraph returns what adds the decoder with its inputs and output to a graph.
func decoderGraph(s shape.Shape, c Config) func(n *nn.Graph, batch int) {
	return func(n *nn.Graph, batch int) {
		z := n.Input(inLatent, batch, c.Latent)
		n.Output(outClips, decoder(n, z, n.Input(inLabels, batch), s, c))
	}
}

// Generate implements models.Generator.
func (g *Generator) Generate(ctx context.Context, r models.Request) (models.Batch, error) {
	if err := r.Validate(g.shape.Labels); err != nil {
		return models.Batch{}, fmt.Errorf("vae: %w", err)
	}
	z, err := g.draw(ctx, r.Labels, latent.Of(r.Seeds), g.temperature(r))
	if err != nil {
		return models.Batch{}, err
	}
	out, err := g.Decode(ctx, z, r.Labels)
	if err != nil {
		return models.Batch{}, err
	}
	g.addNoise(out, r)
	return out, g.setMarks(ctx, out, r)
}

// temperature returns the temperature of a request: its own, or the model's default.
func (g *Generator) temperature(r models.Request) float64 {
	if r.Temperature == 0 {
		return g.config.Temperature
	}
	return r.Temperature
}

// addNoise adds the residual noise of r's seeds to the levels of the clips of out and limits their values.
func (g *Generator) addNoise(out models.Batch, r models.Request) {
	if g.config.ResidualNoise == 0 {
		return
	}
	fft := newTransform2D(out.T, out.F)
	for i := range out.B {
		image := lastBins(out.Clip(i), out.F, g.image)
		g.residual.add(out.Clip(i), latent.Stream{Seed: r.Seeds[i]}.Residual(), g.config.ResidualNoise*g.temperature(r), fft)
		setLastBins(out.Clip(i), out.F, image, g.image)
		limit(out.Clip(i))
	}
}

// Latent implements models.Autoencoder.
func (g *Generator) Latent() int { return g.config.Latent }

// Decode implements models.Autoencoder. It adds no residual noise.
func (g *Generator) Decode(ctx context.Context, latents []float32, labels []int) (models.Batch, error) {
	if err := models.ValidateLabels(labels, g.shape.Labels); err != nil {
		return models.Batch{}, fmt.Errorf("vae: %w", err)
	}
	out, width := g.shape.Batch(slices.Clone(labels)), g.config.Latent
	if len(latents) != out.B*width {
		return models.Batch{}, fmt.Errorf("vae: %d latents for %d clips; a clip has %d", len(latents), out.B, width)
	}
	var err error
	out.Data, err = predict.Append(ctx, g.decoder, out.Data, outClips, out.B, func(lo, hi int) []nn.Feed {
		return []nn.Feed{nn.Values(inLatent, latents[lo*width:hi*width]), nn.Labels(inLabels, labels[lo:hi])}
	})
	if err != nil {
		return models.Batch{}, fmt.Errorf("vae: %w", err)
	}
	limit(out.Data)
	return out, nil
}

// limit clamps x to [-1, 1], the range of a spectrogram, which a Gaussian leaves.
func limit(x []float32) {
	for i, v := range x {
		x[i] = min(max(v, -1), 1)
	}
}

// Encode implements models.Autoencoder.
func (g *Generator) Encode(ctx context.Context, x models.Batch) (mean, logVar []float32, err error) {
	if err := g.shape.CheckClips(x); err != nil {
		return nil, nil, fmt.Errorf("vae: %w", err)
	}
	size := g.shape.Size()
	feeds := func(lo, hi int) []nn.Feed { return []nn.Feed{nn.Values(inClips, x.Data[lo*size:hi*size])} }
	err = predict.Each(ctx, g.encoder, x.B, feeds, func(m *nn.Machine) {
		mean = append(mean, m.Output(outMean)...)
		logVar = append(logVar, m.Output(outLogVar)...)
	})
	if err != nil {
		return nil, nil, fmt.Errorf("vae: %w", err)
	}
	return mean, logVar, nil
}
