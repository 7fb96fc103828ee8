package vaegan

import (
	"context"
	"fmt"
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
	config Config
	shape  shape.Shape
	marks  int // bins that hold no levels
	parts  vae.Parts

	decoder       state.Optimised // of all the autoencoder's weights, of which the decoder's are trained
	discriminator *nn.Params
	adamD         *nn.Adam // the discriminator's
	graphs        *compiled.Cache
	latents       *latents

	// Memory that steps use again.
	z, fakes, varied []float32
	twice            []int    // labels
	pair             gan.Pair // of the discriminator's update
	augment          gan.Draw // of the decoder's update
}

// newFinetuning starts from the given weights of an autoencoder, which it copies.
func newFinetuning(h state.Header[Config], weights *nn.Params) (*finetuning, error) {
	c := h.Config
	parts, err := vae.NewParts(c.VAE, h.FrontEnd, h.Labels)
	if err != nil {
		return nil, err
	}
	s := &finetuning{
		config: c, shape: h.Shape, marks: h.FrontEnd.Spectrogram.Marks(), parts: parts, discriminator: nn.NewParams(h.Seed), graphs: compiled.New(),
		latents: newLatents(h.Shape.Labels, c.VAE.Latent),
		decoder: state.Optimised{Params: weights.Clone(), Model: prefixModel, Weights: prefixWeights, Optimizer: prefixAdam},
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

func (s *finetuning) schedule(rate float64) nn.Schedule {
	return nn.Schedule{Rate: rate, Final: rate * s.config.FinalRate, Warmup: 50}
}

// setTotalSteps sets the planned number of steps of the second phase.
func (s *finetuning) setTotalSteps(steps int64) {
	s.decoder.Adam.SetTotalSteps(max(steps, 1))
	s.adamD.SetTotalSteps(max(steps, 1))
}

// scaleLR multiplies the learning rates.
func (s *finetuning) scaleLR(factor float64) {
	s.decoder.Adam.ScaleLR(factor)
	s.adamD.ScaleLR(factor)
}

// Names of the inputs, outputs and losses of the graphs.
const (
	inReal    = "real"    // [B, T, F, 1]
	inFake    = "fake"    // [B, T, F, 1]
	inLatent  = "latents" // [B, Z]
	inLabels  = "labels"  // [B], or [2B] for recordings and generated clips
	inMade    = "made as" // [B]
	outMean   = "mean"    // [B, Z]
	outLogVar = "log variance"
	outClips  = "made" // [B, T, F, 1]

	lossAll           = "loss"
	lossDecoder       = "decoder"
	lossDiscriminator = "discriminator"
	lossMatching      = "matching"
	lossL1            = "l1"
	lossMSE           = "mse"
	meanReal          = "real score"
	meanFake          = "fake score"
)

// network returns the discriminator.
func (s *finetuning) network() gan.DiscriminatorNetwork {
	d := s.config.discriminator()
	d.Labels = s.shape.Labels
	return d
}

func (s *finetuning) clips(n *nn.Graph, name string, batch int) *nn.Tensor {
	return n.Input(name, batch, s.shape.Frames, s.shape.Bins, 1)
}

// half returns how many clips of a batch are reconstructed; the others are drawn.
func half(batch int) int { return (batch + 1) / 2 }

func (s *finetuning) step(ctx context.Context, x models.Batch, rng *rand.Rand) (models.Losses, error) {
	if err := s.shape.Check(ctx, x); err != nil {
		return nil, err
	}
	if v := s.config.VAE.Vary; v > 0 {
		s.varied = vae.Vary(s.varied, x, s.marks, v, rng)
		x.Data = s.varied
	}
	if err := s.encode(x, rng); err != nil {
		return nil, err
	}
	losses := models.Losses{}
	if err := s.discriminatorStep(x, rng, losses); err != nil {
		return nil, fmt.Errorf("discriminator: %w", err)
	}
	if err := s.decoderStep(x, rng, losses); err != nil {
		return nil, fmt.Errorf("decoder: %w", err)
	}
	return losses, nil
}

// encode sets z to latents for the batch: for its first half samples of the posterior, for the others draws from the
// latents of their label.
func (s *finetuning) encode(x models.Batch, rng *rand.Rand) error {
	m, err := s.graphs.Get("encode", x.B, nn.Eval, s.decoder.Params, func(n *nn.Graph) *nn.Tensor {
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
	for i := range half(x.B) * width {
		s.z = append(s.z, mean[i]+float32(math.Exp(float64(logVar[i])/2)*rng.NormFloat64()))
	}
	for i := half(x.B); i < x.B; i++ {
		s.z = s.latents.drawAs(s.z, x.Labels[i], mean[i*width:(i+1)*width], s.config.VAE, rng)
	}
	return nil
}

// discriminatorStep updates the discriminator on recordings and on clips decoded from z.
func (s *finetuning) discriminatorStep(x models.Batch, rng *rand.Rand, losses models.Losses) error {
	sample, err := s.graphs.Get("sample", x.B, nn.Train, s.decoder.Params, func(n *nn.Graph) *nn.Tensor {
		n.Output(outClips, s.parts.Decoder(n.Frozen(), n.Input(inLatent, x.B, s.config.VAE.Latent), n.Input(inLabels, x.B)))
		return nil
	})
	if err != nil {
		return err
	}
	if err := sample.Run(nn.Values(inLatent, s.z), nn.Labels(inLabels, x.Labels)); err != nil {
		return err
	}
	s.fakes = append(s.fakes[:0], sample.Output(outClips)...)
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
func (s *finetuning) discriminatorLoss(n *nn.Graph, batch int) *nn.Tensor {
	clips, labels := gan.AddPair(n, s.config.Augment, batch, s.shape.Frames, s.shape.Bins)
	score := s.network().ForBatch(batch).Apply(n, clips, labels, nil).Score
	r, f := n.Rows(score, 0, batch), n.Rows(score, batch, 2*batch)
	n.Loss(meanReal, n.Mean(r))
	n.Loss(meanFake, n.Mean(f))
	return n.Loss(lossAll, n.Add(n.HingeReal(r), n.HingeFake(f)))
}

// decoderStep updates the decoder through the frozen discriminator, which gets the decoded clips and, under the same
// augmentation, the recordings that were reconstructed.
func (s *finetuning) decoderStep(x models.Batch, rng *rand.Rand, losses models.Losses) error {
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
	feeds := append(s.augment.Feeds(inFake), nn.Values(inLatent, s.z), nn.Labels(inMade, x.Labels),
		nn.Values(inReal, x.Data[:h*x.T*x.F]), nn.Labels(inLabels, s.twice))
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
func (s *finetuning) decoderLoss(n *nn.Graph, batch int) *nn.Tensor {
	h := half(batch)
	y := s.parts.Decoder(n, n.Input(inLatent, batch, s.config.VAE.Latent), n.Input(inMade, batch))
	real := s.clips(n, inReal, h)
	l1 := n.Loss(lossL1, n.L1(n.Rows(y, 0, h), real))
	both := s.config.Augment.Apply(n, inFake, n.Stack(y, real)) // [B + h, T, F, 1]
	// The groups of decoded clips and of recordings must not mix.
	d := s.network().ForBatch(batch, h).Apply(n.With(s.discriminator).Frozen(), both, n.Input(inLabels, batch+h), nil)
	var fakes, reals []*nn.Tensor
	for _, f := range d.Features {
		fakes, reals = append(fakes, n.Rows(f, 0, h)), append(reals, n.Rows(f, batch, batch+h))
	}
	matching := n.Loss(lossMatching, n.FeatureMatching(fakes, reals))
	score := n.Mean(n.Rows(d.Score, 0, batch))
	return n.Loss(lossAll, n.Add(
		n.Scale(score, -s.config.Adversarial), n.Scale(matching, s.config.Matching), n.Scale(l1, s.config.L1)))
}

// eval returns the error of reconstructions by the averaged decoder from the posterior's mean.
func (s *finetuning) eval(ctx context.Context, x models.Batch) (models.Losses, error) {
	if err := s.shape.Check(ctx, x); err != nil {
		return nil, err
	}
	m, err := s.graphs.Get("eval", x.B, nn.Eval, s.decoder.Average(), func(n *nn.Graph) *nn.Tensor {
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
	t := append(s.latents.tensors(), s.decoder.ModelTensors()...)
	t = append(t, state.Tensors(s.discriminator.Export(prefixDiscriminator))...)
	t = append(t, s.decoder.TrainingTensors()...)
	return append(t, state.Tensors(s.adamD.Export(prefixAdamD))...)
}

func (s *finetuning) restore(c models.Checkpoint) error {
	a := state.Arrays(c.Tensors)
	for _, err := range []error{
		s.decoder.Restore(c), s.discriminator.Import(prefixDiscriminator, a), s.adamD.Import(prefixAdamD, a), s.latents.restore(c),
	} {
		if err != nil {
			return err
		}
	}
	return nil
}
