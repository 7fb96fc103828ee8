package gan

import (
	"fmt"
	"math/rand/v2"

	"wavemill/models"
	"wavemill/models/internal/compiled"
	"wavemill/models/internal/state"
	"wavemill/models/nn"
)

// SharpeningConfig configures a Sharpening.
type SharpeningConfig struct {
	Discriminator DiscriminatorNetwork
	Augment       Augment // of the discriminator's input
	Frames, Bins  int     // of a spectrogram
	Seed          uint64  // of the discriminator's initial weights
	// Learning rates of Adam, the share of them at the end of the cosine, and the decay of the mean of the decoder's weights.
	DecoderRate, DiscriminatorRate, FinalRate, Average float64
	// Weights of the decoder's losses: the discriminator's score, feature matching, and the distance between clips.
	Adversarial, Matching, L1 float64
}

// A Sharpening trains the decoder of an autoencoder against a discriminator (Larsen et al. 2016; in a phase of its own, as
// in RAVE, Caillon and Esling 2021). The first half of a batch of decoded clips are reconstructions; the others are
// generated. It is used by one goroutine at a time.
type Sharpening struct {
	// Decoder holds weights of which those that decode uses are trained.
	Decoder state.Optimised

	config        SharpeningConfig
	decode        func(n *nn.Graph, batch int) *nn.Tensor
	discriminator *nn.Params
	adamD         *nn.Adam // the discriminator's
	graphs        *compiled.Cache

	// Memory that steps use again.
	fakes   []float32
	twice   []int // labels
	pair    Pair  // of the discriminator's update
	augment Draw  // of the decoder's update
}

// Names of what a Sharpening adds to graphs and losses. An input of the decoder must have another name.
const (
	outMade      = "made" // [B, T, F, 1]
	lossDecoder  = "decoder"
	lossMatching = "matching"
	lossL1       = "l1"
)

// NewSharpening returns one that has made no step. The decoder's Adam is set here. decode adds the decoder with its inputs
// to a graph and returns the decoded clips, [B, T, F, 1].
func NewSharpening(c SharpeningConfig, decoder state.Optimised, decode func(n *nn.Graph, batch int) *nn.Tensor, graphs *compiled.Cache) (*Sharpening, error) {
	s := &Sharpening{Decoder: decoder, config: c, decode: decode, discriminator: nn.NewParams(c.Seed), graphs: graphs}
	n := nn.NewGraph(nn.Train, s.discriminator)
	c.Discriminator.ForBatch(2).Apply(n, n.Input(inReal, 2, c.Frames, c.Bins, 1), n.Input(inLabels, 2), nil)
	if err := n.Err(); err != nil {
		return nil, err
	}
	schedule := func(rate float64) nn.Schedule { return nn.Schedule{Rate: rate, Final: rate * c.FinalRate, Warmup: 50} }
	s.Decoder.Adam = nn.NewAdam(decoder.Params, nn.AdamConfig{Schedule: schedule(c.DecoderRate), Beta1: -1, Beta2: 0.9, EMA: c.Average, EMAWarmup: true})
	s.adamD = nn.NewAdam(s.discriminator, nn.AdamConfig{Schedule: schedule(c.DiscriminatorRate), Beta1: -1, Beta2: 0.9})
	return s, nil
}

// SetTotalSteps sets the planned number of steps.
func (s *Sharpening) SetTotalSteps(steps int64) {
	s.Decoder.Adam.SetTotalSteps(max(steps, 1))
	s.adamD.SetTotalSteps(max(steps, 1))
}

// ScaleLR multiplies the learning rates.
func (s *Sharpening) ScaleLR(factor float64) {
	s.Decoder.Adam.ScaleLR(factor)
	s.adamD.ScaleLR(factor)
}

// Half returns how many clips of a batch are reconstructions.
func Half(batch int) int { return (batch + 1) / 2 }

// Step updates the discriminator and the decoder, and adds the losses. x are recordings, and inputs those of the decoder:
// for the first half of the batch the latents of x, for the others generated ones, of the labels of x.
func (s *Sharpening) Step(x models.Batch, inputs []nn.Feed, rng *rand.Rand, losses models.Losses) error {
	if err := s.stepDiscriminator(x, inputs, rng, losses); err != nil {
		return fmt.Errorf("discriminator: %w", err)
	}
	if err := s.stepDecoder(x, inputs, rng, losses); err != nil {
		return fmt.Errorf("decoder: %w", err)
	}
	return nil
}

// stepDiscriminator updates the discriminator on recordings and decoded clips.
func (s *Sharpening) stepDiscriminator(x models.Batch, inputs []nn.Feed, rng *rand.Rand, losses models.Losses) error {
	sample, err := s.graphs.Get("sharpening: made", x.B, nn.Train, s.Decoder.Params, func(n *nn.Graph) *nn.Tensor {
		n.Output(outMade, s.decode(n.Frozen(), x.B))
		return nil
	})
	if err != nil {
		return err
	}
	if err := sample.Run(inputs...); err != nil {
		return err
	}
	s.fakes = append(s.fakes[:0], sample.Output(outMade)...)
	m, err := s.graphs.Get("sharpening: discriminator", x.B, nn.Train, s.discriminator, func(n *nn.Graph) *nn.Tensor {
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
func (s *Sharpening) discriminatorLoss(n *nn.Graph, batch int) *nn.Tensor {
	clips, labels := AddPair(n, s.config.Augment, batch, s.config.Frames, s.config.Bins)
	score := s.config.Discriminator.ForBatch(batch).Apply(n, clips, labels, nil).Score
	r, f := n.Rows(score, 0, batch), n.Rows(score, batch, 2*batch)
	n.Loss(meanReal, n.Mean(r))
	n.Loss(meanFake, n.Mean(f))
	return n.Loss(lossAll, n.Add(n.HingeReal(r), n.HingeFake(f)))
}

// stepDecoder updates the decoder through the frozen discriminator, which gets the decoded clips and, under the same
// augmentation, the recordings that were reconstructed.
func (s *Sharpening) stepDecoder(x models.Batch, inputs []nn.Feed, rng *rand.Rand, losses models.Losses) error {
	h := Half(x.B)
	m, err := s.graphs.Get("sharpening: decoder", x.B, nn.Train, s.Decoder.Params, func(n *nn.Graph) *nn.Tensor {
		return s.decoderLoss(n, x.B)
	})
	if err != nil {
		return err
	}
	s.config.Augment.Draw(&s.augment, rng, x.B+h, x.T, x.F)
	s.augment.Repeat(x.B, h) // reconstructions and recordings alike
	s.twice = append(append(s.twice[:0], x.Labels...), x.Labels[:h]...)
	feeds := append(s.augment.Feeds(inFake), nn.Values(inReal, x.Data[:h*x.T*x.F]), nn.Labels(inLabels, s.twice))
	if err := m.Run(append(feeds, inputs...)...); err != nil {
		return err
	}
	losses[lossDecoder], losses[lossMatching], losses[lossL1] = m.Loss(lossAll), m.Loss(lossMatching), m.Loss(lossL1)
	if _, bad := losses.NonFinite(); bad {
		return nil
	}
	return s.Decoder.Adam.Step(m)
}

// decoderLoss adds the decoder's loss on batch clips, of which the first half are reconstructions.
func (s *Sharpening) decoderLoss(n *nn.Graph, batch int) *nn.Tensor {
	h, c := Half(batch), s.config
	y := s.decode(n, batch)
	real := n.Input(inReal, h, c.Frames, c.Bins, 1)
	l1 := n.Loss(lossL1, n.L1(n.Rows(y, 0, h), real))
	both := c.Augment.Apply(n, inFake, n.Stack(y, real)) // [B + h, T, F, 1]
	// The groups of decoded clips and of recordings must not mix.
	d := c.Discriminator.ForBatch(batch, h).Apply(n.With(s.discriminator).Frozen(), both, n.Input(inLabels, batch+h), nil)
	var fakes, reals []*nn.Tensor
	for _, f := range d.Features {
		fakes, reals = append(fakes, n.Rows(f, 0, h)), append(reals, n.Rows(f, batch, batch+h))
	}
	matching := n.Loss(lossMatching, n.FeatureMatching(fakes, reals))
	score := n.Mean(n.Rows(d.Score, 0, batch))
	return n.Loss(lossAll, n.Add(n.Scale(score, -c.Adversarial), n.Scale(matching, c.Matching), n.Scale(l1, c.L1)))
}

// Tensors returns the state as it goes into a checkpoint: the discriminator lies under the prefix, its optimiser under the
// other.
func (s *Sharpening) Tensors(discriminator, optimizer string) []models.Tensor {
	t := append(s.Decoder.ModelTensors(), state.Tensors(s.discriminator.Export(discriminator))...)
	t = append(t, s.Decoder.TrainingTensors()...)
	return append(t, state.Tensors(s.adamD.Export(optimizer))...)
}

// Restore reads what Tensors returned for the same prefixes.
func (s *Sharpening) Restore(c models.Checkpoint, discriminator, optimizer string) error {
	a := state.Arrays(c.Tensors)
	if err := s.Decoder.Restore(c); err != nil {
		return err
	}
	if err := s.discriminator.Import(discriminator, a); err != nil {
		return err
	}
	return s.adamD.Import(optimizer, a)
}
