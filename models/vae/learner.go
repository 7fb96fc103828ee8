// Package vae is a conditional variational autoencoder (Kingma and Welling 2014; Sohn et al. 2015) for spectrograms: the
// first model to try, because it learns something useful within minutes and does not collapse.
//
// An encoder of four convolutions finds the latents of a clip; a decoder of four blocks makes a clip from latents and a
// label. The squared error is weighed by the batch's own variance (sigma-VAE, Rybkin et al. 2021), which leaves no
// weight to tune against the KL term. Clips are drawn from a prior: one fitted on the latents of the training clips, label
// by label, or a flow learned beside the networks. The posterior, and the end of the decoder, can be mixtures of experts.
package vae

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
const Arch = "vae"

// Prefixes of tensors in a checkpoint.
const (
	prefixModel   = "model/"                            // the averaged weights, which generate
	prefixWeights = models.OptimizerPrefix + "weights/" // the weights as training left them
	prefixAdam    = models.OptimizerPrefix + "adam/"    // the optimiser's state
	prefixAverage = prefixAdam + "ema/"                 // of which these are the model's

	tensorVariance = models.OptimizerPrefix + "variance" // [1]: the likelihood's, with several encoders
)

// A Learner trains a model. It implements models.Learner.
type Learner struct {
	config Config
	shape  shape
	fe     models.FrontEnd
	labels []string
	seed   uint64

	params  *nn.Params
	arena   *nn.Arena
	adam    *nn.Adam
	train   map[int]*nn.Machine // by batch size
	eval    map[int]*nn.Machine
	encode  map[int]*nn.Machine
	decode  map[int]*nn.Machine
	planned int64
	prior   *prior
	texture *texture
	clips   []float32 // of the batch, shifted
	varied  []float32 // of the batch
	delays  []float32 // by which share of the largest delay

	flow     *flowLearner // nil unless the prior is one
	variance float32      // of the likelihood, with several encoders: of the batch before
	drawn    []float32
}

var (
	_ models.Learner       = (*Learner)(nil)
	_ models.LRScaler      = (*Learner)(nil)
	_ models.LearningRater = (*Learner)(nil)
)

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
		params: nn.NewParams(seed), arena: new(nn.Arena), prior: normalPrior(c.priors(s), c.Latent), variance: 1,
		texture: newResiduals(s.frames, s.bins).texture(),
		train:   map[int]*nn.Machine{}, eval: map[int]*nn.Machine{}, encode: map[int]*nn.Machine{}, decode: map[int]*nn.Machine{},
	}
	// The optimiser must know every parameter, so one small graph is built before it.
	n := nn.NewGraph(nn.Train, l.params)
	bound(n, 2, s, c)
	if err := n.Err(); err != nil {
		return nil, fmt.Errorf("vae: %w", err)
	}
	l.adam = nn.NewAdam(l.params, nn.AdamConfig{
		Schedule: nn.Schedule{Rate: c.Rate, Final: c.FinalRate, Warmup: 20}, WeightDecay: c.WeightDecay, ClipNorm: c.ClipNorm, EMA: c.Average, EMAWarmup: true,
	})
	if c.Prior == PriorFlow {
		if l.flow, err = newFlowLearner(c, s.labels, seed); err != nil {
			return nil, err
		}
	}
	return l, nil
}

// SetTotalSteps implements models.Learner.
func (l *Learner) SetTotalSteps(steps int64) {
	l.planned = steps
	l.adam.SetTotalSteps(steps)
	if l.flow != nil {
		l.flow.plan(steps)
	}
}

// ScaleLR implements models.LRScaler.
func (l *Learner) ScaleLR(factor float64) {
	l.adam.ScaleLR(factor)
	if l.flow != nil {
		l.flow.adam.ScaleLR(factor)
	}
}

// LearningRate implements models.LearningRater.
func (l *Learner) LearningRate() float64 { return l.adam.LearningRate() }

// klWeight returns the weight of the KL term at the next step.
func (l *Learner) klWeight() float64 {
	warm := l.config.WarmUp * float64(l.planned)
	step := float64(l.adam.Steps())
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
	if err := l.check(ctx, x); err != nil {
		return nil, err
	}
	m, err := l.machine(l.train, x.B, func() (*nn.Machine, error) {
		n := nn.NewGraph(nn.Train, l.params)
		return n.Compile(nn.Minimise(bound(n, x.B, l.shape, l.config)), nn.In(l.arena))
	})
	if err != nil {
		return nil, err
	}
	clips := l.shift(x, rng)
	feeds := append(l.mixtureFeeds(), nn.Values(inClips, clips), nn.Labels(inLabels, x.Labels), nn.Scalar(inKL, l.klWeight()), nn.Seed(rng.Uint64()))
	if err := m.Run(feeds...); err != nil {
		return nil, fmt.Errorf("vae: %w", err)
	}
	losses := l.losses(m)
	if _, bad := losses.NonFinite(); bad {
		return losses, nil // the trainer says which one; the weights are left alone
	}
	if err := l.adam.Step(m); err != nil {
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

// Eval implements models.Learner. It judges the averaged weights, and decodes the posterior's mean.
func (l *Learner) Eval(ctx context.Context, x models.Batch) (models.Losses, error) {
	if err := l.check(ctx, x); err != nil {
		return nil, err
	}
	m, err := l.machine(l.eval, x.B, func() (*nn.Machine, error) {
		n := nn.NewGraph(nn.Eval, l.model())
		bound(n, x.B, l.shape, l.config)
		return n.Compile(nn.In(l.arena))
	})
	if err != nil {
		return nil, err
	}
	if err := m.Run(append(l.mixtureFeeds(), nn.Values(inClips, x.Data), nn.Labels(inLabels, x.Labels), nn.Scalar(inKL, l.config.KLWeight))...); err != nil {
		return nil, fmt.Errorf("vae: %w", err)
	}
	return l.losses(m), nil
}

// model returns the weights that evaluate and generate.
func (l *Learner) model() *nn.Params {
	if p := l.adam.Average(); p != nil {
		return p
	}
	return l.params
}

// machine returns the machine for a batch size, which it builds where it is the first of its size.
func (l *Learner) machine(of map[int]*nn.Machine, size int, build func() (*nn.Machine, error)) (*nn.Machine, error) {
	if m := of[size]; m != nil {
		return m, nil
	}
	m, err := build()
	if err != nil {
		return nil, fmt.Errorf("vae: %w", err)
	}
	of[size] = m
	return m, nil
}

func (l *Learner) check(ctx context.Context, x models.Batch) error {
	if err := ctx.Err(); err != nil {
		return err
	}
	if err := x.Validate(l.shape.labels); err != nil {
		return fmt.Errorf("vae: %w", err)
	}
	if x.T != l.shape.frames || x.F != l.shape.bins {
		return fmt.Errorf("vae: clips of [%d, %d], the model is for [%d, %d]", x.T, x.F, l.shape.frames, l.shape.bins)
	}
	return nil
}

// shift returns the clips of x, varied as the configuration says and each delayed by a random number of frames. Silence, -1, comes before.
func (l *Learner) shift(x models.Batch, rng *rand.Rand) []float32 {
	if l.config.Vary > 0 {
		l.varied = Vary(l.varied, x, l.config.Vary, rng)
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
		clip := l.clips[i*x.T*x.F : (i+1)*x.T*x.F]
		copy(clip[delay:], x.Clip(i))
		for j := range clip[:delay] {
			clip[j] = -1
		}
	}
	return l.clips
}

// calibrationLimit is how many training clips the prior and the texture are fitted on at most, about.
const calibrationLimit = 16384

// Calibrate implements models.Learner: it fits the prior on the latents of the training clips, and the texture.
func (l *Learner) Calibrate(ctx context.Context, train models.Batch) error {
	if err := l.check(ctx, train); err != nil {
		return err
	}
	train = l.withVariations(train, choose(train.Labels, l.shape.labels, calibrationLimit))
	z := make([]float32, 0, train.B*l.config.Latent)
	var part models.Batch
	for of := range slices.Chunk(sequence(train.B), machineSize) {
		part = train.Select(part, of)
		mean, err := l.encodeBatch(ctx, part)
		if err != nil {
			return err
		}
		z = append(z, mean...)
	}
	p, err := fitPrior(l.config, z, train.Labels, l.shape.labels, l.seed)
	if err != nil {
		return err
	}
	t, err := l.fitTexture(ctx, train, z)
	if err != nil {
		return err
	}
	l.prior, l.texture = p, t
	return nil
}

func sequence(n int) []int {
	s := make([]int, n)
	for i := range s {
		s[i] = i
	}
	return s
}

// choose returns the indices of about limit clips, or of all, with as many of each label as there are, if possible.
func choose(labels []int, count, limit int) []int {
	seen := make([]int, count)
	var chosen []int
	for i, l := range labels {
		if len(labels) <= limit || seen[l] < limit/count {
			chosen = append(chosen, i)
		}
		seen[l]++
	}
	return chosen
}

// machineSize is the batch size of machines that calibrate.
const machineSize = 64

// encodeBatch returns the posterior means of at most machineSize clips, [B, Z], by the averaged weights.
func (l *Learner) encodeBatch(ctx context.Context, x models.Batch) ([]float32, error) {
	if err := ctx.Err(); err != nil {
		return nil, err
	}
	m, err := l.machine(l.encode, machineSize, func() (*nn.Machine, error) {
		n := nn.NewGraph(nn.Eval, l.model())
		mean, _ := encoder(n, n.Input(inClips, machineSize, l.shape.frames, l.shape.bins, 1), l.config)
		n.Output(outMean, mean)
		return n.Compile(nn.In(l.arena))
	})
	if err != nil {
		return nil, err
	}
	in := m.Input(inClips)
	clear(in[copy(in, x.Data):])
	if err := m.Run(); err != nil {
		return nil, fmt.Errorf("vae: %w", err)
	}
	return m.Output(outMean)[:x.B*l.config.Latent], nil
}

// textureLimit is how many training clips the texture is measured on at most.
const textureLimit = 1024

// fitTexture measures what the decoder leaves out of clips, which have the latents z.
func (l *Learner) fitTexture(ctx context.Context, train models.Batch, z []float32) (*texture, error) {
	m, err := l.machine(l.decode, machineSize, func() (*nn.Machine, error) {
		n := nn.NewGraph(nn.Eval, l.model())
		latents, labels := n.Input(inLatent, machineSize, l.config.Latent), n.Input(inLabels, machineSize)
		n.Output(outClips, decoder(n, latents, labels, l.shape, l.config))
		return n.Compile(nn.In(l.arena))
	})
	if err != nil {
		return nil, err
	}
	width, size := l.config.Latent, train.T*train.F
	stride := (train.B + textureLimit - 1) / textureLimit
	n := train.B / stride
	means := make([]float32, 0, n*size)
	latents, labels := make([]float32, machineSize*width), make([]int, machineSize)
	for lo := 0; lo < n; lo += machineSize {
		if err := ctx.Err(); err != nil {
			return nil, err
		}
		for i := range machineSize {
			k := min(lo+i, n-1) * stride
			copy(latents[i*width:], z[k*width:(k+1)*width])
			labels[i] = train.Labels[k]
		}
		if err := m.Run(nn.Values(inLatent, latents), nn.Labels(inLabels, labels)); err != nil {
			return nil, fmt.Errorf("vae: %w", err)
		}
		means = append(means, m.Output(outClips)[:min(machineSize, n-lo)*size]...)
	}
	r := newResiduals(train.T, train.F)
	for k := range n {
		r.measure(train.Clip(k*stride), means[k*size:(k+1)*size])
	}
	t := r.texture()
	for k := range n {
		r.spectrum(t, train.Clip(k*stride), means[k*size:(k+1)*size])
	}
	r.finish(t)
	return t, nil
}

// Checkpoint implements models.Learner.
func (l *Learner) Checkpoint() (models.Checkpoint, error) {
	config, err := json.Marshal(l.config)
	if err != nil {
		return models.Checkpoint{}, fmt.Errorf("vae: %w", err)
	}
	c := models.Checkpoint{
		Format: models.Format, Arch: Arch, Config: config, FrontEnd: l.fe, Labels: l.labels, Seed: l.seed,
		Step: l.adam.Steps(), Planned: l.planned,
	}
	c.Tensors = tensors(l.model().Export(prefixModel))
	c.Tensors = append(c.Tensors, l.prior.tensors()...)
	c.Tensors = append(c.Tensors, l.texture.tensors()...)
	c.Tensors = append(c.Tensors, tensors(l.params.Export(prefixWeights))...)
	for _, t := range tensors(l.adam.Export(prefixAdam)) {
		if !strings.HasPrefix(t.Name, prefixAverage) { // those are the model's
			c.Tensors = append(c.Tensors, t)
		}
	}
	if l.flow != nil {
		c.Tensors = append(c.Tensors, l.flow.tensors()...)
	}
	if l.config.Encoders > 1 {
		c.Tensors = append(c.Tensors, models.Tensor{Name: tensorVariance, Shape: []int{1}, Data: []float32{l.variance}})
	}
	return c, nil
}

// Restore implements models.Learner.
func (l *Learner) Restore(c models.Checkpoint) error {
	config, err := ParseConfig(c.Config)
	if err != nil {
		return err
	}
	if c.Arch != Arch || config != l.config || c.FrontEnd != l.fe || len(c.Labels) != len(l.labels) {
		return errors.New("vae: the checkpoint is of a model with another configuration, front end or labels")
	}
	p, err := openPrior(c, l.config.priors(l.shape), l.config.Latent)
	if err != nil {
		return err
	}
	t, err := openTexture(c, l.shape)
	if err != nil {
		return err
	}
	flow, variance, err := l.restoreOptions(c)
	if err != nil {
		return err
	}
	a := arrays(c.Tensors)
	for i, x := range a {
		if name, ok := strings.CutPrefix(x.Name, prefixModel); ok {
			a[i].Name = prefixAverage + name
		}
	}
	if err := l.params.Import(prefixWeights, a); err != nil {
		return fmt.Errorf("vae: %w", err)
	}
	if err := l.adam.Import(prefixAdam, a); err != nil {
		return fmt.Errorf("vae: %w", err)
	}
	l.prior, l.texture, l.seed = p, t, c.Seed
	l.flow, l.variance = flow, variance
	l.SetTotalSteps(c.Planned)
	return nil
}

// restoreOptions reads what only some configurations have: the flow's learner and the likelihood's variance.
func (l *Learner) restoreOptions(c models.Checkpoint) (flow *flowLearner, variance float32, err error) {
	if l.config.Prior == PriorFlow {
		if flow, err = restoreFlow(c, l.config, l.shape.labels); err != nil {
			return nil, 0, err
		}
	}
	if l.config.Encoders <= 1 {
		return flow, 1, nil
	}
	t, err := c.Tensor(tensorVariance)
	if err != nil {
		return nil, 0, err
	}
	if len(t.Data) != 1 {
		return nil, 0, fmt.Errorf("vae: tensor %s has shape %v, want one value", tensorVariance, t.Shape)
	}
	return flow, t.Data[0], nil
}

func tensors(a []nn.Array) []models.Tensor {
	t := make([]models.Tensor, len(a))
	for i, x := range a {
		t[i] = models.Tensor(x)
	}
	return t
}

func arrays(t []models.Tensor) []nn.Array {
	a := make([]nn.Array, len(t))
	for i, x := range t {
		a[i] = nn.Array(x)
	}
	return a
}
