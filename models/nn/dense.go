package nn

import (
	"wavemill/models/nn/kernel"
)

// Dense adds a fully connected layer to units outputs: [B, ...] -> [B, units]; all axes of x but the
// first are taken as one. Parameters: w [in, units], b [units].
func (n *Graph) Dense(layer string, x *Tensor, units int, options ...Option) *Tensor {
	if !n.enter(layer, x) {
		return &Tensor{}
	}
	if len(x.shape) < 2 || units < 1 {
		return n.Fail(layer, "dense of %v to %d units: want [B, ...] and at least one unit", x.shape, units)
	}
	s := newSpec(options)
	rows := x.shape[0]
	in := x.Size() / rows
	fan := fans{in, units}
	d := dense{rows: rows, in: in, out: units}
	d.act, d.slope = s.fused()
	operands := []*Tensor{x, n.weights(layer, &s, []int{in, units}, fan)}
	if s.biased() {
		operands = append(operands, n.param(layer, "b", []int{units}, fan, s.bias, false))
	}
	h := n.apply(layer, d, []int{rows, units}, operands...)
	return n.finish(layer, &s, h)
}

// dense is act(x w + b). Inputs: x, w and, with a bias, b.
type dense struct {
	rows, in, out int
	act           kernel.Act
	slope         float32
}

func (dense) kind() string { return "dense" }

func (d dense) run(o *op) {
	ep := kernel.Epilogue{Act: d.act, Slope: d.slope}
	if len(o.x) > 2 {
		ep.Bias = o.x[2]
	}
	kernel.Gemm(false, false, d.rows, d.out, d.in, o.x[0], d.in, o.x[1], d.out, o.y, d.out, ep)
}

func (d dense) gradient(n *Graph, o *op, dy *Tensor) []*Tensor {
	w := needed(o.in...)
	return w.add(n, o.layer, denseBackward{d, w}, o.in, dy, o.in[0], o.in[1], o.out)
}

// denseBackward computes dx, dw and db as wanted. Inputs: dy, x, w, y.
type denseBackward struct {
	dense
	wants wants
}

func (denseBackward) kind() string { return "dense gradient" }

func (d denseBackward) scratch(*op) []int {
	if d.act == kernel.ActNone {
		return nil
	}
	return []int{d.rows * d.out}
}

func (d denseBackward) run(o *op) {
	var buf [3][]float32
	g := d.wants.outputs(o, buf[:0])
	dy, x, w, y := o.x[0], o.x[1], o.x[2], o.x[3]
	if d.act != kernel.ActNone {
		kernel.ActGrad(d.act, d.slope, o.w[0], dy, y)
		dy = o.w[0]
	}
	if len(g) > 2 && g[2] != nil {
		kernel.SumColumns(g[2], dy, false)
	}
	if g[1] != nil {
		kernel.Gemm(true, false, d.in, d.out, d.rows, x, d.in, dy, d.out, g[1], d.out, kernel.Epilogue{})
	}
	if g[0] != nil {
		kernel.Gemm(false, true, d.rows, d.in, d.out, dy, d.out, w, d.out, g[0], d.in, kernel.Epilogue{})
	}
}
