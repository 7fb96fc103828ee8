package vae

import (
	"fmt"
	"math"
	"math/rand/v2"
	"slices"

	"wavemill/models"
	"wavemill/models/internal/compiled"
	"wavemill/models/internal/latent"
	"wavemill/models/internal/state"
	"wavemill/models/nn"
)

// Of the flow's training.
const (
	// flowUpdates is the number of updates of the flow for each step of the networks, each on flowRepeats points on the
	// path to each of the batch's latents. Several small updates learn more in the same time than one large one.
	flowUpdates = 3
	flowRepeats = 2
	flowMemory  = 0.01 // weight of a batch in the statistics of the latents, once there were a hundred
)

// A flowLearner trains a flow together with the networks, on the posterior means of each batch. No gradient flows back to
// the encoder. It uses means, not samples, because the decoder makes cleaner clips from them; the other priors are fitted
// on means too.
type flowLearner struct {
	config  Config
	labels  int
	weights state.Optimised
	graphs  compiled.Cache

	seen           float32   // batches in the statistics
	mean, variance []float32 // [Z]

	point, direction, times, delays []float32
	names                           []int
}

func newFlowLearner(c Config, labels int, seed uint64) (*flowLearner, error) {
	params := nn.NewParams(seed)
	n := nn.NewGraph(nn.Train, params)
	velocity(n, 1, labels, c)
	if err := n.Err(); err != nil {
		return nil, fmt.Errorf("vae: flow: %w", err)
	}
	o := c.Flow.withDefaults()
	adam := nn.NewAdam(params, nn.AdamConfig{
		Schedule: nn.Schedule{Rate: o.Rate, Final: o.Rate / 100, Warmup: 20}, ClipNorm: 10, EMA: o.Average, EMAWarmup: true,
	})
	return &flowLearner{
		config: c, labels: labels, mean: make([]float32, c.Latent), variance: slices.Repeat([]float32{1}, c.Latent),
		weights: state.Optimised{Params: params, Adam: adam, Model: prefixFlow, Weights: prefixFlowWeights, Optimizer: prefixFlowAdam},
	}, nil
}

// step learns from latents z [B, Z] of clips with these labels, delayed by these shares of the largest delay, and returns
// the mean squared error of the velocities before each update, on average.
func (f *flowLearner) step(z, delays []float32, labels []int, rng *rand.Rand) (float64, error) {
	f.observe(z)
	var mean float64
	for range flowUpdates {
		f.prepare(z, delays, labels, rng)
		loss, err := f.update()
		mean += loss / flowUpdates
		if err != nil || math.IsNaN(loss) || math.IsInf(loss, 0) {
			return loss, err // the trainer reports the loss; the weights are not changed
		}
	}
	return mean, nil
}

// update descends the loss of the points prepared.
func (f *flowLearner) update() (float64, error) {
	count := len(f.names)
	m, err := f.graphs.Get("train", count, nn.Train, f.weights.Params, func(n *nn.Graph) *nn.Tensor {
		v := velocity(n, count, f.labels, f.config)
		return n.Loss(lossFlow, n.MSE(v, n.Input(inDirection, count, f.config.Latent)))
	})
	if err != nil {
		return 0, fmt.Errorf("vae: flow: %w", err)
	}
	if err := m.Run(nn.Values(inPoint, f.point), nn.Values(inDirection, f.direction), nn.Values(inTime, f.times),
		nn.Values(inDelay, f.delays), nn.Labels(inLabels, f.names)); err != nil {
		return 0, fmt.Errorf("vae: flow: %w", err)
	}
	loss := m.Loss(lossFlow)
	if math.IsNaN(loss) || math.IsInf(loss, 0) {
		return loss, nil
	}
	if err := f.weights.Adam.Step(m); err != nil {
		return 0, fmt.Errorf("vae: flow: %w", err)
	}
	return loss, nil
}

// setTotalSteps sets the planned number of steps of the networks.
func (f *flowLearner) setTotalSteps(steps int64) { f.weights.Adam.SetTotalSteps(flowUpdates * steps) }

// observe takes a batch's latents into the statistics.
func (f *flowLearner) observe(z []float32) {
	f.seen = latent.Observe(f.mean, f.variance, f.seen, flowMemory, z)
}

// prepare fills in points on the ways from fresh noise to the latents. Times are spread evenly over a step's points
// (additive recurrence by the golden ratio).
func (f *flowLearner) prepare(z, delays []float32, labels []int, rng *rand.Rand) {
	width := len(f.mean)
	f.point, f.direction, f.times, f.delays, f.names = f.point[:0], f.direction[:0], f.times[:0], f.delays[:0], f.names[:0]
	var features [timeWidth]float32
	start := rng.Float64()
	for range flowRepeats {
		for i, l := range labels {
			_, t := math.Modf(start + float64(len(f.names))*(math.Sqrt(5)-1)/2)
			timeFeatures(features[:], t)
			f.times = append(f.times, features[:]...)
			f.names, f.delays = append(f.names, l), append(f.delays, delays[i])
			for j := range width {
				end := (float64(z[i*width+j]) - float64(f.mean[j])) / math.Sqrt(max(float64(f.variance[j]), 1e-12))
				noise := rng.NormFloat64()
				f.point = append(f.point, float32((1-t)*noise+t*end))
				f.direction = append(f.direction, float32(end-noise))
			}
		}
	}
}

// tensors returns the state as it goes into a checkpoint.
func (f *flowLearner) tensors() []models.Tensor {
	width := len(f.mean)
	t := []models.Tensor{
		{Name: tensorFlowMean, Shape: []int{width}, Data: slices.Clone(f.mean)},
		{Name: tensorFlowVariance, Shape: []int{width}, Data: slices.Clone(f.variance)},
	}
	t = append(t, f.weights.ModelTensors()...)
	t = append(t, models.Tensor{Name: tensorFlowSeen, Shape: []int{1}, Data: []float32{f.seen}})
	return append(t, f.weights.TrainingTensors()...)
}

// restoreFlow returns the learner whose state tensors returned.
func restoreFlow(c models.Checkpoint, config Config, labels int) (*flowLearner, error) {
	f, err := newFlowLearner(config, labels, c.Seed)
	if err != nil {
		return nil, err
	}
	seen := make([]float32, 1)
	for name, to := range map[string][]float32{tensorFlowMean: f.mean, tensorFlowVariance: f.variance, tensorFlowSeen: seen} {
		t, err := c.Tensor(name)
		if err != nil {
			return nil, err
		}
		if len(t.Data) != len(to) {
			return nil, fmt.Errorf("vae: tensor %s has shape %v, want %d values", name, t.Shape, len(to))
		}
		copy(to, t.Data)
	}
	if err := checkVariance(f.variance); err != nil {
		return nil, err
	}
	f.seen = seen[0]
	if err := f.weights.Restore(c); err != nil {
		return nil, fmt.Errorf("vae: %w", err)
	}
	return f, nil
}
