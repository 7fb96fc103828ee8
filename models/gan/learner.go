package gan

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
)

// Arch is the architecture's name.
const Arch = "gan"

// A Learner trains a model. It implements models.Learner.
type Learner struct {
	header         state.Header[Config]
	config         Config      // header's
	shape          shape.Shape // header's
	steps, planned int64
	pieces         int // minibatches of the last batch

	generator     state.Optimised
	discriminator *nn.Params
	adamD         *nn.Adam // the discriminator's
	graphs        *compiled.Cache
	modes         *modes    // nil for none
	correction    []float32 // [labels, T, F], where generated clips are corrected

	// Memory that steps use again.
	latents                  []float32 // [B, Z]
	fakes, near              []float32 // [B, T, F]
	ones, oneHots            []float32
	modesOf                  []int // of the clips of a step, twice
	twice                    []int // labels of the clips of a step, twice
	augmentReal, augmentFake Draw  // of the generator's update
	pair                     Pair  // of the discriminator's update
}

var _ interface {
	models.Learner
	models.PartFreezer
	models.ModeFitter
	models.LRScaler
	models.LearningRater
} = (*Learner)(nil)

// NewLearner returns an untrained model. The config is JSON over the Defaults; nil means these.
func NewLearner(config json.RawMessage, fe models.FrontEnd, labels []string, seed uint64) (models.Learner, error) {
	h, err := state.New(Arch, ParseConfig, config, fe, labels, seed)
	if err != nil {
		return nil, err
	}
	c, s := h.Config, h.Shape
	l := &Learner{
		header: h, config: c, shape: s, discriminator: nn.NewParams(seed), graphs: compiled.New(),
		correction: make([]float32, s.Labels*s.Size()),
		generator: state.Optimised{
			Params: nn.NewParams(seed), Model: prefixModel, Weights: prefixWeights, Optimizer: prefixGenerator,
			Elsewhere: map[string]string{modeMeansName: tensorMean},
		},
	}
	if n := c.ModesOfLabel(); n > 0 {
		l.modes = newModes(s, n)
	}
	// The optimisers must know every parameter, so one small graph is built before them.
	n := nn.NewGraph(nn.Train, l.generator.Params)
	l.generatorLoss(n, 2)
	if err := n.Err(); err != nil {
		return nil, fmt.Errorf("gan: %w", err)
	}
	l.generator.Adam = nn.NewAdam(l.generator.Params, nn.AdamConfig{Schedule: l.schedule(c.GeneratorRate), Beta1: -1, Beta2: 0.9, EMA: c.Average, EMAWarmup: true})
	l.adamD = nn.NewAdam(l.discriminator, nn.AdamConfig{Schedule: l.schedule(c.DiscriminatorRate), Beta1: -1, Beta2: 0.9})
	return l, nil
}

func (l *Learner) schedule(rate float64) nn.Schedule {
	return nn.Schedule{Rate: rate, Final: rate * l.config.FinalRate, Warmup: 50, Steps: l.planned}
}

// SetTotalSteps implements models.Learner.
func (l *Learner) SetTotalSteps(steps int64) {
	l.planned = steps
	updates := steps * int64(max(l.pieces, 1))
	l.generator.Adam.SetTotalSteps(updates)
	discriminators := updates * int64(l.config.DiscriminatorSteps)
	if l.config.Penalty > 0 {
		every := int64(l.config.PenaltyEvery)
		discriminators += (updates + every - 1) / every
	}
	l.adamD.SetTotalSteps(discriminators)
}

// partDiscriminator is what Freeze freezes: the first three of the discriminator's four convolutions.
const partDiscriminator = "discriminator"

// Freeze implements models.PartFreezer. The part is partDiscriminator: its first three convolutions stay as they are in the
// base; the later layers and the generator are trained (Mo, Cho and Shin, "Freeze the discriminator: a simple baseline for
// fine-tuning GANs", 2020).
func (l *Learner) Freeze(parts []string) error {
	for _, part := range parts {
		if part != partDiscriminator {
			return fmt.Errorf("gan: part %q cannot be frozen; the discriminator can", part)
		}
		for _, name := range []string{"conv1", "conv2", "conv3"} {
			l.discriminator.Freeze(partDiscriminator + "/" + name)
		}
	}
	return nil
}

// ScaleLR implements models.LRScaler.
func (l *Learner) ScaleLR(factor float64) {
	l.generator.Adam.ScaleLR(factor)
	l.adamD.ScaleLR(factor)
}

// LearningRate implements models.LearningRater.
func (l *Learner) LearningRate() float64 { return l.generator.Adam.LearningRate() }

// Step implements models.Learner. The batch is cut into the minibatches of the configuration, and each updates both
// networks. The generator is updated first; the discriminator's first update uses the clips of that update, which saves
// generating them again. Further discriminator updates generate clips of their own.
func (l *Learner) Step(ctx context.Context, x models.Batch, rng *rand.Rand) (models.Losses, error) {
	if err := l.shape.Check(ctx, x); err != nil {
		return nil, fmt.Errorf("gan: %w", err)
	}
	losses := models.Losses{}
	parts := l.parts(x.B)
	if parts != l.pieces { // as in the first step
		l.pieces = parts
		l.SetTotalSteps(l.planned)
	}
	for i := range parts {
		part := cut(x, i*x.B/parts, (i+1)*x.B/parts)
		if err := l.adversarialStep(part, rng, losses); err != nil {
			return nil, err
		}
		if _, bad := losses.NonFinite(); bad {
			return losses, nil // the trainer reports the loss; the weights are not changed
		}
	}
	l.steps++
	return losses, nil
}

// parts returns the number of minibatches that a batch is cut into.
func (l *Learner) parts(batch int) int {
	m := l.config.Minibatch
	if m == 0 {
		return 1
	}
	return max(1, (batch+m-1)/m)
}

// cut returns clips lo to hi-1 of x, which share its memory.
func cut(x models.Batch, lo, hi int) models.Batch {
	n := x.T * x.F
	x.B, x.Data, x.Labels = hi-lo, x.Data[lo*n:hi*n], x.Labels[lo:hi]
	return x
}

// adversarialStep updates the generator and the discriminator on the clips of x.
func (l *Learner) adversarialStep(x models.Batch, rng *rand.Rand, losses models.Losses) error {
	round := l.generator.Adam.Steps()
	l.assignModes(x)
	if err := l.generatorStep(x, rng, losses); err != nil {
		return fmt.Errorf("gan: generator: %w", err)
	}
	for i := range l.config.DiscriminatorSteps {
		if i > 0 {
			if err := l.sample(x, rng); err != nil {
				return fmt.Errorf("gan: generator: %w", err)
			}
		}
		if err := l.discriminatorStep(x, rng, losses); err != nil {
			return fmt.Errorf("gan: discriminator: %w", err)
		}
	}
	if l.config.Penalty > 0 && round%int64(l.config.PenaltyEvery) == 0 {
		if err := l.penaltyStep(x, rng, losses); err != nil {
			return fmt.Errorf("gan: penalty: %w", err)
		}
	}
	return nil
}

// Eval implements models.Learner. It evaluates the averaged generator against the discriminator, without augmentation.
func (l *Learner) Eval(ctx context.Context, x models.Batch) (models.Losses, error) {
	if err := l.shape.Check(ctx, x); err != nil {
		return nil, fmt.Errorf("gan: %w", err)
	}
	m, err := l.graphs.Get("eval", x.B, nn.Eval, l.generator.Average(), func(n *nn.Graph) *nn.Tensor {
		labels, modes := n.Input(inLabels, x.B), l.modeInput(n, x.B)
		d := l.network().ForBatch(x.B)
		fake := d.Apply(n.With(l.discriminator), l.generate(n, labels, modes, x.B), labels, modes).Score
		real := d.Apply(n.With(l.discriminator).Reuse(), l.clipInput(n, inReal, x.B), labels, modes).Score
		n.Loss(meanFake, n.Mean(fake))
		n.Loss(meanReal, n.Mean(real))
		n.Loss(lossDiscriminator, n.Add(n.HingeReal(real), n.HingeFake(fake)))
		return nil
	})
	if err != nil {
		return nil, fmt.Errorf("gan: %w", err)
	}
	z := l.noise(rand.New(rand.NewPCG(l.header.Seed, 0x6576616c)), x.B)
	l.assignModes(x)
	feeds := []nn.Feed{nn.Values(inLatent, z), nn.Labels(inLabels, x.Labels), nn.Values(inReal, x.Data)}
	if err := m.Run(l.withModes(feeds, x.B)...); err != nil {
		return nil, fmt.Errorf("gan: %w", err)
	}
	return models.Losses{lossDiscriminator: m.Loss(lossDiscriminator), meanReal: m.Loss(meanReal), meanFake: m.Loss(meanFake)}, nil
}

// FitModes implements models.ModeFitter: it clusters the recordings of each label. After the first step, it keeps the
// modes that the networks have learnt and adds further ones.
func (l *Learner) FitModes(ctx context.Context, train models.Batch) error {
	if l.modes == nil {
		return nil
	}
	if err := l.shape.Check(ctx, train); err != nil {
		return fmt.Errorf("gan: %w", err)
	}
	if l.steps > 0 {
		l.modes.refit(train, l.header.Seed)
		return nil
	}
	if err := l.modes.fit(train, l.header.Seed); err != nil {
		return fmt.Errorf("gan: %w", err)
	}
	return nil
}

// Calibrate implements models.Learner: it estimates the bias correction. The prior needs no estimate: latents are drawn
// from N(0, I), around the mean of a mode.
func (l *Learner) Calibrate(ctx context.Context, train models.Batch) error {
	if !l.config.corrects() {
		return nil
	}
	if err := l.shape.Check(ctx, train); err != nil {
		return fmt.Errorf("gan: %w", err)
	}
	if err := l.fitCorrection(ctx, train); err != nil {
		return fmt.Errorf("gan: bias correction: %w", err)
	}
	return nil
}
