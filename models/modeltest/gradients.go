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

// A gradient passes when the loss rises along it, where the signal is strongest, as the gradient says to
// a part in fifty: single precision leaves no more after thousands of additions.
const gradientTolerance = 0.02

// Check compares the gradient of every parameter with finite differences of the loss.
//
// The finite difference over a stretch is the mean of the directional derivative on it, which is taken at
// several places. Comparing with the gradient in the middle alone would call a sound network wrong: a
// leaky ReLU has a kink, thousands of them sit close together, and steps that cross none drown in
// rounding. The mean holds across kinks, because the loss is continuous.
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
		tolerance := gradientTolerance*norm + 2e-4*math.Abs(base)
		rise, want, err := slope(p, d, norm, tolerance, run, func() []float32 { return m.Gradient(p.Name()) })
		if err != nil {
			return err
		}
		if !(math.Abs(rise-want) <= tolerance) {
			return fmt.Errorf("the gradient of %s has norm %g and says %g for the way, but the loss rises by %g along it", p.Name(), norm, want, rise)
		}
	}
	state.restore()
	if checked == 0 {
		return errors.New("no parameter has a gradient")
	}
	return nil
}

// places is the number of places on the way at which the directional derivative is taken.
const places = 8

// slope returns the finite difference along a gradient d of p and what the gradients on the way say it
// is, over the first of a range of step lengths where they agree within the tolerance, or where they agree
// best: over long steps the loss is curved, short steps suffer from rounding.
func slope(p *nn.Param, d []float32, norm, tolerance float64, run func() (float64, error), gradient func() []float32) (rise, want float64, err error) {
	saved := slices.Clone(p.Data())
	defer func() {
		copy(p.Data(), saved)
		p.Touch()
	}()
	lossAt := func(h float64) (float64, error) {
		for i := range saved {
			p.Data()[i] = saved[i] + float32(h*float64(d[i])/norm)
		}
		p.Touch()
		return run()
	}
	best := math.Inf(1)
	for _, h := range []float64{1e-2, 3e-3, 3e-2, 1e-3, 1e-1} {
		up, err := lossAt(h)
		if err != nil {
			return 0, 0, err
		}
		down, err := lossAt(-h)
		if err != nil {
			return 0, 0, err
		}
		mean := 0.0
		for i := range places {
			if _, err := lossAt(h * ((2*float64(i)+1)/places - 1)); err != nil {
				return 0, 0, err
			}
			for j, v := range gradient() {
				mean += float64(v) * float64(d[j]) / norm / places
			}
		}
		if r := (up - down) / (2 * h); math.Abs(r-mean) < best {
			rise, want, best = r, mean, math.Abs(r-mean)
		}
		if best <= tolerance {
			break
		}
	}
	return rise, want, nil
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
