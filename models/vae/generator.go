package vae

import (
	"context"
	"fmt"
	"slices"

	"wavemill/models"
	"wavemill/models/internal/latent"
	"wavemill/models/nn"
)

// A Generator draws clips, and encodes and decodes them. It is safe for concurrent use.
type Generator struct {
	config           Config
	shape            shape
	prior            *prior
	flow             *flow // draws instead of prior, unless nil
	texture          *texture
	encoder, decoder *nn.Predictor
	blender          *nn.Predictor
}

var _ models.Autoencoder = (*Generator)(nil)

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
	p, err := openPrior(c, config.priors(s), config.Latent)
	if err != nil {
		return nil, err
	}
	params := nn.NewParams(c.Seed)
	if err := params.Import(prefixModel, arrays(c.Tensors)); err != nil {
		return nil, fmt.Errorf("vae: %w", err)
	}
	g := &Generator{config: config, shape: s, prior: p}
	if g.texture, err = openTexture(c, s); err != nil {
		return nil, err
	}
	if config.Prior == PriorFlow {
		if g.flow, err = openFlow(c, config, s.labels); err != nil {
			return nil, err
		}
	}
	g.encoder, err = nn.NewPredictor(params.Seal(), func(n *nn.Graph, batch int) {
		mean, logVar := encoder(n, n.Input(inClips, batch, s.frames, s.bins, 1), config)
		n.Output(outMean, mean)
		n.Output(outLogVar, logVar)
	})
	if err != nil {
		return nil, fmt.Errorf("vae: %w", err)
	}
	g.decoder, err = nn.NewPredictor(params, func(n *nn.Graph, batch int) {
		z := n.Input(inLatent, batch, config.Latent)
		n.Output(outClips, decoder(n, z, n.Input(inLabels, batch), s, config))
	})
	if err != nil {
		return nil, fmt.Errorf("vae: %w", err)
	}
	if g.blender, err = newBlender(params, s, config); err != nil {
		return nil, err
	}
	return g, nil
}

// Generate implements models.Generator.
func (g *Generator) Generate(ctx context.Context, r models.Request) (models.Batch, error) {
	if err := r.Validate(g.shape.labels); err != nil {
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
	return out, nil
}

// temperature returns that of a request: its own, or the model's default.
func (g *Generator) temperature(r models.Request) float64 {
	if r.Temperature == 0 {
		return g.config.Temperature
	}
	return r.Temperature
}

// addNoise adds the residual noise of r's seeds to the clips of out and limits their values.
func (g *Generator) addNoise(out models.Batch, r models.Request) {
	if g.config.Texture == 0 {
		return
	}
	fft := newTransform2D(out.T, out.F)
	for i := range out.B {
		g.texture.add(out.Clip(i), latent.Stream{Seed: r.Seeds[i]}.Residual(), g.config.Texture*g.temperature(r), fft)
		limit(out.Clip(i))
	}
}

// Latent implements models.Autoencoder.
func (g *Generator) Latent() int { return g.config.Latent }

// Decode implements models.Autoencoder.
func (g *Generator) Decode(ctx context.Context, latents []float32, labels []int) (models.Batch, error) {
	out := models.Batch{B: len(labels), T: g.shape.frames, F: g.shape.bins, Labels: slices.Clone(labels)}
	width := g.config.Latent
	if err := models.ValidateLabels(labels, g.shape.labels); err != nil {
		return models.Batch{}, fmt.Errorf("vae: %w", err)
	}
	if len(latents) != out.B*width {
		return models.Batch{}, fmt.Errorf("vae: %d latents for %d clips; a clip has %d", len(latents), out.B, width)
	}
	out.Data = make([]float32, 0, out.B*out.T*out.F)
	err := g.decoder.Each(out.B, func(m *nn.Machine, lo, hi int) error {
		if err := ctx.Err(); err != nil {
			return err
		}
		if err := m.Run(nn.Values(inLatent, latents[lo*width:hi*width]), nn.Labels(inLabels, labels[lo:hi])); err != nil {
			return err
		}
		out.Data = append(out.Data, m.Output(outClips)...)
		return nil
	})
	if err != nil {
		return models.Batch{}, fmt.Errorf("vae: %w", err)
	}
	limit(out.Data)
	return out, nil
}

// limit keeps x within [-1, 1]: a Gaussian has no limits, a spectrogram has.
func limit(x []float32) {
	for i, v := range x {
		x[i] = min(max(v, -1), 1)
	}
}

// Encode implements models.Autoencoder.
func (g *Generator) Encode(ctx context.Context, x models.Batch) (mean, logVar []float32, err error) {
	if x.T != g.shape.frames || x.F != g.shape.bins || len(x.Data) != x.B*x.T*x.F {
		return nil, nil, fmt.Errorf("vae: %d values of clips [%d, %d]; the model is for [%d, %d]", len(x.Data), x.T, x.F, g.shape.frames, g.shape.bins)
	}
	clip := x.T * x.F
	err = g.encoder.Each(x.B, func(m *nn.Machine, lo, hi int) error {
		if err := ctx.Err(); err != nil {
			return err
		}
		if err := m.Run(nn.Values(inClips, x.Data[lo*clip:hi*clip])); err != nil {
			return err
		}
		mean = append(mean, m.Output(outMean)...)
		logVar = append(logVar, m.Output(outLogVar)...)
		return nil
	})
	if err != nil {
		return nil, nil, fmt.Errorf("vae: %w", err)
	}
	return mean, logVar, nil
}
