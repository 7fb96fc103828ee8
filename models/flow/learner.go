package flow

import (
	"context"
	"encoding/json"
	"fmt"
	"math/rand/v2"

	"wavemill/models"
	"wavemill/models/internal/compiled"
	"wavemill/models/internal/shape"
	"wavemill/models/internal/state"
	"wavemill/models/nn"
	"wavemill/models/vae"
)

// Arch is the architecture's name.
const Arch = "flow"

// A Learner trains a model. It implements models.Learner.
type Learner struct {
	header  state.Header[Config]
	config  Config      // header's
	shape   shape.Shape // header's
	planned int64

	coder  state.Optimised // the autoencoder in the first phase
	first  int64           // steps made in the first phase
	flow   *matcher
	second *sharpening // nil in the first phase
	scale  float64     // of the learning rates; 0 is 1
	graphs *compiled.Cache

	labelMean []float32 // [labels, Z]: of the latents of each label's training clips

	// Memory that steps use again.
	varied, clips []float32 // of the batch
	delays, means []float32 // of the batch: shares of the largest delay, and latents
}

var _ interface {
	models.Learner
	models.PartFreezer
	models.LRScaler
	models.LearningRater
} = (*Learner)(nil)

// NewLearner returns an untrained model. The config is JSON over the Defaults; nil means these.
func NewLearner(config json.RawMessage, fe models.FrontEnd, labels []string, seed uint64) (models.Learner, error) {
	config, err := vae.WithoutDelay(Arch, config, fe, "shift")
	if err != nil {
		return nil, err
	}
	h, err := state.New(Arch, ParseConfig, config, fe, labels, seed)
	if err != nil {
		return nil, err
	}
	return newLearner(h)
}

func newLearner(h state.Header[Config]) (*Learner, error) {
	c, s := h.Config, h.Shape
	params := nn.NewParams(h.Seed)
	// The optimiser must know every parameter, so one small graph is built before it.
	n := nn.NewGraph(nn.Train, params)
	elbo(n, 2, s, c)
	if err := n.Err(); err != nil {
		return nil, wrap(err)
	}
	adam := nn.NewAdam(params, nn.AdamConfig{
		Schedule: nn.Schedule{Rate: c.CoderRate, Final: c.CoderRate * c.FinalRate, Warmup: 20}, WeightDecay: 1e-4, ClipNorm: 100, EMA: c.Average, EMAWarmup: true,
	})
	l := &Learner{
		header: h, config: c, shape: s, graphs: compiled.New(),
		coder:     state.Optimised{Params: params, Adam: adam, Model: prefixModel, Weights: prefixWeights, Optimizer: prefixAdam},
		labelMean: make([]float32, s.Labels*c.grid(s.Frames, s.Bins).size()),
	}
	var err error
	l.flow, err = newMatcher(h, l.graphs)
	return l, err
}

// wrap adds the package's name to an error.
func wrap(err error) error {
	if err == nil {
		return nil
	}
	return fmt.Errorf("flow: %w", err)
}

// firstPhase returns the number of planned steps of the first phase.
func (l *Learner) firstPhase() int64 { return max(int64(l.config.Share*float64(l.planned)), 1) }

// SetTotalSteps implements models.Learner.
func (l *Learner) SetTotalSteps(steps int64) {
	l.planned = steps
	l.flow.setTotalSteps(steps)
	switch {
	case l.second != nil:
		l.second.SetTotalSteps(steps - l.first)
	case steps > 0:
		l.coder.Adam.SetTotalSteps(l.firstPhase())
	default:
		l.coder.Adam.SetTotalSteps(0)
	}
}

// Freeze implements models.PartFreezer. The part is the encoder of the autoencoder; its decoder and the flow are trained to the end.
func (l *Learner) Freeze(parts []string) error {
	for _, part := range parts {
		if part != "encoder" {
			return fmt.Errorf("flow: part %q cannot be frozen; the encoder can", part)
		}
		l.coder.Params.Freeze(part)
		l.coder.Average().Freeze(part)
	}
	return nil
}

// ScaleLR implements models.LRScaler.
func (l *Learner) ScaleLR(factor float64) {
	l.scale = factor
	l.coder.Adam.ScaleLR(factor)
	l.flow.weights.Adam.ScaleLR(factor)
	if l.second != nil {
		l.second.ScaleLR(factor)
	}
}

// LearningRate implements models.LearningRater: the flow's.
func (l *Learner) LearningRate() float64 { return l.flow.weights.Adam.LearningRate() }

// klWeight returns the weight of the KL term at the next step.
func (l *Learner) klWeight() float64 {
	if l.planned == 0 {
		return 0
	}
	warm := l.config.WarmUp * float64(l.firstPhase())
	if step := float64(l.coder.Adam.Steps()); step < warm {
		return l.config.KLWeight * step / warm
	}
	return l.config.KLWeight
}

// Step implements models.Learner.
func (l *Learner) Step(ctx context.Context, x models.Batch, rng *rand.Rand) (models.Losses, error) {
	if err := l.shape.Check(ctx, x); err != nil {
		return nil, wrap(err)
	}
	if l.second == nil && l.planned > 0 && l.first >= l.firstPhase() {
		if err := l.beginSecondPhase(); err != nil {
			return nil, err
		}
	}
	x.Data = l.augment(x, rng)
	step := l.stepFirst
	if l.second != nil {
		step = l.stepSecond
	}
	losses, err := step(x, rng)
	return losses, wrap(err)
}

// stepFirst updates the autoencoder, and the flow on the batch's latents.
func (l *Learner) stepFirst(x models.Batch, rng *rand.Rand) (models.Losses, error) {
	m, err := l.graphs.Get("train", x.B, nn.Train, l.coder.Params, func(n *nn.Graph) *nn.Tensor {
		return elbo(n, x.B, l.shape, l.config)
	})
	if err != nil {
		return nil, err
	}
	if err := m.Run(nn.Values(inClips, x.Data), nn.Scalar(inKL, l.klWeight()), nn.Seed(rng.Uint64())); err != nil {
		return nil, err
	}
	losses := coderLosses(m)
	if _, bad := losses.NonFinite(); bad {
		return losses, nil // the trainer reports the loss; the weights are not changed
	}
	l.means = append(l.means[:0], m.Output(outMean)...)
	if err := l.coder.Adam.Step(m); err != nil {
		return nil, err
	}
	l.first++
	l.flow.observe(l.means)
	losses[lossFlow], err = l.flow.step(l.means, l.delays, x.Labels, rng)
	return losses, err
}

func coderLosses(m *nn.Machine) models.Losses {
	return models.Losses{lossAll: m.Loss(lossAll), lossNLL: m.Loss(lossNLL), lossKL: m.Loss(lossKL), lossMSE: m.Loss(lossMSE)}
}

// stepSecond updates the flow on the batch's latents, then the discriminator and the decoder.
func (l *Learner) stepSecond(x models.Batch, rng *rand.Rand) (models.Losses, error) {
	mean, err := l.encode(x.Data, x.B)
	if err != nil {
		return nil, err
	}
	l.means = append(l.means[:0], mean...)
	losses := models.Losses{}
	if losses[lossFlow], err = l.flow.step(l.means, l.delays, x.Labels, rng); err != nil {
		return nil, err
	}
	if _, bad := losses.NonFinite(); bad {
		return losses, nil
	}
	return losses, l.second.step(x, l.means, l.delays, rng, losses)
}

// weights returns the averaged weights of the autoencoder, which evaluate.
func (l *Learner) weights() *nn.Params {
	if l.second != nil {
		return l.second.Decoder.Average()
	}
	return l.coder.Average()
}

// encode returns the posterior means of clips [B, T, F] by the averaged weights, [B, Z]. They are valid until another
// graph runs.
func (l *Learner) encode(clips []float32, batch int) ([]float32, error) {
	name := "encode"
	if l.second != nil {
		name = "encode, frozen"
	}
	m, err := l.graphs.Get(name, batch, nn.Eval, l.weights(), func(n *nn.Graph) *nn.Tensor {
		encoderGraph(l.shape, l.config)(n, batch)
		return nil
	})
	if err != nil {
		return nil, err
	}
	err = m.Run(nn.Values(inClips, clips))
	return m.Output(outMean), err
}

// Eval implements models.Learner. It evaluates the averaged weights: reconstructions from the posterior's mean, and the
// flow's predictions at fixed times.
func (l *Learner) Eval(ctx context.Context, x models.Batch) (models.Losses, error) {
	if err := l.shape.Check(ctx, x); err != nil {
		return nil, wrap(err)
	}
	name := "eval"
	if l.second != nil {
		name = "eval, sharpened"
	}
	m, err := l.graphs.Get(name, x.B, nn.Eval, l.weights(), func(n *nn.Graph) *nn.Tensor {
		elbo(n, x.B, l.shape, l.config)
		return nil
	})
	if err != nil {
		return nil, wrap(err)
	}
	if err := m.Run(nn.Values(inClips, x.Data), nn.Scalar(inKL, l.config.KLWeight)); err != nil {
		return nil, wrap(err)
	}
	losses := coderLosses(m)
	losses[lossFlow], err = l.flow.eval(append([]float32(nil), m.Output(outMean)...), x.Labels)
	return losses, wrap(err)
}

// Calibrate implements models.Learner: it computes the mean latents of each label's training clips.
func (l *Learner) Calibrate(ctx context.Context, train models.Batch) error {
	if err := l.shape.Check(ctx, train); err != nil {
		return wrap(err)
	}
	const batch = 64
	width, size := len(l.labelMean)/l.shape.Labels, l.shape.Size()
	sum, count := make([]float64, len(l.labelMean)), make([]float64, l.shape.Labels)
	clips := make([]float32, batch*size)
	for lo := 0; lo < train.B; lo += batch {
		if err := ctx.Err(); err != nil {
			return wrap(err)
		}
		hi := min(lo+batch, train.B)
		clear(clips[copy(clips, train.Data[lo*size:hi*size]):])
		z, err := l.encode(clips, batch)
		if err != nil {
			return wrap(err)
		}
		for i, label := range train.Labels[lo:hi] {
			count[label]++
			for j, v := range z[i*width : (i+1)*width] {
				sum[label*width+j] += float64(v)
			}
		}
	}
	for i, v := range sum {
		l.labelMean[i] = float32(v / max(count[i/width], 1))
	}
	return nil
}

// augment returns the clips of x, varied as the configuration says and each delayed by a random number of frames, which
// are filled with silence. It sets the delays.
func (l *Learner) augment(x models.Batch, rng *rand.Rand) []float32 {
	if l.config.Vary > 0 {
		c := l.header.FrontEnd.Spectrogram
		l.varied = vae.Vary(l.varied, x, c.Levels(), c.Marks() > 0, l.config.Vary, rng)
		x.Data = l.varied
	}
	limit := min(l.config.Shift, x.T-1)
	l.delays = l.delays[:0]
	l.clips = append(l.clips[:0], x.Data...)
	for i := range x.B {
		delay := rng.IntN(limit + 1)
		l.delays = append(l.delays, float32(delay)/float32(max(limit, 1)))
		vae.Delay(l.clips[i*x.T*x.F:(i+1)*x.T*x.F], x.Clip(i), delay, x.F, l.header.FrontEnd.Spectrogram.Image())
	}
	return l.clips
}
