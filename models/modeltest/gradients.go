package modeltest

import (
	"errors"
	"fmt"
	"math"
	"slices"

	"wavemill/models/nn"
)

// Gradients compares the gradients of an architecture's graphs with finite differences.
func Gradients(a Architecture) error {
	var errs []error
	for _, g := range a.Gradients {
		if err := g.Check(); err != nil {
			errs = append(errs, fmt.Errorf("%s: %w", g.Name, err))
		}
	}
	return errors.Join(errs...)
}

// A gradient passes when the finite difference along its own direction, where the signal is strongest,
// agrees to a part in fifty: single precision leaves no more after thousands of additions.
const gradientTolerance = 0.02

// Check compares the gradient of every parameter with finite differences of the loss.
func (g Gradient) Check() error {
	n := nn.NewGraph(nn.Train, g.Params)
	loss := g.Build(n)
	n.Loss("gradient check", loss)
	m, err := n.Compile(nn.Minimise(loss))
	if err != nil {
		return err
	}
	state := saveState(g.Params)
	run := func() (float64, error) {
		state.restore()
		if err := m.Run(g.Feeds...); err != nil {
			return 0, err
		}
		return m.Loss("gradient check"), nil
	}
	checked := 0
	for _, p := range g.Params.All() {
		if !p.Trainable() {
			continue
		}
		base, err := run()
		if err != nil {
			return err
		}
		d := slices.Clone(m.Gradient(p.Name()))
		if len(d) == 0 {
			continue // not part of this graph
		}
		checked++
		norm := 0.0
		for _, v := range d {
			norm += float64(v) * float64(v)
		}
		norm = math.Sqrt(norm)
		if math.IsNaN(norm) || math.IsInf(norm, 0) {
			return fmt.Errorf("the gradient of %s is not finite", p.Name())
		}
		if norm < 1e-5*math.Abs(base) {
			continue // below what a finite difference can see
		}
		got, err := slope(p, d, norm, run)
		if err != nil {
			return err
		}
		if math.Abs(got-norm) > gradientTolerance*norm+2e-4*math.Abs(base) {
			return fmt.Errorf("the gradient of %s has norm %g, but the loss rises by %g along it", p.Name(), norm, got)
		}
	}
	state.restore()
	if checked == 0 {
		return errors.New("no parameter has a gradient")
	}
	return nil
}

// slope is the finite difference along a gradient that is nearest to its norm, over a range of step
// lengths: long ones suffer from curvature, short ones from rounding.
func slope(p *nn.Param, d []float32, norm float64, run func() (float64, error)) (float64, error) {
	saved := slices.Clone(p.Data())
	defer func() {
		copy(p.Data(), saved)
		p.Touch()
	}()
	best := math.Inf(1)
	for _, h := range []float64{1e-1, 3e-2, 1e-2, 3e-3, 1e-3} {
		var loss [2]float64
		for side, sign := range []float64{1, -1} {
			for i := range saved {
				p.Data()[i] = saved[i] + float32(sign*h*float64(d[i])/norm)
			}
			p.Touch()
			var err error
			if loss[side], err = run(); err != nil {
				return 0, err
			}
		}
		if s := (loss[0] - loss[1]) / (2 * h); math.Abs(s-norm) < math.Abs(best-norm) {
			best = s
		}
	}
	return best, nil
}

// state are the values that a training run changes by itself.
type state []savedParam

type savedParam struct {
	param *nn.Param
	data  []float32
}

func saveState(p *nn.Params) state {
	var s state
	for _, q := range p.All() {
		if !q.Trainable() {
			s = append(s, savedParam{q, slices.Clone(q.Data())})
		}
	}
	return s
}

func (s state) restore() {
	for _, q := range s {
		copy(q.param.Data(), q.data)
		q.param.Touch()
	}
}
