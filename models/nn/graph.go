package nn

import (
	"errors"
	"fmt"
	"math"
	"slices"
	"strings"
	"sync"

	"gorgonia.org/gorgonia"
	"gorgonia.org/tensor"
)

// building serialises the construction of graphs, because Gorgonia keeps pools and type variables in
// package variables that all graphs of a process share. The lock must therefore be shared by all
// graphs of a process too; it guards no state of this package.
var building sync.Mutex

// A Mode selects the behaviour of layers that differ between training and inference, such as dropout and batch norm.
type Mode uint8

const (
	// Train normalises by the statistics of the batch (and updates the running ones), drops out, and
	// lets gradients flow into the parameters.
	Train Mode = iota
	// Eval normalises by the running statistics, does not drop out, and has no gradients.
	Eval
)

// String returns "train" or "eval".
func (m Mode) String() string {
	if m == Train {
		return "train"
	}
	return "eval"
}

// A Graph is a network under construction: a view of the expression graph together with the
// parameters, the mode and the name prefix that the layers added through it use. Views are cheap:
// With, Scope, Frozen, InMode and Reuse return another view of the same graph. Not safe for
// concurrent use.
type Graph struct {
	*network
	params *Params
	prefix string
	mode   Mode
	frozen bool
	reuse  bool
}

// network is what all views of one graph share.
type network struct {
	expr     *gorgonia.ExprGraph
	ops      []*op // in the order of construction, which is a topological order
	inputs   []*Tensor
	outputs  []*Tensor
	byName   map[string]*Tensor         // inputs, outputs and losses
	byNode   map[*gorgonia.Node]*Tensor // to come back from Gorgonia
	layers   map[layerKey]bool
	uses     []*Tensor // parameters, in the order of their first use
	used     map[useKey]*Tensor
	normed   map[*Param]*Tensor // weights divided by their spectral norm
	seed     uint64             // of the run in progress
	err      error
	compiled bool
	unfolded bool // do not fold normalisations into convolutions, for tests
	backward bool // the gradients are being added
}

type layerKey struct {
	params *Params
	name   string
}

type useKey struct {
	param  *Param
	frozen bool
}

// NewGraph returns an empty graph whose layers take their parameters from p.
func NewGraph(mode Mode, p *Params) *Graph {
	return &Graph{
		network: &network{
			expr:   gorgonia.NewGraph(),
			byName: make(map[string]*Tensor),
			byNode: make(map[*gorgonia.Node]*Tensor),
			layers: make(map[layerKey]bool),
			used:   make(map[useKey]*Tensor),
			normed: make(map[*Param]*Tensor),
		},
		params: p,
		mode:   mode,
	}
}

// With returns a view whose layers take their parameters from p.
func (n *Graph) With(p *Params) *Graph { v := *n; v.params = p; return &v }

// Scope returns a view that puts name and a slash before the names of its layers.
func (n *Graph) Scope(name string) *Graph { v := *n; v.prefix += name + "/"; return &v }

// Frozen returns a view whose parameters get no gradient and whose state (running statistics,
// power-iteration vectors) is read but not updated. Gradients still flow through its layers to what
// lies before them.
func (n *Graph) Frozen() *Graph { v := *n; v.frozen = true; return &v }

// InMode returns a view in another mode.
func (n *Graph) InMode(m Mode) *Graph { v := *n; v.mode = m; return &v }

// Reuse returns a view in which a layer may bear the name of an earlier layer of this graph and then
// shares its parameters. Without it a repeated name is an error.
func (n *Graph) Reuse() *Graph { v := *n; v.reuse = true; return &v }

// Mode returns the mode of the view.
func (n *Graph) Mode() Mode { return n.mode }

// Params returns the parameters of the view.
func (n *Graph) Params() *Params { return n.params }

// Err returns the first mistake made in the construction, or nil.
func (n *Graph) Err() error { return n.err }

// Fail records err as a mistake in the construction of layer, unless there was one before.
// Architectures use it for conditions of their own.
func (n *Graph) Fail(layer, format string, args ...any) *Tensor {
	if n.err == nil {
		n.err = fmt.Errorf("nn: layer %s: %s", n.prefix+layer, fmt.Sprintf(format, args...))
	}
	return &Tensor{}
}

// A Tensor is a value in a graph: the output of a layer, an input or a parameter. It is symbolic:
// its data exists while a [Machine] runs.
type Tensor struct {
	net   *network
	node  *gorgonia.Node
	shape []int
	name  string
	op    *op     // its producer; nil for inputs and parameters
	param *Param  // for parameters
	needs bool    // a gradient flows into it
	limit int     // for inputs that hold labels: their number of classes, 0 if not labels
	buf   *buffer // where its data lives
	off   int     // offset in buf
	value *tensor.Dense
}

// Shape returns a copy of the shape, nil after a mistake in the construction.
func (t *Tensor) Shape() []int { return slices.Clone(t.shape) }

// Dim returns the size of axis i, counted from the end when negative; 0 where there is no such axis.
func (t *Tensor) Dim(i int) int {
	if i < 0 {
		i += len(t.shape)
	}
	if i < 0 || i >= len(t.shape) {
		return 0
	}
	return t.shape[i]
}

// Size returns the number of elements.
func (t *Tensor) Size() int {
	if t.shape == nil {
		return 0
	}
	return size(t.shape)
}

// String returns the name and the shape.
func (t *Tensor) String() string { return fmt.Sprintf("%s %v", t.name, t.shape) }

func (t *Tensor) data() []float32 { return t.buf.data[t.off : t.off+size(t.shape)] }

func size(shape []int) int {
	s := 1
	for _, d := range shape {
		s *= d
	}
	return s
}

// Input adds an input of the given shape, to be filled before every run by [Values], [Labels] or
// [Scalar] under its name.
func (n *Graph) Input(name string, shape ...int) *Tensor {
	if n.err != nil {
		return &Tensor{}
	}
	if err := checkShape(shape); err != nil {
		return n.Fail(name, "input: %v", err)
	}
	if n.byName[name] != nil {
		return n.Fail(name, "input: the name is taken by %v", n.byName[name])
	}
	t := n.leaf("input "+name, shape)
	t.name = name
	n.byName[name] = t
	n.inputs = append(n.inputs, t)
	return t
}

// Differentiable marks an input as something gradients are wanted for; [Machine.Gradient] returns it.
func (n *Graph) Differentiable(x *Tensor) *Tensor {
	if n.ok(x) {
		x.needs = true
	}
	return x
}

// Output makes t readable under name after a run, by [Machine.Output]. It returns t.
func (n *Graph) Output(name string, t *Tensor) *Tensor {
	if !n.ok(t) {
		return &Tensor{}
	}
	if n.byName[name] != nil {
		return n.Fail(name, "output: the name is taken by %v", n.byName[name])
	}
	n.byName[name] = t
	n.outputs = append(n.outputs, t)
	return t
}

// Loss makes the scalar t readable under name after a run, by [Machine.Loss]. It returns t.
func (n *Graph) Loss(name string, t *Tensor) *Tensor {
	if n.ok(t) && t.Size() != 1 {
		return n.Fail(name, "loss: want one value, got shape %v", t.shape)
	}
	return n.Output(name, t)
}

// leaf adds an input node to the expression graph. The name must be unique in the graph, because
// Gorgonia takes nodes of one name, type and shape for the same.
func (n *network) leaf(name string, shape []int) *Tensor {
	building.Lock()
	defer building.Unlock()
	node := gorgonia.NewTensor(n.expr, tensor.Float32, len(shape),
		gorgonia.WithShape(shape...), gorgonia.WithName(name))
	t := &Tensor{net: n, node: node, shape: slices.Clone(shape), name: name}
	n.byNode[node] = t
	return t
}

// param returns the node of the parameter layer/leaf, which it creates with init where p has none.
func (n *Graph) param(layer, leaf string, shape []int, fan fans, init Init, state bool) *Tensor {
	if n.err != nil {
		return &Tensor{}
	}
	p, err := n.params.get(n.prefix+layer+"/"+leaf, shape, fan, init, state)
	if err != nil {
		return n.Fail(layer, "%v", err)
	}
	frozen := n.frozen || state || n.mode == Eval
	key := useKey{p, frozen}
	if t := n.used[key]; t != nil {
		return t
	}
	t := n.leaf(fmt.Sprintf("parameter %d %s", len(n.uses), p.name), shape)
	t.name, t.param, t.needs = p.name, p, !frozen
	t.buf = &buffer{size: len(p.data), data: p.data, kept: true}
	n.used[key] = t
	n.uses = append(n.uses, t)
	return t
}

// enter registers the use of a layer name. It reports whether the construction goes on.
func (n *Graph) enter(layer string, in ...*Tensor) bool {
	if !n.ok(in...) {
		return false
	}
	key := layerKey{n.params, n.prefix + layer}
	if n.layers[key] && !n.reuse {
		n.Fail(layer, "the name is taken by an earlier layer of this graph; Reuse() shares its parameters")
		return false
	}
	n.layers[key] = true
	return true
}

// ok reports whether there was no mistake so far and the tensors belong to this graph.
func (n *Graph) ok(in ...*Tensor) bool {
	if n.err != nil {
		return false
	}
	for i, t := range in {
		if t == nil || t.net != n.network {
			n.err = fmt.Errorf("nn: operand %d is not a value of this graph", i)
			return false
		}
	}
	return true
}

// apply adds an operation and returns its output.
func (n *Graph) apply(layer string, c computation, shape []int, in ...*Tensor) *Tensor {
	if !n.ok(in...) {
		return &Tensor{}
	}
	if err := checkShape(shape); err != nil {
		return n.Fail(layer, "%s of %v: %v", c.kind(), in, err)
	}
	o := &op{net: n.network, id: len(n.ops), layer: n.prefix + layer, c: c, in: in}
	t := &Tensor{net: n.network, shape: slices.Clone(shape), name: o.layer, op: o}
	o.out = t
	nodes := make([]*gorgonia.Node, len(in))
	for i, x := range in {
		nodes[i] = x.node
		t.needs = t.needs || x.needs
	}
	if _, ok := c.(differentiable); !ok || n.backward {
		t.needs = false
	}
	building.Lock()
	node, err := gorgonia.ApplyOp(o, nodes...)
	building.Unlock()
	if err != nil {
		return n.Fail(layer, "%s: %v", c.kind(), err)
	}
	t.node = node
	n.byNode[node] = t
	n.ops = append(n.ops, o)
	t.buf = &buffer{size: size(shape)}
	if v, ok := c.(view); ok {
		t.buf, t.off = in[0].buf, in[0].off+v.offset
	}
	return t
}

// side adds a second output to the operation that made t: an operation of its own, as Gorgonia's
// have one output each, that runs after it and costs nothing.
func (n *Graph) side(t *Tensor, shape ...int) *Tensor {
	if !n.ok(t) {
		return &Tensor{}
	}
	s := n.apply("", part{len(t.op.side)}, shape, t)
	if n.err != nil {
		return s
	}
	s.op.layer, s.name, s.needs = t.op.layer, t.op.layer, false
	t.op.side = append(t.op.side, s)
	return s
}

func checkShape(shape []int) error {
	if len(shape) == 0 {
		return errors.New("the shape has no axes")
	}
	total := int64(1) // 64 bits on every machine: an axis is at most 1<<30.
	for _, d := range shape {
		if d <= 0 || d > 1<<30 {
			return fmt.Errorf("shape %v has an axis that is not positive", shape)
		}
		if total *= int64(d); total > min(1<<31, math.MaxInt) {
			return fmt.Errorf("shape %v is too large", shape)
		}
	}
	return nil
}

func shapes(in []*Tensor) string {
	s := make([]string, len(in))
	for i, t := range in {
		s[i] = fmt.Sprint(t.shape)
	}
	return strings.Join(s, " and ")
}
