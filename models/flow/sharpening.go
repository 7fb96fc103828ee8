package flow

import (
	"math/rand/v2"

	"wavemill/models"
	"wavemill/models/gan"
	"wavemill/models/internal/compiled"
	"wavemill/models/internal/shape"
	"wavemill/models/internal/state"
	"wavemill/models/nn"
)

// sharpening is the second phase of the training: the decoder against a discriminator, with clips of the flow as the half
// that is not reconstructed.
type sharpening struct {
	*gan.Sharpening
	config  Config
	shape   shape.Shape
	flow    *nn.Params // averaged
	sampler sampler
	graphs  *compiled.Cache

	noise, z []float32 // memory that steps use again
}

// newSharpening starts from the given weights of an autoencoder, which it copies, and samples with the averaged weights of
// the flow.
func newSharpening(h state.Header[Config], weights *nn.Params, f *matcher, graphs *compiled.Cache) (*sharpening, error) {
	c, s := h.Config, h.Shape
	p, err := f.sampler()
	if err != nil {
		return nil, err
	}
	d := c.discriminator()
	d.Labels = s.Labels
	coder := state.Optimised{Params: weights.Clone(), Model: prefixModel, Weights: prefixSharpWeights, Optimizer: prefixSharpAdam}
	g, err := gan.NewSharpening(gan.SharpeningConfig{
		Discriminator: d, Augment: c.Augment, Frames: s.Frames, Bins: s.Bins, Seed: h.Seed,
		DecoderRate: c.DecoderRate, DiscriminatorRate: c.DiscriminatorRate, FinalRate: c.FinalRate, Average: c.Average,
		Adversarial: c.Adversarial, Matching: c.Matching, L1: c.L1,
	}, coder, func(n *nn.Graph, batch int) *nn.Tensor {
		return decoder(n, n.Input(inLatent, batch, c.grid(s.Frames, s.Bins).size()), s, c)
	}, graphs)
	return &sharpening{Sharpening: g, config: c, shape: s, flow: f.weights.Average(), sampler: p, graphs: graphs}, err
}

// beginSecondPhase makes the discriminator and the optimisers of the second phase.
func (l *Learner) beginSecondPhase() error {
	s, err := newSharpening(l.header, l.coder.Average(), l.flow, l.graphs)
	if err != nil {
		return wrap(err)
	}
	l.second = s
	if l.scale > 0 {
		s.ScaleLR(l.scale)
	}
	s.SetTotalSteps(l.planned - l.first)
	return nil
}

// discriminator returns the discriminator of a configuration without its labels.
func (c Config) discriminator() gan.DiscriminatorNetwork {
	return gan.DiscriminatorNetwork{Channels: c.DiscriminatorChannels, SpectralNorm: true, Stddev: c.Stddev}
}

// step updates the discriminator and the decoder on clips x with latents z [B, Z] and these delays, and adds the losses.
func (s *sharpening) step(x models.Batch, z, delays []float32, rng *rand.Rand, losses models.Losses) error {
	h := gan.Half(x.B)
	s.z = append(s.z[:0], z[:h*len(z)/x.B]...)
	if h < x.B {
		if err := s.sample(x.Labels[h:], delays[h:], rng); err != nil {
			return err
		}
	}
	return s.Step(x, []nn.Feed{nn.Values(inLatent, s.z)}, rng, losses)
}

// sample appends latents that the flow generates to z.
func (s *sharpening) sample(labels []int, delays []float32, rng *rand.Rand) error {
	batch, width := len(labels), s.config.grid(s.shape.Frames, s.shape.Bins).size()
	m, err := s.graphs.Get("sample", batch, nn.Eval, s.flow, func(n *nn.Graph) *nn.Tensor {
		n.Output(outLatents, s.sampler.add(n, n.Input(inNoise, batch, width), n.Input(inLabels, batch), n.Input(inDelay, batch, 1)))
		return nil
	})
	if err != nil {
		return err
	}
	s.noise = s.noise[:0]
	for range batch * width {
		s.noise = append(s.noise, float32(s.config.Temperature*rng.NormFloat64()))
	}
	if err := m.Run(nn.Values(inNoise, s.noise), nn.Labels(inLabels, labels), nn.Values(inDelay, delays)); err != nil {
		return err
	}
	s.z = append(s.z, m.Output(outLatents)...)
	return nil
}
