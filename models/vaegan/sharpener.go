package vaegan

import (
	"context"
	"fmt"
	"math"
	"math/rand/v2"
	"strings"

	"wavemill/models"
	"wavemill/models/gan"
	"wavemill/models/nn"
	"wavemill/models/vae"
)

// A sharpener is the second part of the training: the decoder against a discriminator.
type sharpener struct {
	config Config
	parts  vae.Parts
	fe     models.FrontEnd
	labels int

	coder, critic  *nn.Params // the autoencoder's weights, of which the decoder's learn; the discriminator's
	decoder, judge *nn.Adam
	arena          *nn.Arena
	machines       map[machineKey]*nn.Machine
	latents        *latents

	z, fakes, varied     []float32
	twice                []int
	onReal, onFake, onIt gan.Draw
}

type machineKey struct {
	what  string
	batch int
}

// newSharpener starts from the given weights of an autoencoder, which it copies.
func newSharpener(c Config, fe models.FrontEnd, labels []string, seed uint64, weights *nn.Params) (*sharpener, error) {
	parts, err := vae.NewParts(c.VAE, fe, labels)
	if err != nil {
		return nil, err
	}
	s := &sharpener{
		config: c, parts: parts, fe: fe, labels: len(labels),
		coder: weights.Clone(), critic: nn.NewParams(seed), arena: new(nn.Arena), machines: map[machineKey]*nn.Machine{},
		latents: newLatents(len(labels), c.VAE.Latent),
	}
	n := nn.NewGraph(nn.Train, s.critic)
	s.criticFor(2).Add(n, s.clips(n, inReal, 2), n.Input(inLabels, 2))
	if err := n.Err(); err != nil {
		return nil, err
	}
	s.decoder = nn.NewAdam(s.coder, nn.AdamConfig{Schedule: s.schedule(c.DecoderRate), Beta1: -1, Beta2: 0.9, EMA: c.Average, EMAWarmup: true})
	s.judge = nn.NewAdam(s.critic, nn.AdamConfig{Schedule: s.schedule(c.DiscriminatorRate), Beta1: -1, Beta2: 0.9})
	return s, nil
}

func (s *sharpener) schedule(rate float64) nn.Schedule {
	return nn.Schedule{Rate: rate, Final: rate * s.config.FinalRate, Warmup: 50}
}

func (s *sharpener) plan(steps int64) {
	s.decoder.SetTotalSteps(max(steps, 1))
	s.judge.SetTotalSteps(max(steps, 1))
}

// slow multiplies the learning rates.
func (s *sharpener) slow(factor float64) {
	s.decoder.ScaleLR(factor)
	s.judge.ScaleLR(factor)
}

// Names of the inputs, outputs and losses of the graphs.
const (
	inReal    = "real"    // [B, T, F, 1]
	inFake    = "fake"    // [B, T, F, 1]
	inLatent  = "latents" // [B, Z]
	inLabels  = "labels"  // [B], or [2B] for real clips and made ones
	inMade    = "made as" // [B]
	outMean   = "mean"    // [B, Z]
	outLogVar = "log variance"
	outClips  = "made" // [B, T, F, 1]

	lossAll      = "loss"
	lossDecoder  = "decoder"
	lossJudge    = "discriminator"
	lossMatching = "matching"
	lossL1       = "l1"
	lossMSE      = "mse"
	meanReal     = "real score"
	meanFake     = "fake score"
)

// criticFor returns the discriminator for that many real clips a batch.
func (s *sharpener) criticFor(batch int) gan.Critic {
	group := min(s.config.Stddev, batch)
	for group > 1 && batch%group != 0 {
		group--
	}
	return gan.Critic{Channels: s.config.Channels, Labels: s.labels, Unconditional: s.config.VAE.Unconditional, SpectralNorm: true, Stddev: group}
}

func (s *sharpener) clips(n *nn.Graph, name string, batch int) *nn.Tensor {
	return n.Input(name, batch, s.fe.Frames, s.fe.Spectrogram.Bins(), 1)
}

// machine returns the machine of that name for a batch size, which it builds where it is the first of its size.
func (s *sharpener) machine(what string, batch int, build func(n *nn.Graph) *nn.Tensor) (*nn.Machine, error) {
	key := machineKey{what, batch}
	if m := s.machines[key]; m != nil {
		return m, nil
	}
	n := nn.NewGraph(nn.Train, s.coder)
	options := []nn.CompileOption{nn.In(s.arena)}
	if loss := build(n); loss != nil {
		options = append(options, nn.Minimise(loss))
	}
	m, err := n.Compile(options...)
	if err != nil {
		return nil, err
	}
	s.machines[key] = m
	return m, nil
}

// half is how many clips of a batch are reconstructed; the others are drawn.
func half(batch int) int { return (batch + 1) / 2 }

func (s *sharpener) step(ctx context.Context, x models.Batch, rng *rand.Rand) (models.Losses, error) {
	if err := ctx.Err(); err != nil {
		return nil, err
	}
	if err := x.Validate(s.labels); err != nil {
		return nil, err
	}
	if x.T != s.fe.Frames || x.F != s.fe.Spectrogram.Bins() {
		return nil, fmt.Errorf("clips of [%d, %d], the model is for [%d, %d]", x.T, x.F, s.fe.Frames, s.fe.Spectrogram.Bins())
	}
	if v := s.config.VAE.Vary; v > 0 {
		s.varied = vae.Vary(s.varied, x, v, rng)
		x.Data = s.varied
	}
	if err := s.encode(x, rng); err != nil {
		return nil, err
	}
	losses := models.Losses{}
	if err := s.stepJudge(x, rng, losses); err != nil {
		return nil, fmt.Errorf("discriminator: %w", err)
	}
	if err := s.stepDecoder(x, rng, losses); err != nil {
		return nil, fmt.Errorf("decoder: %w", err)
	}
	return losses, nil
}

// encode fills z with latents for the batch: of its first half samples of the posterior, of the others draws from
// their label's latents.
func (s *sharpener) encode(x models.Batch, rng *rand.Rand) error {
	m, err := s.machine("encode", x.B, func(n *nn.Graph) *nn.Tensor {
		mean, logVar := s.parts.Encoder(n.InMode(nn.Eval), s.clips(n, inReal, x.B))
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
	c := s.config.VAE
	for i := half(x.B); i < x.B; i++ {
		switch of := mean[i*width : (i+1)*width]; c.Prior {
		case vae.PriorManifold:
			s.z = s.latents.between(s.z, x.Labels[i], of, c, rng)
		case vae.PriorKDE:
			s.z = s.latents.around(s.z, x.Labels[i], of, c.Bandwidth, c.Temperature, rng)
		default:
			s.z = s.latents.draw(s.z, x.Labels[i], c.Temperature, rng)
		}
	}
	return nil
}

func (s *sharpener) stepJudge(x models.Batch, rng *rand.Rand, losses models.Losses) error {
	sample, err := s.machine("sample", x.B, func(n *nn.Graph) *nn.Tensor {
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
	m, err := s.machine("judge", x.B, func(n *nn.Graph) *nn.Tensor {
		n = n.With(s.critic)
		real := s.config.Augment.Apply(n, inReal, s.clips(n, inReal, x.B))
		fake := s.config.Augment.Apply(n, inFake, s.clips(n, inFake, x.B))
		score, _ := s.criticFor(x.B).Add(n, n.Stack(real, fake), n.Input(inLabels, 2*x.B))
		r, f := n.Rows(score, 0, x.B), n.Rows(score, x.B, 2*x.B)
		n.Loss(meanReal, n.Mean(r))
		n.Loss(meanFake, n.Mean(f))
		return n.Loss(lossAll, n.Add(n.HingeReal(r), n.HingeFake(f)))
	})
	if err != nil {
		return err
	}
	s.config.Augment.Draw(&s.onReal, rng, x.B, x.T, x.F)
	s.config.Augment.Draw(&s.onFake, rng, x.B, x.T, x.F)
	s.twice = append(append(s.twice[:0], x.Labels...), x.Labels...)
	feeds := append(s.onReal.Feeds(inReal), s.onFake.Feeds(inFake)...)
	feeds = append(feeds, nn.Values(inReal, x.Data), nn.Values(inFake, s.fakes), nn.Labels(inLabels, s.twice))
	if err := m.Run(feeds...); err != nil {
		return err
	}
	losses[lossJudge], losses[meanReal], losses[meanFake] = m.Loss(lossAll), m.Loss(meanReal), m.Loss(meanFake)
	if _, bad := losses.NonFinite(); bad {
		return nil // the trainer says which one; the weights are left alone
	}
	return s.judge.Step(m)
}

// stepDecoder shows the frozen discriminator what the decoder makes, and, under the same augmentation, the clips it
// has reconstructed.
func (s *sharpener) stepDecoder(x models.Batch, rng *rand.Rand, losses models.Losses) error {
	h := half(x.B)
	m, err := s.machine("decode", x.B, func(n *nn.Graph) *nn.Tensor {
		y := s.parts.Decoder(n, n.Input(inLatent, x.B, s.config.VAE.Latent), n.Input(inMade, x.B))
		real := s.clips(n, inReal, h)
		l1 := n.Loss(lossL1, n.L1(n.Rows(y, 0, h), real))
		d := n.With(s.critic).Frozen()
		both := s.config.Augment.Apply(n, inFake, n.Stack(y, real))                    // [B + h, T, F, 1]
		score, features := s.criticOver(x.B, h).Add(d, both, n.Input(inLabels, x.B+h)) // [B + h, 1]
		var fakes, reals []*nn.Tensor
		for _, f := range features {
			fakes, reals = append(fakes, n.Rows(f, 0, h)), append(reals, n.Rows(f, x.B, x.B+h))
		}
		matching := n.Loss(lossMatching, n.FeatureMatching(fakes, reals))
		opinion := n.Mean(n.Rows(score, 0, x.B))
		return n.Loss(lossAll, n.Add(
			n.Scale(opinion, -s.config.Adversarial), n.Scale(matching, s.config.Matching), n.Scale(l1, s.config.L1)))
	})
	if err != nil {
		return err
	}
	s.config.Augment.Draw(&s.onIt, rng, x.B+h, x.T, x.F)
	s.onIt.Repeat(x.B, h) // reconstructions and originals alike
	s.twice = append(append(s.twice[:0], x.Labels...), x.Labels[:h]...)
	feeds := append(s.onIt.Feeds(inFake), nn.Values(inLatent, s.z), nn.Labels(inMade, x.Labels),
		nn.Values(inReal, x.Data[:h*x.T*x.F]), nn.Labels(inLabels, s.twice))
	if err := m.Run(feeds...); err != nil {
		return err
	}
	losses[lossDecoder], losses[lossMatching], losses[lossL1] = m.Loss(lossAll), m.Loss(lossMatching), m.Loss(lossL1)
	if _, bad := losses.NonFinite(); bad {
		return nil
	}
	return s.decoder.Step(m)
}

// criticOver is the discriminator for made clips followed by real ones, whose groups do not mix.
func (s *sharpener) criticOver(made, real int) gan.Critic {
	c := s.criticFor(made)
	for c.Stddev > 1 && (made%c.Stddev != 0 || real%c.Stddev != 0) {
		c.Stddev--
	}
	return c
}

// eval returns the error of reconstructions by the averaged decoder from the posterior's mean.
func (s *sharpener) eval(ctx context.Context, x models.Batch) (models.Losses, error) {
	if err := ctx.Err(); err != nil {
		return nil, err
	}
	m, err := s.machine("eval", x.B, func(n *nn.Graph) *nn.Tensor {
		n = n.InMode(nn.Eval).With(s.decoder.Average())
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

func (s *sharpener) tensors() []models.Tensor {
	t := s.latents.tensors()
	for _, a := range [][]nn.Array{
		s.decoder.Average().Export(prefixModel), s.critic.Export(prefixCritic),
		s.coder.Export(prefixSharp), s.decoder.Export(prefixDecoder), s.judge.Export(prefixJudge),
	} {
		for _, x := range a {
			if !strings.HasPrefix(x.Name, prefixAverage) { // those are the model's
				t = append(t, models.Tensor(x))
			}
		}
	}
	return t
}

func (s *sharpener) restore(c models.Checkpoint) error {
	a := make([]nn.Array, len(c.Tensors))
	for i, t := range c.Tensors {
		a[i] = nn.Array(t)
		if name, ok := strings.CutPrefix(t.Name, prefixModel); ok {
			a[i].Name = prefixAverage + name
		}
	}
	for _, err := range []error{
		s.coder.Import(prefixSharp, a), s.critic.Import(prefixCritic, a),
		s.decoder.Import(prefixDecoder, a), s.judge.Import(prefixJudge, a), s.latents.restore(c),
	} {
		if err != nil {
			return err
		}
	}
	return nil
}
