package flow

import (
	"math"
	"slices"
	"testing"

	"wavemill/models/internal/compiled"
	"wavemill/models/nn"
)

// TestPath shows that the target is what the end is predicted from exactly, and that exact predictions keep a point on its
// path and take it to the end.
func TestPath(t *testing.T) {
	random := rng(4)
	for range 200 {
		noise, z, at := random.NormFloat64(), random.NormFloat64(), 0.999*random.Float64()
		next := at + (1-at)*random.Float64()
		point := func(t float64) float64 { return (1-t)*noise + t*z }
		f := target(at, noise, z)
		if keep, change := ends(at); math.Abs(keep*point(at)+change*f-z) > 1e-9 {
			t.Errorf("the end from time %g is %g, want %g", at, keep*point(at)+change*f, z)
		}
		for _, to := range []float64{next, 1} {
			if keep, change := advance(at, to); math.Abs(keep*point(at)+change*f-point(to)) > 1e-9 {
				t.Errorf("from time %g to %g: %g, want %g", at, to, keep*point(at)+change*f, point(to))
			}
		}
	}
}

// TestTargetsHaveUnitVariance is the reason for the factors: the network sees errors of one size at all times.
func TestTargetsHaveUnitVariance(t *testing.T) {
	random := rng(5)
	for _, at := range []float64{0, 0.1, 0.5, 0.9, 1} {
		var square, cross float64
		const n = 20000
		for range n {
			noise, z := random.NormFloat64(), random.NormFloat64()
			f := target(at, noise, z)
			square += f * f / n
			cross += f * ((1-at)*noise + at*z) / n
		}
		if math.Abs(square-1) > 0.05 || math.Abs(cross) > 0.05 {
			t.Errorf("time %g: variance %g, covariance with the point %g; want 1 and 0", at, square, cross)
		}
	}
}

func TestTimes(t *testing.T) {
	if timeOf(0) != 0.5 || timeOf(-2) > 0.07 || timeOf(2) < 0.93 {
		t.Errorf("times %g, %g, %g", timeOf(-2), timeOf(0), timeOf(2))
	}
	l := learner(t, `{"label_dropout": 0.25}`)
	l.flow.prepare(make([]float32, 400*l.flow.grid.size()), make([]float32, 400), rng(6))
	var early, late, unknown int
	for i := range 400 {
		switch at := l.flow.context[i*(timeWidth+1)]; {
		case at < 0.2:
			early++
		case at > 0.8:
			late++
		}
		if l.flow.known[i] == 0 {
			unknown++
		}
	}
	// P(t < .2) is P(N < -ln 4 / 1.4) = .16.
	if early < 50 || early > 80 || late < 50 || late > 80 || unknown < 75 || unknown > 125 {
		t.Errorf("of 400 times %d below .2 and %d above .8, of 400 labels %d left out; want 64, 64, 100", early, late, unknown)
	}
}

// TestSampler compares the unrolled sampler with a walk on which the network is run once at a time, at two guidances.
func TestSampler(t *testing.T) {
	l := learner(t, small)
	for range 20 {
		if _, err := l.Step(t.Context(), clips(), rng(7)); err != nil {
			t.Fatal(err)
		}
	}
	s, width, names := l.shape, l.flow.grid.size(), []int{0, 2}
	random := rng(8)
	noise := make([]float32, 2*width)
	for i := range noise {
		noise[i] = float32(random.NormFloat64())
	}
	for _, guidance := range []float64{1, 2.5} {
		c := l.config
		c.Guidance, c.Steps = guidance, 4
		p, err := newSampler(c, s, l.flow.mean, deviation(l.flow.variance))
		if err != nil {
			t.Fatal(err)
		}
		m, err := compiled.New().Get("sampler", 2, nn.Eval, l.flow.weights.Params, func(n *nn.Graph) *nn.Tensor {
			p.graph()(n, 2)
			return nil
		})
		if err != nil {
			t.Fatal(err)
		}
		if err := m.Run(nn.Values(inNoise, noise), nn.Labels(inLabels, names)); err != nil {
			t.Fatal(err)
		}
		for i, want := range walk(t, l, c, noise, names) {
			if got := m.Output(outLatents)[i]; math.Abs(float64(got-want)) > 1e-4 {
				t.Fatalf("guidance %g: latent %d is %g, want %g", guidance, i, got, want)
			}
		}
	}
}

// walk is the sampler by the definition: ends from one prediction a step, and latents from their statistics.
func walk(t *testing.T, l *Learner, c Config, noise []float32, names []int) []float32 {
	t.Helper()
	width := l.flow.grid.size()
	m, err := compiled.New().Get("step", 2, nn.Eval, l.flow.weights.Params, func(n *nn.Graph) *nn.Tensor {
		e := n.MulRows(embedding(n, n.Input(inLabels, 2), l.shape, c), n.Input(inKnown, 2))
		n.Output("f", predictEnd(n, n.Input(inPoint, 2, width), n.Input(inContext, 2, timeWidth+1), e, l.flow.grid, c))
		return nil
	})
	if err != nil {
		t.Fatal(err)
	}
	x := slices.Clone(noise)
	for k := range c.Steps {
		at := float64(k) / float64(c.Steps)
		context := append(timeFeatures(nil, at), 0)
		f := func(known float64) []float32 {
			if err := m.Run(nn.Values(inPoint, x), nn.Values(inContext, slices.Repeat(context, 2)), nn.Scalar(inKnown, known), nn.Labels(inLabels, names)); err != nil {
				t.Fatal(err)
			}
			return slices.Clone(m.Output("f"))
		}
		with, without := f(1), f(0)
		for i, v := range x {
			g := float32(c.Guidance)*with[i] + float32(1-c.Guidance)*without[i]
			keep, change := ends(at)
			end := float32(keep)*v + float32(change)*g
			x[i] = v + (end-v)/float32(c.Steps-k) // the velocity is (end - x) / (1 - t), a step 1/Steps
		}
	}
	d := deviation(l.flow.variance)
	for i := range x {
		x[i] = l.flow.mean[i%c.Latent] + d[i%c.Latent]*x[i]
	}
	return x
}
