package nn

import (
	"errors"
	"fmt"
	"math"
	"slices"

	"wavemill/models/nn/kernel"
)

// AdamConfig holds the settings of [Adam]. The zero value of a field is its default.
type AdamConfig struct {
	Schedule                 // Rate 0 is 1e-3
	Beta1            float64 // decay of the mean gradient; default 0.9, negative for 0
	Beta2            float64 // decay of the mean squared gradient; default 0.999
	Epsilon          float64 // default 1e-8
	WeightDecay      float64 // decoupled (AdamW), on weights but not on biases and norms
	ClipNorm         float64 // largest norm of all gradients together; 0 does not clip
	EMA              float64 // decay of the moving average of the weights; 0 keeps none
	EMAWarmup        bool    // decay min(EMA, (1+step)/(10+step)), so that early steps are forgotten
	IncludeUntouched bool    // step parameters that no machine has a gradient for, as if it were 0
}

// Adam is the optimiser of Kingma and Ba, 2015, with decoupled weight decay (Loshchilov and Hutter,
// 2019), clipping of the gradients' global norm, and a moving average of the weights, in one pass
// over memory. It is not safe for concurrent use.
type Adam struct {
	config AdamConfig
	params *Params
	slots  []*slot
	ema    *Params
	step   int64
	norm   float64
	slow   float64 // factor of the schedule's rate
}

// slot is the state of one parameter.
type slot struct {
	param *Param
	m, v  []float32
	ema   *Param
	grad  []float32 // of the step in progress
	sum   []float32 // for the gradients of several machines
}

// NewAdam returns an optimiser of the trainable parameters that p holds now: build the graphs first.
func NewAdam(p *Params, c AdamConfig) *Adam {
	def := func(v *float64, d float64) {
		switch {
		case *v == 0:
			*v = d
		case *v < 0:
			*v = 0
		}
	}
	def(&c.Rate, 1e-3)
	def(&c.Beta1, 0.9)
	def(&c.Beta2, 0.999)
	def(&c.Epsilon, 1e-8)
	a := &Adam{config: c, params: p, slow: 1}
	if c.EMA > 0 {
		a.ema = p.Clone()
	}
	for _, q := range p.All() {
		if q.state {
			continue
		}
		s := &slot{param: q, m: make([]float32, len(q.data)), v: make([]float32, len(q.data))}
		if a.ema != nil {
			s.ema = a.ema.Lookup(q.name)
		}
		a.slots = append(a.slots, s)
	}
	return a
}

// Average returns the moving average of the weights, with running statistics averaged alike: Params
// to build evaluation and inference graphs on. It is nil without EMA.
func (a *Adam) Average() *Params { return a.ema }

// Steps returns the number of steps taken.
func (a *Adam) Steps() int64 { return a.step }

// SetTotalSteps sets the number of steps of the schedule, which may be changed at any time; 0 keeps the rate
// where it is highest.
func (a *Adam) SetTotalSteps(steps int64) { a.config.Steps = steps }

// ScaleLR multiplies the schedule's rate by factor, from the next step on. It is not cumulative, and no part of the
// exported state.
func (a *Adam) ScaleLR(factor float64) { a.slow = factor }

// LearningRate returns the learning rate of the next step.
func (a *Adam) LearningRate() float64 { return a.slow * a.config.At(a.step+1) }

// GradientNorm returns the norm of all gradients of the last step, before clipping.
func (a *Adam) GradientNorm() float64 { return a.norm }

// A GradientError reports a gradient that is not finite. The step changed nothing.
type GradientError struct {
	Step  int64 // from 1
	Param string
}

// Error implements error.
func (e *GradientError) Error() string {
	return fmt.Sprintf("nn: step %d: the gradient of %s is not finite", e.Step, e.Param)
}

// Diverged reports that training can continue from an earlier state.
func (e *GradientError) Diverged() bool { return true }

// Step updates the parameters by the gradients that the machines' last runs left, added up. It
// returns an error and changes nothing where a gradient is not finite, or where no machine has a
// gradient for any of its parameters.
func (a *Adam) Step(machines ...*Machine) error {
	for _, s := range a.slots {
		s.grad = nil
	}
	if err := a.gather(machines); err != nil {
		return err
	}
	scale, err := a.clip()
	if err != nil {
		return err
	}
	a.step++
	c := a.config
	k := kernel.AdamStep{
		LearningRate: float32(a.slow * c.At(a.step)), Beta1: float32(c.Beta1), Beta2: float32(c.Beta2),
		Epsilon: float32(c.Epsilon), Step: a.step, GradScale: scale, EMADecay: float32(a.decay()),
	}
	for _, s := range a.slots {
		if s.grad == nil {
			continue
		}
		k.WeightDecay = 0
		if len(s.param.shape) > 1 {
			k.WeightDecay = float32(c.WeightDecay)
		}
		var ema []float32
		if s.ema != nil {
			ema = s.ema.data
		}
		kernel.Adam(k, s.param.data, s.grad, s.m, s.v, ema)
		s.param.Touch()
	}
	a.averageState()
	return nil
}

// gather collects each parameter's gradient, adding where several machines have one.
func (a *Adam) gather(machines []*Machine) error {
	index := 0
	any := false
	for _, m := range machines {
		for _, g := range m.grads {
			s := a.find(g.param, &index)
			if s == nil || s.param.fixed {
				continue
			}
			any = true
			if s.grad == nil {
				s.grad = g.data
				continue
			}
			if s.sum == nil {
				s.sum = make([]float32, len(g.data))
			}
			kernel.Add(s.sum, s.grad, g.data)
			s.grad = s.sum
		}
	}
	if !any {
		return errors.New("nn: no machine has a gradient for a parameter of this optimiser")
	}
	if a.config.IncludeUntouched {
		for _, s := range a.slots {
			if s.grad == nil && !s.param.fixed {
				if s.sum == nil {
					s.sum = make([]float32, len(s.m))
				}
				clear(s.sum)
				s.grad = s.sum
			}
		}
	}
	return nil
}

// find returns the slot of a parameter, looking first after the one found last.
func (a *Adam) find(p *Param, index *int) *slot {
	for range a.slots {
		s := a.slots[*index%len(a.slots)]
		*index++
		if s.param == p {
			return s
		}
	}
	return nil
}

// clip measures the gradients' norm and returns what to multiply them by.
func (a *Adam) clip() (float32, error) {
	total := 0.0
	for _, s := range a.slots {
		if s.grad == nil {
			continue
		}
		q := kernel.SumSquares(s.grad)
		if math.IsNaN(q) || math.IsInf(q, 0) {
			return 0, &GradientError{Step: a.step + 1, Param: s.param.name}
		}
		total += q
	}
	a.norm = math.Sqrt(total)
	if c := a.config.ClipNorm; c > 0 && a.norm > c {
		return float32(c / a.norm), nil
	}
	return 1, nil
}

// decay is the moving average's, of this step.
func (a *Adam) decay() float64 {
	d := a.config.EMA
	if a.config.EMAWarmup {
		d = min(d, float64(1+a.step)/float64(10+a.step))
	}
	return d
}

// averageState moves the averages of running statistics, which no gradient reaches.
func (a *Adam) averageState() {
	if a.ema == nil {
		return
	}
	d := float32(a.decay())
	for i, q := range a.params.list {
		e := a.ema.list[i]
		if q.state && !q.fixed {
			kernel.Axpby(1-d, q.data, d, e.data)
		}
		e.Touch()
	}
}

// Export returns copies of the optimiser's state, the moving average included, with prefix before the
// names: m/NAME, v/NAME, ema/NAME and step.
func (a *Adam) Export(prefix string) []Array {
	var out []Array
	for _, s := range a.slots {
		out = append(out,
			Array{prefix + "m/" + s.param.name, s.param.Shape(), slices.Clone(s.m)},
			Array{prefix + "v/" + s.param.name, s.param.Shape(), slices.Clone(s.v)})
	}
	if a.ema != nil {
		out = append(out, a.ema.Export(prefix+"ema/")...)
	}
	// Float32 holds integers up to 2^24 exactly.
	return append(out, Array{prefix + "step", []int{2}, []float32{float32(a.step >> 24), float32(a.step & (1<<24 - 1))}})
}

// Import restores what Export saved from the arrays whose names begin with prefix. It changes nothing
// where one is missing or does not fit, but for the moving average.
func (a *Adam) Import(prefix string, arrays []Array) error {
	index := make(map[string]Array, len(arrays))
	for _, x := range arrays {
		index[x.Name] = x
	}
	get := func(name string, shape []int) ([]float32, error) {
		x, ok := index[prefix+name]
		if !ok {
			return nil, fmt.Errorf("nn: tensor %s%s %v is missing", prefix, name, shape)
		}
		if !slices.Equal(x.Shape, shape) || len(x.Data) != size(shape) {
			return nil, fmt.Errorf("nn: tensor %s%s has shape %v, the optimiser wants %v", prefix, name, x.Shape, shape)
		}
		return x.Data, nil
	}
	steps, err := get("step", []int{2})
	if err != nil {
		return err
	}
	found := make([][2][]float32, len(a.slots))
	for i, s := range a.slots {
		for j, kind := range []string{"m/", "v/"} {
			if found[i][j], err = get(kind+s.param.name, s.param.shape); err != nil {
				return err
			}
		}
	}
	if a.ema != nil {
		if err := a.ema.Import(prefix+"ema/", arrays); err != nil {
			return err
		}
	}
	for i, s := range a.slots {
		copy(s.m, found[i][0])
		copy(s.v, found[i][1])
	}
	a.step = int64(steps[0])<<24 + int64(steps[1])
	return nil
}
