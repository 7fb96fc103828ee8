package vae

import (
	"context"
	"fmt"
	"math"

	"wavemill/models"
	"wavemill/models/internal/latent"
	"wavemill/models/internal/state"
	"wavemill/models/nn"
)

// A flow is a prior learned by a rectified flow (Liu et al. 2022; flow matching, Lipman et al. 2023): a network that
// predicts the velocity of a point on a straight path from noise, at time 0, to latents, at time 1. Drawing integrates it
// from a draw of N(0, I). It can fit any distribution of a label's latents, where a Gaussian also covers the gaps between
// them and a kernel density repeats the training clips. Latents are standardised by each variable's mean and deviation.
type flow struct {
	config         Config
	labels         int
	mean, variance []float32 // [Z]
	velocity       *nn.Predictor
}

// timeOctaves is the number of frequencies of the time features, besides the time itself.
const timeOctaves = 5

const timeWidth = 2*timeOctaves + 1

// timeFeatures fills dst with timeWidth functions of a time between 0 and 1.
func timeFeatures(dst []float32, t float64) {
	dst[0] = float32(t)
	for i := range timeOctaves {
		sin, cos := math.Sincos(math.Pi * t * float64(int(1)<<i))
		dst[2*i+1], dst[2*i+2] = float32(sin), float32(cos)
	}
}

// Names of the inputs, the output and the loss of the flow's graphs.
const (
	inPoint     = "point"     // [B, Z]
	inTime      = "time"      // [B, timeWidth]
	inDelay     = "delay"     // [B, 1]: of the clip, as a share of the largest
	inDirection = "direction" // [B, Z]
	outVelocity = "velocity"  // [B, Z]
	lossFlow    = "flow"
)

// velocity adds the network to n: for points [B, Z] at times, under labels [B], their velocities [B, Z].
//
// The delay of a training clip is an input too, and 0 when drawing, so that the random delays do not appear in generated
// clips (non-leaky augmentation, Karras et al. 2022).
func velocity(n *nn.Graph, batch, labels int, c Config) *nn.Tensor {
	in := []*nn.Tensor{n.Input(inPoint, batch, c.Latent), n.Input(inTime, batch, timeWidth), n.Input(inDelay, batch, 1)}
	names := n.Input(inLabels, batch)
	if !c.Unconditional {
		in = append(in, n.Embedding("label", names, labels, c.Embedding))
	}
	w := c.Flow.withDefaults().Width
	h := n.Dense("dense1", n.Concat(in...), w, nn.SiLU())              // [B, W]
	h = n.Add(h, n.Dense("dense2", h, w, nn.SiLU()))                   // [B, W]
	h = n.Add(h, n.Dense("dense3", h, w, nn.SiLU()))                   // [B, W]
	return n.Dense("velocity", h, c.Latent, nn.Weight(nn.Constant(0))) // [B, Z]: at the beginning, a Gaussian stays one
}

// newFlow returns the prior of the given weights and statistics of the latents, which it keeps.
func newFlow(c Config, labels int, p *nn.Params, mean, variance []float32) (*flow, error) {
	q, err := nn.NewPredictor(p, func(n *nn.Graph, batch int) { n.Output(outVelocity, velocity(n, batch, labels, c)) })
	if err != nil {
		return nil, fmt.Errorf("vae: flow: %w", err)
	}
	return &flow{config: c, labels: labels, mean: mean, variance: variance, velocity: q}, nil
}

// draw returns latents, [len(labels), Z]. Those of a clip depend on its label, its stream and the temperature, which
// scales the noise at time 0. It is safe for concurrent use.
func (f *flow) draw(ctx context.Context, labels []int, streams []latent.Stream, temperature float64) ([]float32, error) {
	width := f.config.Latent
	z := make([]float32, len(labels)*width)
	for i := range labels {
		rng := streams[i].Prior()
		for j := range width {
			z[i*width+j] = float32(temperature * rng.NormFloat64())
		}
	}
	err := f.velocity.Each(len(labels), func(m *nn.Machine, lo, hi int) error {
		if err := ctx.Err(); err != nil {
			return err
		}
		if err := m.Run(nn.Labels(inLabels, labels[lo:hi]), nn.Scalar(inDelay, 0)); err != nil {
			return err
		}
		return f.follow(m, z[lo*width:hi*width])
	})
	if err != nil {
		return nil, fmt.Errorf("vae: flow: %w", err)
	}
	for i := range z {
		j := i % width
		z[i] = f.mean[j] + float32(math.Sqrt(float64(f.variance[j])))*z[i]
	}
	return z, nil
}

// follow moves the points x [B, Z] from time 0 to 1 by Heun's method. The machine holds their labels.
func (f *flow) follow(m *nn.Machine, x []float32) error {
	steps := f.config.Flow.withDefaults().Steps
	point, times := m.Input(inPoint), m.Input(inTime)
	at := func(t float64) ([]float32, error) {
		timeFeatures(times, t)
		for i := timeWidth; i < len(times); i += timeWidth {
			copy(times[i:], times[:timeWidth])
		}
		err := m.Run()
		return m.Output(outVelocity), err
	}
	step := 1 / float32(steps)
	start := make([]float32, len(x)) // the velocity at the beginning of a step
	for k := range steps {
		copy(point, x)
		v, err := at(float64(k) / float64(steps))
		if err != nil {
			return err
		}
		copy(start, v)
		for i := range point {
			point[i] = x[i] + step*start[i]
		}
		if v, err = at(float64(k+1) / float64(steps)); err != nil {
			return err
		}
		for i := range x {
			x[i] += step * (start[i] + v[i]) / 2
		}
	}
	return nil
}

// Names of the flow's tensors.
const (
	tensorFlowMean     = "prior/flow/mean"     // [Z]
	tensorFlowVariance = "prior/flow/variance" // [Z]
	prefixFlow         = "prior/flow/model/"   // the averaged weights, which draw
	prefixFlowWeights  = models.OptimizerPrefix + "flow/weights/"
	prefixFlowAdam     = models.OptimizerPrefix + "flow/adam/"
	tensorFlowSeen     = models.OptimizerPrefix + "flow/seen" // [1]: batches in the statistics
)

// openFlow reads the prior of a checkpoint.
func openFlow(c models.Checkpoint, config Config, labels int) (*flow, error) {
	var statistics [2][]float32
	for i, name := range []string{tensorFlowMean, tensorFlowVariance} {
		t, err := c.Tensor(name)
		if err != nil {
			return nil, err
		}
		if len(t.Data) != config.Latent {
			return nil, fmt.Errorf("vae: tensor %s has shape %v; the model has %d latents", name, t.Shape, config.Latent)
		}
		statistics[i] = t.Data
	}
	if err := checkVariance(statistics[1]); err != nil {
		return nil, err
	}
	p, err := state.Params(c, prefixFlow)
	if err != nil {
		return nil, fmt.Errorf("vae: %w", err)
	}
	return newFlow(config, labels, p, statistics[0], statistics[1])
}

// checkVariance returns an error where a variance is negative.
func checkVariance(of []float32) error {
	for j, v := range of {
		if v < 0 {
			return fmt.Errorf("vae: tensor %s: the variance of latent %d is %g", tensorFlowVariance, j, v)
		}
	}
	return nil
}
