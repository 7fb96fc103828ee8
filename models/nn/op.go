package nn

import (
	"fmt"
	"hash"
	"hash/fnv"

	"github.com/chewxy/hm"
	"gorgonia.org/gorgonia"
	"gorgonia.org/tensor"
)

// A computation is the arithmetic of one node. It has no state but the parameters of its construction; its
// operands are those of the operation it is given.
type computation interface {
	kind() string
	// run computes o.y (and o.s) from o.x. It must write every element of its outputs and may use o.w.
	run(o *op)
}

// A differentiable computation can extend the graph by its gradient.
type differentiable interface {
	computation
	// gradient returns, for every input of o, the gradient of the loss with respect to it, given that
	// with respect to o's output; nil for inputs that need none.
	gradient(n *Graph, o *op, dy *Tensor) []*Tensor
}

// A worker is a computation that needs scratch memory while it runs.
type worker interface {
	scratch(o *op) []int // sizes in elements
}

// An op adapts a computation to gorgonia.Op and gorgonia.SDOp and holds the memory it is bound to.
type op struct {
	net   *network
	id    int
	layer string
	c     computation
	in    []*Tensor
	out   *Tensor
	side  []*Tensor
	work  []*buffer

	// Bound when the graph is compiled.
	x [][]float32 // inputs
	y []float32   // output
	s [][]float32 // side outputs
	w [][]float32 // scratch
}

var (
	_ gorgonia.Op   = (*op)(nil)
	_ gorgonia.SDOp = (*op)(nil)
)

// tensorType returns Gorgonia's type of a float32 tensor of some rank.
func tensorType(rank int) hm.Type { return gorgonia.TensorType{Dims: rank, Of: tensor.Float32} }

func (o *op) Arity() int { return len(o.in) }

func (o *op) Type() hm.Type {
	ts := make([]hm.Type, 0, len(o.in)+1)
	for _, t := range o.in {
		ts = append(ts, tensorType(len(t.shape)))
	}
	return hm.NewFnType(append(ts, tensorType(len(o.out.shape)))...)
}

func (o *op) InferShape(...gorgonia.DimSizer) (tensor.Shape, error) {
	return tensor.Shape(o.out.shape).Clone(), nil
}

// Do runs the operation on the given values, whose memory it reads in place, and returns its own
// output, which the next call overwrites.
func (o *op) Do(values ...gorgonia.Value) (v gorgonia.Value, err error) {
	if o.y == nil {
		return nil, fmt.Errorf("nn: layer %s: %s: run before the graph was compiled", o.layer, o.c.kind())
	}
	if len(values) != len(o.in) {
		return nil, fmt.Errorf("nn: layer %s: %s: want %d operands, got %d", o.layer, o.c.kind(), len(o.in), len(values))
	}
	for i, v := range values {
		data, ok := v.Data().([]float32)
		if !ok || len(data) != len(o.x[i]) {
			return nil, fmt.Errorf("nn: layer %s: %s: operand %d: want %v float32, got %v", o.layer, o.c.kind(), i, o.in[i].shape, v.Shape())
		}
		o.x[i] = data
	}
	if err := o.run(); err != nil {
		return nil, err
	}
	return o.out.value, nil
}

// run calls the computation and turns a panic into an error that names the layer.
func (o *op) run() (err error) {
	defer func() {
		if r := recover(); r != nil {
			err = fmt.Errorf("nn: layer %s: %s of %s: %v", o.layer, o.c.kind(), shapes(o.in), r)
		}
	}()
	o.c.run(o)
	return nil
}

func (o *op) ReturnsPtr() bool     { return true }
func (o *op) CallsExtern() bool    { return false }
func (o *op) OverwritesInput() int { return -1 }

// WriteHash writes an identity of its own for every operation, so that Gorgonia never merges two.
func (o *op) WriteHash(h hash.Hash) { fmt.Fprintf(h, "wavemill %d %s %s", o.id, o.layer, o.c.kind()) }

func (o *op) Hashcode() uint32 {
	h := fnv.New32a()
	o.WriteHash(h)
	return h.Sum32()
}

func (o *op) String() string { return o.layer + ":" + o.c.kind() }

// DiffWRT is true for the inputs a gradient flows into: not for data, labels or frozen weights.
func (o *op) DiffWRT(int) []bool {
	d := make([]bool, len(o.in))
	if o.out.needs {
		for i, t := range o.in {
			d[i] = t.needs
		}
	}
	return d
}

// SymDiff extends the graph by the operation's gradient.
func (o *op) SymDiff(_ gorgonia.Nodes, _, grad *gorgonia.Node) (gorgonia.Nodes, error) {
	d, ok := o.c.(differentiable)
	if !ok {
		return nil, fmt.Errorf("nn: layer %s: %s has no gradient", o.layer, o.c.kind())
	}
	dy := o.net.byNode[grad]
	if dy == nil {
		return nil, fmt.Errorf("nn: layer %s: %s: the gradient is not of this graph", o.layer, o.c.kind())
	}
	n := &Graph{network: o.net}
	grads := d.gradient(n, o, dy)
	if n.err != nil {
		return nil, n.err
	}
	nodes := make(gorgonia.Nodes, len(o.in))
	for i, t := range grads {
		if t == nil {
			continue
		}
		if t.Size() != o.in[i].Size() {
			return nil, fmt.Errorf("nn: layer %s: %s: gradient %v of an input %v", o.layer, o.c.kind(), t.shape, o.in[i].shape)
		}
		nodes[i] = t.node
	}
	return nodes, nil
}

// view is another shape, or a contiguous part, of its input's memory.
type view struct{ offset int }

func (view) kind() string { return "view" }
func (view) run(*op)      {}

func (v view) gradient(n *Graph, o *op, dy *Tensor) []*Tensor {
	in := o.in[0]
	if v.offset == 0 && in.Size() == o.out.Size() {
		return []*Tensor{n.apply(o.layer, view{}, in.shape, dy)}
	}
	return []*Tensor{n.apply(o.layer, embed(v), in.shape, dy)}
}

// part is a side output of the operation its input comes from.
type part struct{ index int }

func (part) kind() string { return "part" }
func (part) run(*op)      {}

// embed is the gradient of a contiguous part: zero but for its input at an offset.
type embed struct{ offset int }

func (embed) kind() string { return "embed" }

func (e embed) run(o *op) {
	clear(o.y)
	copy(o.y[e.offset:], o.x[0])
}
