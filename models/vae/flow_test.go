package vae

import (
	"math"
	"math/rand/v2"
	"slices"
	"strings"
	"testing"

	"wavemill/models"
	"wavemill/models/internal/latent"
)

// moons draws n latents of two labels: for each two half circles that grip each other, the second label's turned by a
// quarter and moved away.
func moons(n int, seed uint64) (z []float32, labels []int) {
	rng := rand.New(rand.NewPCG(seed, 3))
	for i := range n {
		label := i % 2
		a := math.Pi * rng.Float64()
		x, y := math.Cos(a), math.Sin(a)-0.25
		if rng.IntN(2) == 1 {
			x, y = 1-x, 0.25-y
		}
		x, y = x-0.5+0.08*rng.NormFloat64(), y+0.08*rng.NormFloat64()
		if label == 1 {
			x, y = 3-y, 1+x
		}
		z, labels = append(z, float32(x), float32(y)), append(labels, label)
	}
	return z, labels
}

// energy returns the energy distance of two samples of points in the plane (Székely and Rizzo 2013): 0 for equal
// distributions.
func energy(a, b []float32) float64 {
	mean := func(a, b []float32) float64 {
		var sum float64
		for i := 0; i < len(a); i += 2 {
			for j := 0; j < len(b); j += 2 {
				sum += math.Hypot(float64(a[i]-b[j]), float64(a[i+1]-b[j+1]))
			}
		}
		return sum / float64(len(a)/2) / float64(len(b)/2)
	}
	return 2*mean(a, b) - mean(a, a) - mean(b, b)
}

// of returns the latents of a label.
func of(z []float32, labels []int, label int) (own []float32) {
	for i, l := range labels {
		if l == label {
			own = append(own, z[2*i:2*i+2]...)
		}
	}
	return own
}

// trainedFlow learns moons.
func trainedFlow(t *testing.T, c Config, steps int64) *flowLearner {
	t.Helper()
	f, err := newFlowLearner(c, 2, 1)
	if err != nil {
		t.Fatal(err)
	}
	f.setTotalSteps(steps)
	rng := rand.New(rand.NewPCG(1, 1))
	for i := range steps {
		z, labels := moons(64, uint64(i)+10)
		if _, err := f.step(z, make([]float32, 64), labels, rng); err != nil {
			t.Fatal(err)
		}
	}
	return f
}

var moonConfig = Config{Latent: 2, Prior: PriorFlow, Embedding: 4, Flow: Flow{Width: 128, Average: 0.995}}

func drawn(t *testing.T, f *flowLearner, label, count int, temperature float64) []float32 {
	t.Helper()
	p, err := openFlow(models.Checkpoint{Tensors: f.tensors()}, f.config, 2)
	if err != nil {
		t.Fatal(err)
	}
	z, err := p.draw(t.Context(), slices.Repeat([]int{label}, count), latent.Numbered(7, count), temperature)
	if err != nil {
		t.Fatal(err)
	}
	return z
}

// TestFlowFollowsTheLatents compares draws of the flow and of a Gaussian per label with latents that neither has seen:
// the Gaussian fills in what lies between the moons, the flow does not.
func TestFlowFollowsTheLatents(t *testing.T) {
	f := trainedFlow(t, moonConfig, 1500)
	fresh, labels := moons(1600, 1)
	seen, names := moons(1600, 2)
	gaussian, err := fitPrior(Config{Latent: 2, Prior: PriorClassGaussian}, seen, names, 2, 1)
	if err != nil {
		t.Fatal(err)
	}
	for label := range 2 {
		want := of(fresh, labels, label)
		var simple []float32
		for i := range 800 {
			simple = gaussian.draw(simple, label, latent.Stream{Seed: 7, Number: uint64(i)}.Prior(), 1)
		}
		noise := energy(of(seen, names, label), want)
		flow, plain := energy(drawn(t, f, label, 800, 1), want), energy(simple, want)
		t.Logf("label %d: energy distance %.4f of the flow, %.4f of the Gaussian, %.4f of other latents", label, flow, plain, noise)
		if !(flow < plain/2) {
			t.Errorf("label %d: the flow is at a distance of %.4f, the Gaussian at %.4f", label, flow, plain)
		}
	}
	cold := drawn(t, f, 0, 200, 0.5)
	if warm := drawn(t, f, 0, 200, 1); spread2(cold) >= spread2(warm) {
		t.Errorf("at half the temperature the draws spread by %.3f, at the whole by %.3f", spread2(cold), spread2(warm))
	}
}

// spread2 returns the mean distance of points from their mean.
func spread2(z []float32) float64 {
	var x, y, sum float64
	n := float64(len(z) / 2)
	for i := 0; i < len(z); i += 2 {
		x, y = x+float64(z[i])/n, y+float64(z[i+1])/n
	}
	for i := 0; i < len(z); i += 2 {
		sum += math.Hypot(float64(z[i])-x, float64(z[i+1])-y) / n
	}
	return sum
}

// TestFlowSteps shows that the default number of steps is enough: ten times as many give the same latents to within a
// fraction of their deviation.
func TestFlowSteps(t *testing.T) {
	f := trainedFlow(t, moonConfig, 150)
	usual := drawn(t, f, 1, 200, 1)
	f.config.Flow.Steps = 160
	var worst, mean float64
	for i, v := range drawn(t, f, 1, 200, 1) {
		d := math.Abs(float64(v - usual[i]))
		worst, mean = max(worst, d), mean+d/400
	}
	if mean > 0.01 || worst > 0.3 {
		t.Errorf("16 steps differ from 160 by %.4f on average, by %.3f at most", mean, worst)
	}
}

// TestFlowUndoesDelays trains on latents that a clip's delay moves, and expects draws as of clips without one.
func TestFlowUndoesDelays(t *testing.T) {
	f, err := newFlowLearner(moonConfig, 2, 1)
	if err != nil {
		t.Fatal(err)
	}
	f.setTotalSteps(250)
	rng := rand.New(rand.NewPCG(1, 1))
	z, delays, labels := make([]float32, 128), make([]float32, 64), make([]int, 64)
	for range 250 {
		for i := range labels {
			delays[i] = float32(rng.IntN(6)) / 5
			z[2*i], z[2*i+1] = 4*delays[i]+float32(0.3*rng.NormFloat64()), float32(0.3*rng.NormFloat64())
		}
		if _, err := f.step(z, delays, labels, rng); err != nil {
			t.Fatal(err)
		}
	}
	var mean float64
	d := drawn(t, f, 0, 300, 1)
	for i := 0; i < len(d); i += 2 {
		mean += float64(d[i]) / 300
	}
	if math.Abs(mean) > 0.2 {
		t.Errorf("the first latent is %.2f on average; without delay it is 0, with all delays 2", mean)
	}
}

func TestFlowRefuses(t *testing.T) {
	f := trainedFlow(t, moonConfig, 2)
	weights := prefixFlow + "dense1/w"
	for _, c := range []struct {
		tensor string
		spoil  func(x *models.Tensor)
		want   string
	}{
		{tensorFlowVariance, func(x *models.Tensor) { x.Data = x.Data[:1] }, "shape"},
		{tensorFlowVariance, func(x *models.Tensor) { x.Data = []float32{1, -1} }, "variance of latent 1 is -1"},
		{tensorFlowMean, func(x *models.Tensor) { x.Name = "other" }, tensorFlowMean},
		{weights, func(x *models.Tensor) { x.Name = "other" }, "dense1/w"},
		{weights, func(x *models.Tensor) { x.Shape, x.Data = []int{1}, x.Data[:1] }, "dense1/w"},
	} {
		spoiled := models.Checkpoint{Tensors: f.tensors()}
		for i := range spoiled.Tensors {
			if spoiled.Tensors[i].Name == c.tensor {
				c.spoil(&spoiled.Tensors[i])
			}
		}
		if _, err := openFlow(spoiled, f.config, 2); err == nil || !strings.Contains(err.Error(), c.want) {
			t.Errorf("opened: error %v, want one with %q", err, c.want)
		}
		if _, err := restoreFlow(spoiled, f.config, 2); err == nil || !strings.Contains(err.Error(), c.want) {
			t.Errorf("restored: error %v, want one with %q", err, c.want)
		}
	}
	loss, err := f.step([]float32{float32(math.NaN()), 0}, []float32{0}, []int{0}, rand.New(rand.NewPCG(1, 1)))
	if err != nil || !math.IsNaN(loss) {
		t.Errorf("a latent that is no number gives a loss of %g, error %v; want NaN, for the trainer to see", loss, err)
	}
}
