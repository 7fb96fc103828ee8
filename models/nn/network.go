package nn

import (
	"errors"
	"fmt"
	"slices"
)

// A Network is a network with its weights, and with names for its inputs and outputs, to be written in a format that other
// programs run.
type Network struct {
	Name   string // such as "generator"
	Doc    string // one sentence
	Params *Params
	// Build adds the network for a batch size to a graph in Eval mode, its results as [Graph.Output].
	Build func(n *Graph, batch int)
	// Unit is what the batch size must be a multiple of for Build; 0 means 1.
	Unit            int
	Inputs, Outputs []Port
}

// A Port is an input or output of a Network.
type Port struct {
	Graph string // its name in the graph
	Name  string // its name outside
	Doc   string // what it holds
	// Squeeze leaves out the last axis, which must be one: the single channel of a spectrogram.
	Squeeze bool
	// Labels is true for labels, which are whole numbers.
	Labels bool
	// Min and Max are what values of an output are limited to; no limits where they are equal.
	Min, Max float64
}

// BatchAxis stands in a described shape for the number of examples.
const BatchAxis = -1

// A Description is what a network in Eval mode computes: its steps in order, with everything that does not depend on
// its inputs computed already (normalisations folded into convolutions, weights divided by their spectral norm).
type Description struct {
	Inputs, Outputs []*Value // in the order of the Network's ports
	Steps           []Step
}

// A Value is a tensor of a Description.
type Value struct {
	Name  string    // of the parameter, input or layer; not unique
	Shape []int     // BatchAxis where the number of examples stands
	Data  []float32 // of a constant, row-major, not to be changed; nil for what depends on the inputs
}

// A Step computes Out from In.
type Step struct {
	Layer string
	Kind  string // what the operation is called
	Op    any    // one of the Op types of this package by value, nil for an operation that has no description
	In    []*Value
	Out   *Value
}

// Describe builds the network for two batch sizes and describes its operations. The axis that differs between the two is the
// batch axis. A network with a batch axis that is not the first or that is lost is an error, and so is a random one.
func (w Network) Describe() (*Description, error) {
	unit := max(1, w.Unit)
	d := describer{sizes: [2]int{2 * unit, 3 * unit}, values: make(map[*Tensor]*Value)}
	for i, batch := range d.sizes {
		n := NewGraph(Eval, w.Params)
		w.Build(n, batch)
		if n.err == nil && len(n.outputs) == 0 {
			n.err = errors.New("nn: the network has no output")
		}
		if n.err != nil {
			return nil, fmt.Errorf("%s: %w", w.Name, n.err)
		}
		d.nets[i], d.ops[i] = n.network, reachable(n.ops, n.outputs)
	}
	out, err := d.describe(w)
	if err != nil {
		return nil, fmt.Errorf("nn: describe %s: %w", w.Name, err)
	}
	return out, nil
}

// A describer follows two graphs of one network side by side.
type describer struct {
	sizes  [2]int
	nets   [2]*network
	ops    [2][]*op
	values map[*Tensor]*Value // of the first graph
}

func (d *describer) describe(w Network) (*Description, error) {
	out := new(Description)
	for _, p := range w.Inputs {
		v, err := d.port(p)
		if err != nil {
			return nil, err
		}
		out.Inputs = append(out.Inputs, v)
	}
	if len(d.ops[0]) != len(d.ops[1]) {
		return nil, fmt.Errorf("it has %d operations for %d examples and %d for %d", len(d.ops[0]), d.sizes[0], len(d.ops[1]), d.sizes[1])
	}
	for i, o := range d.ops[0] {
		s, err := d.step(o, d.ops[1][i])
		if err != nil {
			return nil, fmt.Errorf("layer %s: %s: %w", o.layer, o.c.kind(), err)
		}
		if s != nil {
			out.Steps = append(out.Steps, *s)
		}
	}
	for _, p := range w.Outputs {
		v, err := d.port(p)
		if err != nil {
			return nil, err
		}
		out.Outputs = append(out.Outputs, v)
	}
	return out, nil
}

// port returns the value at a port.
func (d *describer) port(p Port) (*Value, error) {
	var t [2]*Tensor
	for i, n := range d.nets {
		if t[i] = n.byName[p.Graph]; t[i] == nil {
			return nil, fmt.Errorf("the graph has no input or output %q", p.Graph)
		}
	}
	if v := d.values[t[0]]; v != nil {
		return v, nil
	}
	if t[0].op != nil {
		return nil, fmt.Errorf("%q is no input", p.Graph)
	}
	shape, err := d.shape(t[0].shape, t[1].shape)
	if err != nil {
		return nil, fmt.Errorf("input %q: %w", p.Graph, err)
	}
	if t[0].limit > 0 && !p.Labels {
		return nil, fmt.Errorf("input %q holds labels, and port %s does not say so", p.Graph, p.Name)
	}
	v := &Value{Name: p.Name, Shape: shape}
	d.values[t[0]] = v
	return v, nil
}

// shape compares a tensor's shapes in the two graphs.
func (d *describer) shape(a, b []int) ([]int, error) {
	if len(a) != len(b) {
		return nil, fmt.Errorf("the shapes %v and %v for %d and %d examples differ in rank", a, b, d.sizes[0], d.sizes[1])
	}
	out := slices.Clone(a)
	for i := range a {
		switch {
		case a[i] == b[i]:
		case i == 0 && a[i] == d.sizes[0] && b[i] == d.sizes[1]:
			out[i] = BatchAxis
		default:
			return nil, fmt.Errorf("axis %d differs between the shapes %v and %v for %d and %d examples; only the first axis may depend on the batch size", i, a, b, d.sizes[0], d.sizes[1])
		}
	}
	return out, nil
}

// step describes an operation, a in the first graph and b in the second; nil where its result is constant.
func (d *describer) step(a, b *op) (*Step, error) {
	if a.c.kind() != b.c.kind() || a.layer != b.layer || len(a.in) != len(b.in) {
		return nil, fmt.Errorf("the graph for %d examples has the operation %s of layer %s at this place; it must be the same for every batch size", d.sizes[1], b.c.kind(), b.layer)
	}
	shape, err := d.shape(a.out.shape, b.out.shape)
	if err != nil {
		return nil, err
	}
	out := &Value{Name: a.layer, Shape: shape}
	d.values[a.out] = out
	in := make([]*Value, len(a.in))
	constant, batch := true, false
	for i, t := range a.in {
		if in[i], err = d.operand(t); err != nil {
			return nil, err
		}
		constant = constant && in[i].Data != nil
		batch = batch || in[i].Shape[0] == BatchAxis
	}
	if batch && shape[0] != BatchAxis {
		return nil, errors.New("it makes one of all examples")
	}
	if constant {
		out.Name = in[0].Name
		out.Data, err = evaluate(a, in)
		return nil, err
	}
	s := &Step{Layer: a.layer, Kind: a.c.kind(), In: in, Out: out}
	s.Op, s.In = describe(a, in)
	return s, nil
}

// operand returns the value of an operation's input.
func (d *describer) operand(t *Tensor) (*Value, error) {
	if v := d.values[t]; v != nil {
		return v, nil
	}
	if t.param == nil {
		return nil, fmt.Errorf("it depends on %q, which is no input of the network", t.name)
	}
	v := &Value{Name: t.param.name, Shape: t.param.Shape(), Data: t.param.data}
	d.values[t] = v
	return v, nil
}

// evaluate runs an operation on constants.
func evaluate(o *op, in []*Value) ([]float32, error) {
	c := &op{net: o.net, layer: o.layer, c: o.c, in: o.in, out: o.out, y: make([]float32, size(o.out.shape))}
	for _, v := range in {
		c.x = append(c.x, v.Data)
	}
	if v, ok := o.c.(view); ok {
		copy(c.y, c.x[0][v.offset:])
		return c.y, nil
	}
	if w, ok := o.c.(worker); ok {
		for _, n := range w.scratch(o) {
			c.w = append(c.w, make([]float32, n))
		}
	}
	return c.y, c.run()
}
