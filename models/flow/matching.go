package flow

import (
	"fmt"
	"math"
	"math/rand/v2"
	"slices"

	"wavemill/models"
	"wavemill/models/internal/compiled"
	"wavemill/models/internal/latent"
	"wavemill/models/internal/shape"
	"wavemill/models/internal/state"
	"wavemill/models/nn"
)

// A matcher trains the flow on the posterior means of batches. It uses means, not samples, because the decoder makes
// cleaner clips from them.
type matcher struct {
	config  Config
	shape   shape.Shape
	grid    grid
	weights state.Optimised
	graphs  *compiled.Cache

	seen           float32   // batches in the statistics
	mean, variance []float32 // [C], of the latents

	point, target, context, known []float32
}

// The statistics of the latents.
const (
	memory = 0.01 // weight of a batch, once there were a hundred
	// leastVariance is added to the variance of a channel by which it is standardised, so that a channel that the
	// autoencoder does not use is not magnified.
	leastVariance = 0.01
)

func newMatcher(h state.Header[Config], graphs *compiled.Cache) (*matcher, error) {
	c, s := h.Config, h.Shape
	params := nn.NewParams(h.Seed)
	n := nn.NewGraph(nn.Train, params)
	matching(n, 1, s, c)
	if err := n.Err(); err != nil {
		return nil, fmt.Errorf("flow: %w", err)
	}
	adam := nn.NewAdam(params, nn.AdamConfig{
		Schedule: nn.Schedule{Rate: c.FlowRate, Final: c.FlowRate * c.FinalRate, Warmup: 50}, ClipNorm: 10, EMA: c.Average, EMAWarmup: true,
	})
	return &matcher{
		config: c, shape: s, grid: c.grid(s.Frames, s.Bins), graphs: graphs,
		mean: make([]float32, c.Latent), variance: slices.Repeat([]float32{1}, c.Latent),
		weights: state.Optimised{Params: params, Adam: adam, Model: prefixFlow, Weights: prefixFlowWeights, Optimizer: prefixFlowAdam},
	}, nil
}

// deviation returns the deviations by which latents are standardised, [C].
func deviation(variance []float32) []float32 {
	out := make([]float32, len(variance))
	for i, v := range variance {
		out[i] = float32(math.Sqrt(max(float64(v), 0) + leastVariance))
	}
	return out
}

// sampler returns the sampler for the latents seen so far.
func (f *matcher) sampler() (sampler, error) {
	return newSampler(f.config, f.shape, f.mean, deviation(f.variance))
}

// observe takes a batch's latents z [B, Z] into the statistics.
func (f *matcher) observe(z []float32) {
	f.seen = latent.Observe(f.mean, f.variance, f.seen, memory, z)
}

// step learns from latents z [B, Z] of clips with these labels, delayed by these shares of the largest delay, and returns
// the mean loss before each update.
func (f *matcher) step(z, delays []float32, labels []int, rng *rand.Rand) (float64, error) {
	var mean float64
	for range f.config.FlowUpdates {
		loss, err := f.update(z, delays, labels, rng)
		mean += loss / float64(f.config.FlowUpdates)
		if err != nil || math.IsNaN(loss) || math.IsInf(loss, 0) {
			return loss, err // the trainer reports the loss; the weights are not changed
		}
	}
	return mean, nil
}

// update descends the loss at fresh points on the paths to latents.
func (f *matcher) update(z, delays []float32, labels []int, rng *rand.Rand) (float64, error) {
	f.prepare(z, delays, rng)
	m, err := f.machine("flow", len(labels), nn.Train, f.weights.Params)
	if err != nil {
		return 0, err
	}
	loss, err := f.run(m, labels)
	if err != nil || math.IsNaN(loss) || math.IsInf(loss, 0) {
		return loss, err
	}
	return loss, f.weights.Adam.Step(m)
}

// setTotalSteps sets the planned number of steps of the training.
func (f *matcher) setTotalSteps(steps int64) {
	f.weights.Adam.SetTotalSteps(steps * int64(f.config.FlowUpdates))
}

func (f *matcher) machine(name string, batch int, mode nn.Mode, p *nn.Params) (*nn.Machine, error) {
	return f.graphs.Get(name, batch, mode, p, func(n *nn.Graph) *nn.Tensor {
		loss := matching(n, batch, f.shape, f.config)
		if mode == nn.Eval {
			return nil
		}
		return loss
	})
}

// run computes the loss of the points prepared.
func (f *matcher) run(m *nn.Machine, labels []int) (float64, error) {
	err := m.Run(nn.Values(inPoint, f.point), nn.Values(inTarget, f.target), nn.Values(inContext, f.context),
		nn.Values(inKnown, f.known), nn.Labels(inLabels, labels))
	return m.Loss(lossFlow), err
}

// eval returns the loss of the averaged weights for latents z [B, Z] of clips without a delay, at times and noise that are
// the same for every call.
func (f *matcher) eval(z []float32, labels []int) (float64, error) {
	f.prepare(z, make([]float32, len(labels)), rand.New(rand.NewPCG(0, 0x666c6f77)))
	m, err := f.machine("flow loss", len(labels), nn.Eval, f.weights.Average())
	if err != nil {
		return 0, err
	}
	return f.run(m, labels)
}

// prepare fills in points on the paths from fresh noise to the latents, and what the network should make of them. Times
// are spread evenly over a batch (additive recurrence by the golden ratio) before they are made normal.
func (f *matcher) prepare(z, delays []float32, rng *rand.Rand) {
	width, channels := f.grid.size(), len(f.mean)
	f.point, f.target, f.context, f.known = f.point[:0], f.target[:0], f.context[:0], f.known[:0]
	start := rng.Float64()
	for i, delay := range delays {
		_, u := math.Modf(start + float64(i)*(math.Sqrt(5)-1)/2)
		t := timeOf(math.Sqrt2 * math.Erfinv(2*min(max(u, 1e-6), 1-1e-6)-1))
		f.context = append(timeFeatures(f.context, t), delay)
		known := float32(1)
		if rng.Float64() < f.config.LabelDropout {
			known = 0
		}
		f.known = append(f.known, known)
		for j, v := range z[i*width : (i+1)*width] {
			c := j % channels
			end := (float64(v) - float64(f.mean[c])) / math.Sqrt(max(float64(f.variance[c]), 0)+leastVariance)
			noise := rng.NormFloat64()
			f.point = append(f.point, float32((1-t)*noise+t*end))
			f.target = append(f.target, float32(target(t, noise, end)))
		}
	}
}

// tensors returns the state as it goes into a checkpoint.
func (f *matcher) tensors() []models.Tensor {
	t := f.weights.ModelTensors()
	t = append(t,
		models.Tensor{Name: tensorMean, Shape: []int{len(f.mean)}, Data: slices.Clone(f.mean)},
		models.Tensor{Name: tensorVariance, Shape: []int{len(f.variance)}, Data: slices.Clone(f.variance)},
		models.Tensor{Name: tensorSeen, Shape: []int{1}, Data: []float32{f.seen}})
	return append(t, f.weights.TrainingTensors()...)
}

// restore reads what tensors returned.
func (f *matcher) restore(c models.Checkpoint) error {
	seen := make([]float32, 1)
	for name, to := range map[string][]float32{tensorMean: f.mean, tensorVariance: f.variance, tensorSeen: seen} {
		if err := readTensor(c, name, to); err != nil {
			return err
		}
	}
	f.seen = seen[0]
	return f.weights.Restore(c)
}

// readTensor copies a tensor of a checkpoint to dst, whose length it must have.
func readTensor(c models.Checkpoint, name string, dst []float32) error {
	t, err := c.Tensor(name)
	if err != nil {
		return err
	}
	if len(t.Data) != len(dst) {
		return fmt.Errorf("tensor %s has shape %v, want %d values", name, t.Shape, len(dst))
	}
	copy(dst, t.Data)
	return nil
}
