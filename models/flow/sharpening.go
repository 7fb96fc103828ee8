package flow

import (
	"fmt"
	"math/rand/v2"

	"wavemill/models"
	"wavemill/models/gan"
	"wavemill/models/internal/compiled"
	"wavemill/models/internal/shape"
	"wavemill/models/internal/state"
	"wavemill/models/nn"
)

// sharpening is the second phase of the training: the decoder against a discriminator, as in package vaegan, with clips of
// the flow as the half that is not reconstructed.
type sharpening struct {
	config Config
	shape  shape.Shape

	decoder       state.Optimised // of all the autoencoder's weights, of which the decoder's are trained
	discriminator *nn.Params
	adamD         *nn.Adam // the discriminator's
	flow          *nn.Params
	sampler       sampler
	graphs        *compiled.Cache

	// Memory that steps use again.
	noise, z, fakes []float32
	twice           []int    // labels
	pair            gan.Pair // of the discriminator's update
	augment         gan.Draw // of the decoder's update
}

// newSharpening starts from the given weights of an autoencoder, which it copies, and samples with the averaged weights of
// the flow.
func newSharpening(h state.Header[Config], weights *nn.Params, f *matcher, graphs *compiled.Cache) (*sharpening, error) {
	c := h.Config
	p, err := f.sampler()
	if err != nil {
		return nil, err
	}
	s := &sharpening{
		config: c, shape: h.Shape, discriminator: nn.NewParams(h.Seed), flow: f.weights.Average(), sampler: p, graphs: graphs,
		decoder: state.Optimised{Params: weights.Clone(), Model: prefixModel, Weights: prefixSharpWeights, Optimizer: prefixSharpAdam},
	}
	n := nn.NewGraph(nn.Train, s.discriminator)
	s.network().ForBatch(2).Apply(n, s.clips(n, inReal, 2), n.Input(inLabels, 2), nil)
	if err := n.Err(); err != nil {
		return nil, err
	}
	s.decoder.Adam = nn.NewAdam(s.decoder.Params, nn.AdamConfig{Schedule: s.schedule(c.DecoderRate), Beta1: -1, Beta2: 0.9, EMA: c.Average, EMAWarmup: true})
	s.adamD = nn.NewAdam(s.discriminator, nn.AdamConfig{Schedule: s.schedule(c.DiscriminatorRate), Beta1: -1, Beta2: 0.9})
	return s, nil
}

// beginSecondPhase makes the discriminator and the optimisers of the second phase.
func (l *Learner) beginSecondPhase() error {
	s, err := newSharpening(l.header, l.coder.Average(), l.flow, l.graphs)
	if err != nil {
		return wrap(err)
	}
	l.second = s
	if l.scale > 0 {
		s.scaleLR(l.scale)
	}
	s.setTotalSteps(l.planned - l.first)
	return nil
}

func (s *sharpening) schedule(rate float64) nn.Schedule {
	return nn.Schedule{Rate: rate, Final: rate * s.config.FinalRate, Warmup: 50}
}

// setTotalSteps sets the planned number of steps of the second phase.
func (s *sharpening) setTotalSteps(steps int64) {
	s.decoder.Adam.SetTotalSteps(max(steps, 1))
	s.adamD.SetTotalSteps(max(steps, 1))
}

// scaleLR multiplies the learning rates.
func (s *sharpening) scaleLR(factor float64) {
	s.decoder.Adam.ScaleLR(factor)
	s.adamD.ScaleLR(factor)
}

// Names of the inputs and losses of the graphs.
const (
	inReal = "real" // [B, T, F, 1]
	inFake = "fake" // [B, T, F, 1]

	lossDecoder       = "decoder"
	lossDiscriminator = "discriminator"
	lossMatching      = "matching"
	lossL1            = "l1"
	meanReal          = "real score"
	meanFake          = "fake score"
)

// discriminator returns the discriminator of a configuration without its labels.
func (c Config) discriminator() gan.DiscriminatorNetwork {
	return gan.DiscriminatorNetwork{Channels: c.DiscriminatorChannels, SpectralNorm: true, Stddev: c.Stddev}
}

// network returns the discriminator.
func (s *sharpening) network() gan.DiscriminatorNetwork {
	d := s.config.discriminator()
	d.Labels = s.shape.Labels
	return d
}

func (s *sharpening) clips(n *nn.Graph, name string, batch int) *nn.Tensor {
	return n.Input(name, batch, s.shape.Frames, s.shape.Bins, 1)
}

// half returns how many clips of a batch are reconstructed; the others are generated.
func half(batch int) int { return (batch + 1) / 2 }

// step updates the discriminator and the decoder on clips x with latents z [B, Z] and these delays, and adds the losses.
func (s *sharpening) step(x models.Batch, z, delays []float32, rng *rand.Rand, losses models.Losses) error {
	h := half(x.B)
	s.z = append(s.z[:0], z[:h*len(z)/x.B]...)
	if h < x.B {
		if err := s.sample(x.Labels[h:], delays[h:], rng); err != nil {
			return fmt.Errorf("sampling: %w", err)
		}
	}
	if err := s.discriminatorStep(x, rng, losses); err != nil {
		return fmt.Errorf("discriminator: %w", err)
	}
	if err := s.decoderStep(x, rng, losses); err != nil {
		return fmt.Errorf("decoder: %w", err)
	}
	return nil
}

// sample appends latents that the flow generates to z.
func (s *sharpening) sample(labels []int, delays []float32, rng *rand.Rand) error {
	batch, width := len(labels), s.width()
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

// width returns the number of latents of a clip.
func (s *sharpening) width() int { return s.config.grid(s.shape.Frames, s.shape.Bins).size() }

// discriminatorStep updates the discriminator on recordings and on clips decoded from z.
func (s *sharpening) discriminatorStep(x models.Batch, rng *rand.Rand, losses models.Losses) error {
	made, err := s.graphs.Get("made", x.B, nn.Train, s.decoder.Params, func(n *nn.Graph) *nn.Tensor {
		n.Output(outClips, decoder(n.Frozen(), n.Input(inLatent, x.B, s.width()), s.shape, s.config))
		return nil
	})
	if err != nil {
		return err
	}
	if err := made.Run(nn.Values(inLatent, s.z)); err != nil {
		return err
	}
	s.fakes = append(s.fakes[:0], made.Output(outClips)...)
	m, err := s.graphs.Get("discriminator", x.B, nn.Train, s.discriminator, func(n *nn.Graph) *nn.Tensor {
		return s.discriminatorLoss(n, x.B)
	})
	if err != nil {
		return err
	}
	if err := m.Run(s.pair.Feeds(s.config.Augment, x, s.fakes, rng)...); err != nil {
		return err
	}
	losses[lossDiscriminator], losses[meanReal], losses[meanFake] = m.Loss(lossAll), m.Loss(meanReal), m.Loss(meanFake)
	if _, bad := losses.NonFinite(); bad {
		return nil // the trainer reports the loss; the weights are not changed
	}
	return s.adamD.Step(m)
}

// discriminatorLoss adds the hinge loss of the discriminator on batch recordings and as many decoded clips.
func (s *sharpening) discriminatorLoss(n *nn.Graph, batch int) *nn.Tensor {
	clips, labels := gan.AddPair(n, s.config.Augment, batch, s.shape.Frames, s.shape.Bins)
	score := s.network().ForBatch(batch).Apply(n, clips, labels, nil).Score
	r, f := n.Rows(score, 0, batch), n.Rows(score, batch, 2*batch)
	n.Loss(meanReal, n.Mean(r))
	n.Loss(meanFake, n.Mean(f))
	return n.Loss(lossAll, n.Add(n.HingeReal(r), n.HingeFake(f)))
}

// decoderStep updates the decoder through the frozen discriminator, which gets the decoded clips and, under the same
// augmentation, the recordings that were reconstructed.
func (s *sharpening) decoderStep(x models.Batch, rng *rand.Rand, losses models.Losses) error {
	h := half(x.B)
	m, err := s.graphs.Get("decoder", x.B, nn.Train, s.decoder.Params, func(n *nn.Graph) *nn.Tensor {
		return s.decoderLoss(n, x.B)
	})
	if err != nil {
		return err
	}
	s.config.Augment.Draw(&s.augment, rng, x.B+h, x.T, x.F)
	s.augment.Repeat(x.B, h) // reconstructions and recordings alike
	s.twice = append(append(s.twice[:0], x.Labels...), x.Labels[:h]...)
	feeds := append(s.augment.Feeds(inFake), nn.Values(inLatent, s.z), nn.Values(inReal, x.Data[:h*x.T*x.F]), nn.Labels(inLabels, s.twice))
	if err := m.Run(feeds...); err != nil {
		return err
	}
	losses[lossDecoder], losses[lossMatching], losses[lossL1] = m.Loss(lossAll), m.Loss(lossMatching), m.Loss(lossL1)
	if _, bad := losses.NonFinite(); bad {
		return nil
	}
	return s.decoder.Adam.Step(m)
}

// decoderLoss adds the decoder's loss on batch clips, of which the first half are reconstructions.
func (s *sharpening) decoderLoss(n *nn.Graph, batch int) *nn.Tensor {
	h := half(batch)
	y := decoder(n, n.Input(inLatent, batch, s.width()), s.shape, s.config)
	real := s.clips(n, inReal, h)
	l1 := n.Loss(lossL1, n.L1(n.Rows(y, 0, h), real))
	both := s.config.Augment.Apply(n, inFake, n.Stack(y, real)) // [B + h, T, F, 1]
	// The groups of decoded clips and of recordings must not mix.
	d := s.network().ForBatch(batch, h).Apply(n.With(s.discriminator).Frozen(), both, n.Input(inLabels, batch+h), nil)
	var fakes, reals []*nn.Tensor
	for _, f := range d.Features {
		fakes, reals = append(fakes, n.Rows(f, 0, h)), append(reals, n.Rows(f, batch, batch+h))
	}
	match := n.Loss(lossMatching, n.FeatureMatching(fakes, reals))
	score := n.Mean(n.Rows(d.Score, 0, batch))
	return n.Loss(lossAll, n.Add(
		n.Scale(score, -s.config.Adversarial), n.Scale(match, s.config.Matching), n.Scale(l1, s.config.L1)))
}

// tensors returns the state as it goes into a checkpoint.
func (s *sharpening) tensors() []models.Tensor {
	t := s.decoder.ModelTensors()
	t = append(t, state.Tensors(s.discriminator.Export(prefixDiscriminator))...)
	t = append(t, s.decoder.TrainingTensors()...)
	return append(t, state.Tensors(s.adamD.Export(prefixAdamD))...)
}

// restore reads what tensors returned.
func (s *sharpening) restore(c models.Checkpoint) error {
	a := state.Arrays(c.Tensors)
	for _, err := range []error{s.decoder.Restore(c), s.discriminator.Import(prefixDiscriminator, a), s.adamD.Import(prefixAdamD, a)} {
		if err != nil {
			return err
		}
	}
	return nil
}
