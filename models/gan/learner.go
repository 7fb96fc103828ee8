// Package gan is a conditional generative adversarial network (Goodfellow et al. 2014) for spectrograms. A generator
// makes clips from noise and a label; a discriminator with a projection of the label (Miyato and Koyama 2018) tells
// them from recordings, and names the label of recordings beside (Odena et al. 2017). Spectral normalisation (Miyato et
// al. 2018), the hinge loss and differentiable augmentation (Zhao et al. 2020) keep the game going on a few thousand
// clips; the generator's averaged weights are what is kept. Recordings of a label are sorted into modes first, so that
// the generator forgets fewer of their kinds.
//
// Its clips are sharper than a VAE's and less varied, and it takes longer to learn: see wavemill compare.
package gan

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"math/rand/v2"
	"slices"
	"strings"

	"wavemill/models"
	"wavemill/models/nn"
)

// Arch is the architecture's name.
const Arch = "gan"

// Prefixes of tensors in a checkpoint.
const (
	prefixModel     = "model/"         // the averaged generator, which generates
	prefixCritic    = "discriminator/" // which judges
	prefixWeights   = models.OptimizerPrefix + "generator/weights/"
	prefixGenerator = models.OptimizerPrefix + "generator/adam/"
	prefixAverage   = prefixGenerator + "ema/" // which are the model's
	prefixAdversary = models.OptimizerPrefix + "discriminator/adam/"
)

// placesName is the generator's parameter that has the places of the modes.
const placesName = "generator/modes/w"

// A Learner trains a model. It implements models.Learner.
type Learner struct {
	config Config
	shape  shape
	fe     models.FrontEnd
	labels []string
	seed   uint64

	generator, critic    *nn.Params
	adamG, adamD         *nn.Adam
	arena                *nn.Arena
	machines             map[machineKey]*nn.Machine
	steps, planned       int64
	pieces               int // minibatches of the last batch
	latents              []float32
	fakes, fakeAndReal   []float32
	ones, names          []float32
	modes                *modes    // nil for none
	correction           []float32 // [labels, T, F], where clips are corrected
	modesOf              []int     // of the clips of this step, and again those of as many
	twice                []int
	onReal, onFake, onIt Draw
}

var (
	_ models.Learner       = (*Learner)(nil)
	_ models.ModeFitter    = (*Learner)(nil)
	_ models.LRScaler      = (*Learner)(nil)
	_ models.LearningRater = (*Learner)(nil)
)

// machineKey tells machines apart.
type machineKey struct {
	what  string
	batch int
}

// NewLearner returns an untrained model. The config is JSON over the Defaults; nil means these.
func NewLearner(config json.RawMessage, fe models.FrontEnd, labels []string, seed uint64) (models.Learner, error) {
	c, err := ParseConfig(config)
	if err != nil {
		return nil, err
	}
	s, err := shapeOf(fe, labels)
	if err != nil {
		return nil, err
	}
	l := &Learner{
		config: c, shape: s, fe: fe, labels: labels, seed: seed,
		generator: nn.NewParams(seed), critic: nn.NewParams(seed), arena: new(nn.Arena), machines: map[machineKey]*nn.Machine{},
	}
	l.correction = make([]float32, s.labels*s.frames*s.bins)
	if n := c.ModesOfLabel(); n > 0 {
		l.modes = newModes(s, n)
	}
	// The optimisers must know every parameter, so one small graph is built before them.
	n := nn.NewGraph(nn.Train, l.generator)
	l.deceive(n, 2)
	if err := n.Err(); err != nil {
		return nil, fmt.Errorf("gan: %w", err)
	}
	l.adamG = nn.NewAdam(l.generator, nn.AdamConfig{Schedule: l.schedule(c.GeneratorRate), Beta1: -1, Beta2: 0.9, EMA: c.Average, EMAWarmup: true})
	l.adamD = nn.NewAdam(l.critic, nn.AdamConfig{Schedule: l.schedule(c.DiscriminatorRate), Beta1: -1, Beta2: 0.9})
	return l, nil
}

func (l *Learner) schedule(rate float64) nn.Schedule {
	return nn.Schedule{Rate: rate, Final: rate * l.config.FinalRate, Warmup: 50, Steps: l.planned}
}

// SetTotalSteps implements models.Learner.
func (l *Learner) SetTotalSteps(steps int64) {
	l.planned = steps
	updates := steps * int64(max(l.pieces, 1))
	l.adamG.SetTotalSteps(updates)
	judged := updates * int64(l.config.Critic)
	if l.config.Penalty > 0 {
		every := int64(l.config.PenaltyEvery)
		judged += (updates + every - 1) / every
	}
	l.adamD.SetTotalSteps(judged)
}

// ScaleLR implements models.LRScaler.
func (l *Learner) ScaleLR(factor float64) {
	l.adamG.ScaleLR(factor)
	l.adamD.ScaleLR(factor)
}

// LearningRate implements models.LearningRater.
func (l *Learner) LearningRate() float64 { return l.adamG.LearningRate() }

// machine returns the machine of that name for a batch size, which it builds where it is the first of its size.
func (l *Learner) machine(what string, batch int, build func(n *nn.Graph) (*nn.Machine, error)) (*nn.Machine, error) {
	key := machineKey{what, batch}
	if m := l.machines[key]; m != nil {
		return m, nil
	}
	m, err := build(nn.NewGraph(nn.Train, l.generator))
	if err != nil {
		return nil, fmt.Errorf("gan: %w", err)
	}
	l.machines[key] = m
	return m, nil
}

// Step implements models.Learner. The batch is cut into the minibatches of the configuration; in each, the generator
// steps first, and the discriminator then learns from the clips that the generator was judged by, which need not be
// made twice. Further steps of the discriminator have clips of their own.
func (l *Learner) Step(ctx context.Context, x models.Batch, rng *rand.Rand) (models.Losses, error) {
	if err := l.check(ctx, x); err != nil {
		return nil, err
	}
	losses := models.Losses{}
	parts := l.parts(x.B)
	if parts != l.pieces { // as in the first step
		l.pieces = parts
		l.SetTotalSteps(l.planned)
	}
	for i := range parts {
		part := cut(x, i*x.B/parts, (i+1)*x.B/parts)
		if err := l.play(part, rng, losses); err != nil {
			return nil, err
		}
		if _, bad := losses.NonFinite(); bad {
			return losses, nil // the trainer says which one; the weights are left alone
		}
	}
	l.steps++
	return losses, nil
}

// parts is how many minibatches a batch is cut into.
func (l *Learner) parts(batch int) int {
	m := l.config.Minibatch
	if m == 0 {
		return 1
	}
	return max(1, (batch+m-1)/m)
}

// cut returns clips lo to hi of x, which share its memory.
func cut(x models.Batch, lo, hi int) models.Batch {
	n := x.T * x.F
	x.B, x.Data, x.Labels = hi-lo, x.Data[lo*n:hi*n], x.Labels[lo:hi]
	return x
}

// play is a step of either player on the clips of x.
func (l *Learner) play(x models.Batch, rng *rand.Rand, losses models.Losses) error {
	round := l.adamG.Steps()
	l.sortOut(x)
	if err := l.stepPlayer(x, rng, losses); err != nil {
		return fmt.Errorf("gan: generator: %w", err)
	}
	for i := range l.config.Critic {
		if i > 0 {
			if err := l.sample(x, rng); err != nil {
				return fmt.Errorf("gan: generator: %w", err)
			}
		}
		if err := l.stepJudge(x, rng, losses); err != nil {
			return fmt.Errorf("gan: discriminator: %w", err)
		}
	}
	if l.config.Penalty > 0 && round%int64(l.config.PenaltyEvery) == 0 {
		if err := l.stepSlopes(x, rng, losses); err != nil {
			return fmt.Errorf("gan: penalty: %w", err)
		}
	}
	return nil
}

// sortOut finds the modes of the clips of a step.
func (l *Learner) sortOut(x models.Batch) {
	if l.modes != nil {
		l.modesOf = l.modes.of(l.modesOf[:0], x)
		l.modesOf = append(l.modesOf, l.modesOf...)
	}
}

// withModes adds the modes of the clips of this step to feeds of so many clips.
func (l *Learner) withModes(feeds []nn.Feed, clips int) []nn.Feed {
	if l.modes == nil {
		return feeds
	}
	return append(feeds, nn.Labels(inModes, l.modesOf[:clips]))
}

// noise draws latents for a batch.
func (l *Learner) noise(rng *rand.Rand, batch int) []float32 {
	l.latents = l.latents[:0]
	for range batch * l.config.Latent {
		l.latents = append(l.latents, float32(rng.NormFloat64()))
	}
	return l.latents
}

// oneHot returns the labels as rows of probabilities, in memory that is used again.
func (l *Learner) oneHot(labels []int) []float32 {
	l.names = slices.Grow(l.names[:0], len(labels)*l.shape.labels)[:len(labels)*l.shape.labels]
	clear(l.names)
	for i, label := range labels {
		l.names[i*l.shape.labels+label] = 1
	}
	return l.names
}

// sample makes clips of the labels of x.
func (l *Learner) sample(x models.Batch, rng *rand.Rand) error {
	m, err := l.machine("sample", x.B, func(n *nn.Graph) (*nn.Machine, error) {
		g := n.Frozen()
		n.Output(outClips, l.generate(g, g.Input(inLabels, x.B), l.modeInput(g, x.B), x.B))
		return n.Compile(nn.In(l.arena))
	})
	if err != nil {
		return err
	}
	feeds := []nn.Feed{nn.Values(inLatent, l.noise(rng, x.B)), nn.Labels(inLabels, x.Labels)}
	if err := m.Run(l.withModes(feeds, x.B)...); err != nil {
		return err
	}
	l.fakes = append(l.fakes[:0], m.Output(outClips)...)
	return nil
}

// feeds returns what the graphs of both players are fed with beside clips and labels.
func (l *Learner) feeds(x models.Batch) []nn.Feed {
	f := l.constantFeeds(x.B)
	if l.config.named() {
		f = append(f, nn.Values(inNames, l.oneHot(x.Labels)))
	}
	return f
}

// auxiliary is the weight that the auxiliary head has for the generator at the next step.
func (l *Learner) auxiliary() float64 {
	final := l.config.AuxiliaryFinal
	if final == 0 || l.planned == 0 {
		return l.config.Auxiliary
	}
	done := min(1, float64(l.steps)/(fadeShare*float64(l.planned)))
	return l.config.Auxiliary * (1 - done*(1-final))
}

// fadeShare is the share of the planned steps over which the auxiliary head loses its weight.
const fadeShare = 0.5

// constantFeeds are the constants of a batch.
func (l *Learner) constantFeeds(batch int) []nn.Feed {
	for len(l.ones) < batch {
		l.ones = append(l.ones, 1)
	}
	return []nn.Feed{nn.Scalar(inOne, 1), nn.Scalar(inZero, 0), nn.Values(inOnes, l.ones[:batch])}
}

func (l *Learner) stepJudge(x models.Batch, rng *rand.Rand, losses models.Losses) error {
	m, err := l.machine("judge", x.B, func(n *nn.Graph) (*nn.Machine, error) {
		return n.Compile(nn.Minimise(l.judge(n, x.B)), nn.In(l.arena))
	})
	if err != nil {
		return err
	}
	l.config.Augment.Draw(&l.onReal, rng, x.B, x.T, x.F)
	l.config.Augment.Draw(&l.onFake, rng, x.B, x.T, x.F)
	l.twice = append(append(l.twice[:0], x.Labels...), x.Labels...)
	feeds := append(l.onReal.Feeds(inReal), l.onFake.Feeds(inFake)...)
	feeds = append(feeds, nn.Values(inReal, x.Data), nn.Values(inFake, l.fakes), nn.Labels(inLabels, l.twice))
	feeds = l.withModes(feeds, 2*x.B)
	if err := m.Run(append(feeds, l.feeds(x)...)...); err != nil {
		return err
	}
	losses[lossJudge], losses[meanReal], losses[meanFake] = m.Loss(lossAll), m.Loss(meanReal), m.Loss(meanFake)
	if l.config.named() {
		losses[lossNames] = m.Loss(lossNames)
	}
	if _, bad := losses.NonFinite(); bad {
		return nil // the trainer says which one; the weights are left alone
	}
	return l.adamD.Step(m)
}

func (l *Learner) stepSlopes(x models.Batch, rng *rand.Rand, losses models.Losses) error {
	m, err := l.machine("slopes", x.B, func(n *nn.Graph) (*nn.Machine, error) {
		return n.Compile(nn.Minimise(l.slopes(n, x.B)), nn.In(l.arena))
	})
	if err != nil {
		return err
	}
	l.fakeAndReal = l.fakeAndReal[:0]
	for _, v := range x.Data {
		l.fakeAndReal = append(l.fakeAndReal, v+penaltyStep*float32(rng.NormFloat64()))
	}
	l.twice = append(append(l.twice[:0], x.Labels...), x.Labels...)
	feeds := []nn.Feed{nn.Values(inReal, x.Data), nn.Values(inNear, l.fakeAndReal), nn.Labels(inLabels, l.twice)}
	if err := m.Run(l.withModes(feeds, 2*x.B)...); err != nil {
		return err
	}
	if losses[lossSlope] = m.Loss(lossAll); losses[lossSlope] != losses[lossSlope] {
		return nil
	}
	return l.adamD.Step(m)
}

func (l *Learner) stepPlayer(x models.Batch, rng *rand.Rand, losses models.Losses) error {
	m, err := l.machine("deceive", x.B, func(n *nn.Graph) (*nn.Machine, error) {
		return n.Compile(nn.Minimise(l.deceive(n, x.B)), nn.In(l.arena))
	})
	if err != nil {
		return err
	}
	l.config.Augment.Draw(&l.onIt, rng, x.B, x.T, x.F)
	feeds := append(l.onIt.Feeds(inFake), nn.Values(inLatent, l.noise(rng, x.B)), nn.Labels(inLabels, x.Labels))
	feeds = l.withModes(feeds, x.B)
	if relativistic(l.config.Loss) {
		l.config.Augment.Draw(&l.onReal, rng, x.B, x.T, x.F)
		feeds = append(append(feeds, l.onReal.Feeds(inReal)...), nn.Values(inReal, x.Data))
	}
	if l.config.named() {
		feeds = append(feeds, nn.Scalar(inWeight, l.auxiliary()))
	}
	if err := m.Run(append(feeds, l.feeds(x)...)...); err != nil {
		return err
	}
	l.fakes = append(l.fakes[:0], m.Output(outClips)...)
	losses[lossPlayer] = m.Loss(lossAll)
	if l.config.named() {
		losses[lossNamed] = m.Loss(lossNamed)
	}
	if _, bad := losses.NonFinite(); bad {
		return nil
	}
	return l.adamG.Step(m)
}

// Eval implements models.Learner. The averaged generator plays against the discriminator without augmentation.
func (l *Learner) Eval(ctx context.Context, x models.Batch) (models.Losses, error) {
	if err := l.check(ctx, x); err != nil {
		return nil, err
	}
	m, err := l.machine("eval", x.B, func(n *nn.Graph) (*nn.Machine, error) {
		n = n.InMode(nn.Eval)
		g := n.With(l.adamG.Average())
		labels, modes := n.Input(inLabels, x.B), l.modeInput(n, x.B)
		d := l.criticFor(x.B)
		fake := d.Judge(n.With(l.critic), l.generate(g, labels, modes, x.B), labels, modes).Score
		real := d.Judge(n.With(l.critic).Reuse(), l.clipInput(n, inReal, x.B), labels, modes).Score
		n.Loss(meanFake, n.Mean(fake))
		n.Loss(meanReal, n.Mean(real))
		n.Loss(lossJudge, n.Add(n.HingeReal(real), n.HingeFake(fake)))
		return n.Compile(nn.In(l.arena))
	})
	if err != nil {
		return nil, err
	}
	z := l.noise(rand.New(rand.NewPCG(l.seed, 0x6576616c)), x.B)
	l.sortOut(x)
	feeds := []nn.Feed{nn.Values(inLatent, z), nn.Labels(inLabels, x.Labels), nn.Values(inReal, x.Data)}
	if err := m.Run(l.withModes(feeds, x.B)...); err != nil {
		return nil, fmt.Errorf("gan: %w", err)
	}
	return models.Losses{lossJudge: m.Loss(lossJudge), meanReal: m.Loss(meanReal), meanFake: m.Loss(meanFake)}, nil
}

func (l *Learner) check(ctx context.Context, x models.Batch) error {
	if err := ctx.Err(); err != nil {
		return err
	}
	if err := x.Validate(l.shape.labels); err != nil {
		return fmt.Errorf("gan: %w", err)
	}
	if x.T != l.shape.frames || x.F != l.shape.bins {
		return fmt.Errorf("gan: clips of [%d, %d], the model is for [%d, %d]", x.T, x.F, l.shape.frames, l.shape.bins)
	}
	return nil
}

// FitModes implements models.Surveyor: it sorts the recordings into their modes or, after the first step, into those that
// the networks know and further ones.
func (l *Learner) FitModes(ctx context.Context, train models.Batch) error {
	if l.modes == nil {
		return nil
	}
	if err := l.check(ctx, train); err != nil {
		return err
	}
	if l.steps > 0 {
		l.modes.follow(train, l.seed)
	} else {
		l.modes.sort(train, l.seed)
	}
	return nil
}

// Calibrate implements models.Learner: it estimates the correction. Of latents there is nothing to estimate: they are drawn
// from N(0, I), around the places of modes.
func (l *Learner) Calibrate(ctx context.Context, train models.Batch) error {
	if !l.config.corrects() {
		return nil
	}
	if err := l.check(ctx, train); err != nil {
		return err
	}
	if err := l.mend(ctx, train); err != nil {
		return fmt.Errorf("gan: correction: %w", err)
	}
	return nil
}

// Checkpoint implements models.Learner.
func (l *Learner) Checkpoint() (models.Checkpoint, error) {
	config, err := json.Marshal(l.config)
	if err != nil {
		return models.Checkpoint{}, fmt.Errorf("gan: %w", err)
	}
	c := models.Checkpoint{
		Format: models.Format, Arch: Arch, Config: config, FrontEnd: l.fe, Labels: l.labels, Seed: l.seed,
		Step: l.steps, Planned: l.planned,
	}
	for _, a := range [][]nn.Array{
		l.adamG.Average().Export(prefixModel), l.critic.Export(prefixCritic),
		l.generator.Export(prefixWeights), l.adamG.Export(prefixGenerator), l.adamD.Export(prefixAdversary),
	} {
		for _, x := range a {
			if strings.HasPrefix(x.Name, prefixAverage) { // those are the model's
				continue
			}
			if x.Name == prefixModel+placesName {
				x.Name = tensorMean
			}
			c.Tensors = append(c.Tensors, models.Tensor(x))
		}
	}
	if l.modes != nil {
		c.Tensors = append(c.Tensors, l.modes.tensors()...)
	}
	if l.config.corrects() {
		c.Tensors = append(c.Tensors, l.correctionTensor())
	}
	return c, nil
}

// Restore implements models.Learner.
func (l *Learner) Restore(c models.Checkpoint) error {
	config, err := json.Marshal(l.config)
	if err != nil {
		return fmt.Errorf("gan: %w", err)
	}
	if c.Arch != Arch || string(config) != string(c.Config) || c.FrontEnd != l.fe || len(c.Labels) != len(l.labels) {
		return errors.New("gan: the checkpoint is of a model with another configuration, front end or labels")
	}
	a := arrays(c.Tensors)
	for i, x := range a {
		if name, ok := strings.CutPrefix(x.Name, prefixModel); ok {
			a[i].Name = prefixAverage + name
		}
		if x.Name == tensorMean {
			a[i].Name = prefixAverage + placesName
		}
	}
	for _, err := range []error{
		l.generator.Import(prefixWeights, a), l.critic.Import(prefixCritic, a),
		l.adamG.Import(prefixGenerator, a), l.adamD.Import(prefixAdversary, a),
	} {
		if err != nil {
			return fmt.Errorf("gan: %w", err)
		}
	}
	if l.modes != nil {
		if err := l.modes.restore(c); err != nil {
			return fmt.Errorf("gan: modes: %w", err)
		}
	}
	if l.config.corrects() {
		if err := l.restoreCorrection(c); err != nil {
			return fmt.Errorf("gan: %w", err)
		}
	}
	l.seed, l.steps = c.Seed, c.Step
	l.SetTotalSteps(c.Planned)
	return nil
}

func arrays(t []models.Tensor) []nn.Array {
	a := make([]nn.Array, len(t))
	for i, x := range t {
		a[i] = nn.Array(x)
	}
	return a
}
