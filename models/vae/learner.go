package vae

import (
	"context"
	"encoding/json"
	"fmt"
	"math/rand/v2"
	"slices"
	"strings"

	"wavemill/models"
	"wavemill/models/internal/compiled"
	"wavemill/models/internal/shape"
	"wavemill/models/internal/state"
	"wavemill/models/nn"
)

// Arch is the architecture's name.
const Arch = "vae"

// A Learner trains a model. It implements models.Learner.
type Learner struct {
	header  state.Header[Config]
	config  Config      // header's
	shape   shape.Shape // header's
	planned int64

	weights  state.Optimised
	graphs   *compiled.Cache
	prior    *prior
	residual *residualNoise
	clips    []float32 // of the batch, shifted
	varied   []float32 // of the batch
	delays   []float32 // of the batch's clips, as shares of the largest delay

	flow     *flowLearner // nil unless the prior is a flow
	variance float32      // with several encoders, the likelihood's: that of the batch before
	drawn    []float32
}

var _ interface {
	models.Learner
	models.LRScaler
	models.LearningRater
} = (*Learner)(nil)

// NewLearner returns an untrained model. The config is JSON over the Defaults; nil means these.
func NewLearner(config json.RawMessage, fe models.FrontEnd, labels []string, seed uint64) (models.Learner, error) {
	config, err := Suit(Arch, config, fe)
	if err != nil {
		return nil, err
	}
	h, err := state.New(Arch, ParseConfig, config, fe, labels, seed)
	if err != nil {
		return nil, err
	}
	c, s := h.Config, h.Shape
	params := nn.NewParams(seed)
	// The optimiser must know every parameter, so one small graph is built before it.
	n := nn.NewGraph(nn.Train, params)
	elbo(n, 2, s, c)
	if err := n.Err(); err != nil {
		return nil, fmt.Errorf("vae: %w", err)
	}
	adam := nn.NewAdam(params, nn.AdamConfig{
		Schedule: nn.Schedule{Rate: c.Rate, Final: c.FinalRate, Warmup: 20}, WeightDecay: c.WeightDecay, ClipNorm: c.ClipNorm, EMA: c.Average, EMAWarmup: true,
	})
	l := &Learner{
		header: h, config: c, shape: s, graphs: compiled.New(), prior: normalPrior(c.priors(s), c.Latent), variance: 1,
		weights:  state.Optimised{Params: params, Adam: adam, Model: prefixModel, Weights: prefixWeights, Optimizer: prefixAdam},
		residual: newResidualStatistics(s.Frames, s.Bins).noise(),
	}
	if c.Prior == PriorFlow {
		if l.flow, err = newFlowLearner(c, s.Labels, seed); err != nil {
			return nil, err
		}
	}
	return l, nil
}

// SetTotalSteps implements models.Learner.
func (l *Learner) SetTotalSteps(steps int64) {
	l.planned = steps
	l.weights.Adam.SetTotalSteps(steps)
	if l.flow != nil {
		l.flow.setTotalSteps(steps)
	}
}

// Freeze implements models.PartFreezer. The parts are the encoder and the decoder, of which one must be left to train. The
// decoder has the embedding of the labels.
func (l *Learner) Freeze(parts []string) error {
	known := l.weights.Params.Parts()
	left := slices.Clone(known)
	for _, part := range parts {
		if !slices.Contains(known, part) {
			return fmt.Errorf("vae: there is no part %q; there are: %s", part, strings.Join(known, ", "))
		}
		left = slices.DeleteFunc(left, func(name string) bool { return name == part })
	}
	if len(left) == 0 {
		return fmt.Errorf("vae: with %s frozen, nothing is left to train", strings.Join(parts, " and "))
	}
	for _, part := range parts {
		l.weights.Params.Freeze(part)
		l.weights.Average().Freeze(part)
	}
	return nil
}

// ScaleLR implements models.LRScaler.
func (l *Learner) ScaleLR(factor float64) {
	l.weights.Adam.ScaleLR(factor)
	if l.flow != nil {
		l.flow.weights.Adam.ScaleLR(factor)
	}
}

// LearningRate implements models.LearningRater.
func (l *Learner) LearningRate() float64 { return l.weights.Adam.LearningRate() }

// klWeight returns the weight of the KL term at the next step.
func (l *Learner) klWeight() float64 {
	warm := l.config.WarmUp * float64(l.planned)
	step := float64(l.weights.Adam.Steps())
	if l.planned == 0 {
		return 0
	}
	if step >= warm {
		return l.config.KLWeight
	}
	return l.config.KLWeight * step / warm
}

// Step implements models.Learner.
func (l *Learner) Step(ctx context.Context, x models.Batch, rng *rand.Rand) (models.Losses, error) {
	if err := l.shape.Check(ctx, x); err != nil {
		return nil, fmt.Errorf("vae: %w", err)
	}
	m, err := l.graphs.Get("train", x.B, nn.Train, l.weights.Params, func(n *nn.Graph) *nn.Tensor {
		return elbo(n, x.B, l.shape, l.config)
	})
	if err != nil {
		return nil, fmt.Errorf("vae: %w", err)
	}
	clips := l.augment(x, rng)
	feeds := append(l.mixtureFeeds(), nn.Values(inClips, clips), nn.Labels(inLabels, x.Labels), nn.Scalar(inKL, l.klWeight()), nn.Seed(rng.Uint64()))
	if err := m.Run(feeds...); err != nil {
		return nil, fmt.Errorf("vae: %w", err)
	}
	losses := l.losses(m)
	if _, bad := losses.NonFinite(); bad {
		return losses, nil // the trainer reports the loss; the weights are not changed
	}
	if err := l.weights.Adam.Step(m); err != nil {
		return nil, fmt.Errorf("vae: %w", err)
	}
	if l.config.Encoders > 1 {
		l.variance = float32(losses[lossMSE])
	}
	if l.flow != nil {
		if losses[lossFlow], err = l.flow.step(l.means(m, x.B, rng), l.delays, x.Labels, rng); err != nil {
			return nil, err
		}
	}
	return losses, nil
}

func (l *Learner) losses(m *nn.Machine) models.Losses {
	losses := models.Losses{lossAll: m.Loss(lossAll), lossNLL: m.Loss(lossNLL), lossKL: m.Loss(lossKL), lossMSE: m.Loss(lossMSE)}
	if l.config.Encoders > 1 {
		losses[lossBalance] = m.Loss(lossBalance)
	}
	return losses
}

// Eval implements models.Learner. It evaluates the averaged weights and decodes the posterior's mean.
func (l *Learner) Eval(ctx context.Context, x models.Batch) (models.Losses, error) {
	if err := l.shape.Check(ctx, x); err != nil {
		return nil, fmt.Errorf("vae: %w", err)
	}
	m, err := l.graphs.Get("eval", x.B, nn.Eval, l.weights.Average(), func(n *nn.Graph) *nn.Tensor {
		elbo(n, x.B, l.shape, l.config)
		return nil
	})
	if err != nil {
		return nil, fmt.Errorf("vae: %w", err)
	}
	if err := m.Run(append(l.mixtureFeeds(), nn.Values(inClips, x.Data), nn.Labels(inLabels, x.Labels), nn.Scalar(inKL, l.config.KLWeight))...); err != nil {
		return nil, fmt.Errorf("vae: %w", err)
	}
	return l.losses(m), nil
}

// augment returns the clips of x, varied as the configuration says and each delayed by a random number of frames, which
// are filled with silence. The stereo image is not delayed, because silence has no position.
func (l *Learner) augment(x models.Batch, rng *rand.Rand) []float32 {
	if l.config.Vary > 0 {
		l.varied = l.vary(l.varied, x, rng)
		x.Data = l.varied
	}
	limit := min(l.config.Shift, x.T-1)
	l.delays = append(l.delays[:0], make([]float32, x.B)...)
	if limit == 0 {
		return x.Data
	}
	l.clips = append(l.clips[:0], x.Data...)
	for i := range x.B {
		delay := rng.IntN(limit+1) * x.F
		l.delays[i] = float32(delay) / float32(limit*x.F)
		Delay(l.clips[i*x.T*x.F:(i+1)*x.T*x.F], x.Clip(i), delay/x.F, x.F, l.header.FrontEnd.Spectrogram.Image())
	}
	return l.clips
}

// Delay writes x [T, F] to dst, some frames later and silent before. Of the bins of a frame, the last ones, its stereo
// image, stay.
func Delay(dst, x []float32, frames, bins, image int) {
	copy(dst[frames*bins:], x)
	for j := range dst[:frames*bins] {
		dst[j] = silence
	}
	for at := bins - image; image > 0 && at < len(x); at += bins {
		copy(dst[at:at+image], x[at:])
	}
}
