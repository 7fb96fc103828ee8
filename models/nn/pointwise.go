package nn

import (
	"slices"

	"wavemill/models/nn/kernel"
)

// Activate applies the activation of the option (LeakyReLU, ReLU, Tanh, Sigmoid, SiLU) to x.
func (n *Graph) Activate(x *Tensor, activation Option) *Tensor {
	if !n.ok(x) {
		return &Tensor{}
	}
	s := newSpec([]Option{activation})
	return n.activate(label(s.act.String(), x), x, s.act, s.slope)
}

func (n *Graph) activate(layer string, x *Tensor, act kernel.Act, slope float32) *Tensor {
	return n.apply(layer, activation{act, slope}, x.shape, x)
}

type activation struct {
	act   kernel.Act
	slope float32
}

func (a activation) kind() string { return a.act.String() }

func (a activation) run(o *op) { kernel.Activate(a.act, a.slope, o.y, o.x[0]) }

func (a activation) gradient(n *Graph, o *op, dy *Tensor) []*Tensor {
	from := o.out
	if !a.act.FromOutput() {
		from = o.in[0]
	}
	return []*Tensor{n.apply(o.layer, activationGradient(a), o.in[0].shape, dy, from)}
}

// activationGradient is dy act'. Inputs: dy and the activation's output, for SiLU its input.
type activationGradient activation

func (a activationGradient) kind() string { return a.act.String() + " gradient" }

func (a activationGradient) run(o *op) {
	if a.act == kernel.ActSiLU {
		kernel.SiLUGrad(o.y, o.x[0], o.x[1])
		return
	}
	kernel.ActGrad(a.act, a.slope, o.y, o.x[0], o.x[1])
}

// Add returns the sum of tensors of one shape.
func (n *Graph) Add(terms ...*Tensor) *Tensor {
	if !n.ok(terms...) {
		return &Tensor{}
	}
	if len(terms) == 0 {
		return n.Fail("add", "no terms")
	}
	for _, t := range terms[1:] {
		if !slices.Equal(t.shape, terms[0].shape) {
			return n.Fail(label("add", t), "want equal shapes, got %s", shapes(terms))
		}
	}
	return n.apply(label("add", terms[0]), sum{}, terms[0].shape, terms...)
}

// sum adds its inputs.
type sum struct{}

func (sum) kind() string { return "add" }

func (sum) run(o *op) {
	if len(o.x) == 1 {
		copy(o.y, o.x[0])
		return
	}
	kernel.Add(o.y, o.x[0], o.x[1])
	for _, x := range o.x[2:] {
		kernel.Add(o.y, o.y, x)
	}
}

func (sum) gradient(_ *Graph, o *op, dy *Tensor) []*Tensor {
	d := make([]*Tensor, len(o.in))
	for i := range d {
		d[i] = dy
	}
	return d
}

// Sub returns a - b for tensors of one shape.
func (n *Graph) Sub(a, b *Tensor) *Tensor { return n.Add(a, n.Scale(b, -1)) }

// Scale returns k x.
func (n *Graph) Scale(x *Tensor, k float64) *Tensor {
	if !n.ok(x) {
		return &Tensor{}
	}
	return n.apply(label("scale", x), scale{float32(k)}, x.shape, x)
}

type scale struct{ k float32 }

func (scale) kind() string { return "scale" }

func (s scale) run(o *op) { kernel.Scale(o.y, s.k, o.x[0]) }

func (s scale) gradient(n *Graph, o *op, dy *Tensor) []*Tensor {
	return []*Tensor{n.apply(o.layer, s, dy.shape, dy)}
}

// Mul returns the product of tensors of one shape; b may also be a single value [1].
func (n *Graph) Mul(a, b *Tensor) *Tensor {
	if !n.ok(a, b) {
		return &Tensor{}
	}
	if !slices.Equal(a.shape, b.shape) && b.Size() != 1 {
		return n.Fail(label("mul", a), "want equal shapes or a single value, got %v and %v", a.shape, b.shape)
	}
	return n.apply(label("mul", a), product{}, a.shape, a, b)
}

type product struct{}

func (product) kind() string { return "mul" }

func (product) run(o *op) {
	if len(o.x[1]) == 1 {
		kernel.Scale(o.y, o.x[1][0], o.x[0])
		return
	}
	kernel.Mul(o.y, o.x[0], o.x[1])
}

func (product) gradient(n *Graph, o *op, dy *Tensor) []*Tensor {
	a, b := o.in[0], o.in[1]
	d := make([]*Tensor, 2)
	if a.needs {
		d[0] = n.apply(o.layer, product{}, a.shape, dy, b)
	}
	if b.needs {
		if b.Size() == 1 {
			d[1] = n.apply(o.layer, dot{}, b.shape, dy, a)
		} else {
			d[1] = n.apply(o.layer, product{}, b.shape, dy, a)
		}
	}
	return d
}

// dot is the sum of the products of its inputs.
type dot struct{}

func (dot) kind() string { return "dot" }

func (dot) run(o *op) { o.y[0] = float32(kernel.Dot(o.x[0], o.x[1])) }

// Detach returns x as a constant: no gradient flows through it.
func (n *Graph) Detach(x *Tensor) *Tensor {
	if !n.ok(x) {
		return &Tensor{}
	}
	t := n.apply(label("detach", x), view{}, x.shape, x)
	t.needs = false
	return t
}
