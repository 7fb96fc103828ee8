package vaegan

import (
	"context"
	"math"
	"math/rand/v2"

	"wavemill/models"
	"wavemill/models/gan"
	"wavemill/models/internal/compiled"
	"wavemill/models/internal/shape"
	"wavemill/models/internal/state"
	"wavemill/models/nn"
	"wavemill/models/vae"
)

// finetuning is the second phase of the training: the decoder against a discriminator.
type finetuning struct {
	*gan.Sharpening
	config  Config
	shape   shape.Shape
	levels  int  // bins of a frame that hold levels
	aligned bool // whether attacks are, see vae.Vary
	parts   vae.Parts
	graphs  *compiled.Cache
	latents *latents

	z, varied []float32 // memory that steps use again
}

// newFinetuning starts from the given weights of an autoencoder, which it copies.
func newFinetuning(h state.Header[Config], weights *nn.Params) (*finetuning, error) {
	c, graphs := h.Config, compiled.New()
	parts, err := vae.NewParts(c.VAE, h.FrontEnd, h.Labels)
	if err != nil {
		return nil, err
	}
	d := c.discriminator()
	d.Labels = h.Shape.Labels
	coder := state.Optimised{Params: weights.Clone(), Model: prefixModel, Weights: prefixWeights, Optimizer: prefixAdam}
	g, err := gan.NewSharpening(gan.SharpeningConfig{
		Discriminator: d, Augment: c.Augment, Frames: h.Shape.Frames, Bins: h.Shape.Bins, Seed: h.Seed,
		DecoderRate: c.DecoderRate, DiscriminatorRate: c.DiscriminatorRate, FinalRate: c.FinalRate, Average: c.Average,
		Adversarial: c.Adversarial, Matching: c.Matching, L1: c.L1,
	}, coder, func(n *nn.Graph, batch int) *nn.Tensor {
		return parts.Decoder(n, n.Input(inLatent, batch, c.VAE.Latent), n.Input(inMade, batch))
	}, graphs)
	return &finetuning{
		Sharpening: g, config: c, shape: h.Shape, levels: h.FrontEnd.Spectrogram.Levels(), aligned: h.FrontEnd.Spectrogram.Marks() > 0, parts: parts, graphs: graphs, latents: newLatents(h.Shape.Labels, c.VAE.Latent),
	}, err
}

// Names of the inputs, outputs and losses of the graphs.
const (
	inReal    = "real"    // [B, T, F, 1]
	inLatent  = "latents" // [B, Z]
	inLabels  = "labels"  // [B]
	inMade    = "made as" // [B]: labels of decoded clips
	outMean   = "mean"    // [B, Z]
	outLogVar = "log variance"

	lossL1  = "l1"
	lossMSE = "mse"
)

func (s *finetuning) clips(n *nn.Graph, name string, batch int) *nn.Tensor {
	return n.Input(name, batch, s.shape.Frames, s.shape.Bins, 1)
}

func (s *finetuning) step(ctx context.Context, x models.Batch, rng *rand.Rand) (models.Losses, error) {
	if err := s.shape.Check(ctx, x); err != nil {
		return nil, err
	}
	if v := s.config.VAE.Vary; v > 0 {
		s.varied = vae.Vary(s.varied, x, s.levels, s.aligned, v, rng)
		x.Data = s.varied
	}
	if err := s.encode(x, rng); err != nil {
		return nil, err
	}
	losses := models.Losses{}
	return losses, s.Step(x, []nn.Feed{nn.Values(inLatent, s.z), nn.Labels(inMade, x.Labels)}, rng, losses)
}

// encode sets z to latents for the batch: for its first half samples of the posterior, for the others draws from the
// latents of their label.
func (s *finetuning) encode(x models.Batch, rng *rand.Rand) error {
	m, err := s.graphs.Get("encode", x.B, nn.Eval, s.Decoder.Params, func(n *nn.Graph) *nn.Tensor {
		mean, logVar := s.parts.Encoder(n, s.clips(n, inReal, x.B))
		n.Output(outMean, mean)
		n.Output(outLogVar, logVar)
		return nil
	})
	if err != nil {
		return err
	}
	if err := m.Run(nn.Values(inReal, x.Data)); err != nil {
		return err
	}
	mean, logVar := m.Output(outMean), m.Output(outLogVar)
	width := s.config.VAE.Latent
	for i, label := range x.Labels {
		s.latents.observe(label, mean[i*width:(i+1)*width])
	}
	s.z = s.z[:0]
	for i := range gan.Half(x.B) * width {
		s.z = append(s.z, mean[i]+float32(math.Exp(float64(logVar[i])/2)*rng.NormFloat64()))
	}
	for i := gan.Half(x.B); i < x.B; i++ {
		s.z = s.latents.drawAs(s.z, x.Labels[i], mean[i*width:(i+1)*width], s.config.VAE, rng)
	}
	return nil
}

// eval returns the error of reconstructions by the averaged decoder from the posterior's mean.
func (s *finetuning) eval(ctx context.Context, x models.Batch) (models.Losses, error) {
	if err := s.shape.Check(ctx, x); err != nil {
		return nil, err
	}
	m, err := s.graphs.Get("eval", x.B, nn.Eval, s.Decoder.Average(), func(n *nn.Graph) *nn.Tensor {
		real := s.clips(n, inReal, x.B)
		mean, _ := s.parts.Encoder(n, real)
		y := s.parts.Decoder(n, mean, n.Input(inLabels, x.B))
		n.Loss(lossMSE, n.MSE(y, real))
		n.Loss(lossL1, n.L1(y, real))
		return nil
	})
	if err != nil {
		return nil, err
	}
	if err := m.Run(nn.Values(inReal, x.Data), nn.Labels(inLabels, x.Labels)); err != nil {
		return nil, err
	}
	return models.Losses{lossMSE: m.Loss(lossMSE), lossL1: m.Loss(lossL1)}, nil
}

func (s *finetuning) tensors() []models.Tensor {
	return append(s.latents.tensors(), s.Tensors(prefixDiscriminator, prefixAdamD)...)
}

func (s *finetuning) restore(c models.Checkpoint) error {
	if err := s.Restore(c, prefixDiscriminator, prefixAdamD); err != nil {
		return err
	}
	return s.latents.restore(c)
}
