package nn

import (
	"errors"
	"fmt"
	"math"
	"runtime"
	"slices"
	"sync"

	"gorgonia.org/gorgonia"
	"gorgonia.org/tensor"
)

// A Machine runs a compiled graph. Runs of one machine are serialised; different machines may run
// concurrently (see the package comment on sharing).
type Machine struct {
	net   *network
	mu    *sync.Mutex // the arena's, where there is one
	ops   []*op
	grads []gradient
	bytes int
}

// gradient pairs a parameter with the memory its gradient is left in.
type gradient struct {
	param *Param
	data  []float32
}

// A CompileOption changes how a graph is compiled.
type CompileOption func(*compileOptions)

type compileOptions struct {
	loss  *Tensor
	arena *Arena
	keep  bool
}

// Minimise makes the machine compute the gradients of loss, a value of shape [1], with respect to all
// parameters of the graph that are not frozen.
func Minimise(loss *Tensor) CompileOption { return func(o *compileOptions) { o.loss = loss } }

// In places intermediate values in memory shared with other machines.
func In(a *Arena) CompileOption { return func(o *compileOptions) { o.arena = a } }

// Compile finishes the graph: it adds the gradients, drops what neither the loss nor an output
// needs, plans the memory, and returns the machine that runs it. A graph is compiled once.
func (n *Graph) Compile(options ...CompileOption) (*Machine, error) {
	if n.err != nil {
		return nil, n.err
	}
	if n.compiled {
		return nil, errors.New("nn: the graph was compiled before")
	}
	n.compiled = true
	var o compileOptions
	for _, f := range options {
		f(&o)
	}
	if o.loss == nil && len(n.outputs) == 0 {
		return nil, errors.New("nn: the graph has neither a loss nor an output")
	}
	m := &Machine{net: n.network, mu: new(sync.Mutex)}
	roots := slices.Clone(n.outputs)
	var grads map[*Tensor]*Tensor
	if o.loss != nil {
		if !n.ok(o.loss) || o.loss.Size() != 1 {
			return nil, fmt.Errorf("nn: the loss must be one value of this graph, got %v", o.loss)
		}
		var err error
		if grads, err = n.differentiate(o.loss); err != nil {
			return nil, err
		}
		roots = append(roots, o.loss)
		for _, g := range grads {
			roots = append(roots, g)
		}
	}
	m.ops = reachable(n.ops, roots)
	m.allocate(o, roots)
	for _, t := range n.uses {
		if g := grads[t]; g != nil && t.param != nil {
			m.grads = append(m.grads, gradient{t.param, g.data()})
		}
	}
	for _, t := range n.inputs {
		if g := grads[t]; g != nil {
			n.byName["gradient "+t.name] = g
		}
	}
	return m, nil
}

// reachable returns the operations that the roots depend on, in order.
func reachable(ops []*op, roots []*Tensor) []*op {
	need := make([]bool, len(ops))
	for _, t := range roots {
		if t.op != nil {
			need[t.op.id] = true
		}
	}
	var list []*op
	for i := len(ops) - 1; i >= 0; i-- {
		o := ops[i]
		if s, ok := o.c.(effectful); ok && s.effect() {
			need[i] = true
		}
		if !need[i] {
			continue
		}
		list = append(list, o)
		for _, t := range o.in {
			if t.op != nil {
				need[t.op.id] = true
			}
		}
	}
	slices.Reverse(list)
	return list
}

// An effectful computation does something besides computing its output, so it runs even if nothing
// needs that.
type effectful interface{ effect() bool }

// allocate plans and binds the memory of every tensor.
func (m *Machine) allocate(o compileOptions, roots []*Tensor) {
	keep := func(t *Tensor) {
		t.buf.kept = true
	}
	for _, t := range m.net.inputs {
		t.buf = &buffer{size: size(t.shape), kept: true}
	}
	for _, p := range m.ops { // inputs' buffers are made late: hand them on to their views
		if v, ok := p.c.(view); ok {
			p.out.buf, p.out.off = p.in[0].buf, p.in[0].off+v.offset
		}
	}
	for _, t := range roots {
		keep(t)
	}
	seen := make(map[*buffer]bool)
	var planned []*buffer
	touch := func(b *buffer, i int) {
		if !seen[b] {
			seen[b] = true
			b.first = i
			if b.data == nil {
				if b.kept || o.keep {
					b.data = alignedSlice(b.size)
					m.bytes += 4 * b.size
				} else {
					planned = append(planned, b)
				}
			}
		}
		b.last = i
	}
	for i, p := range m.ops {
		for _, t := range p.in {
			touch(t.buf, i)
		}
		touch(p.out.buf, i)
		for _, t := range p.side {
			touch(t.buf, i)
		}
		if w, ok := p.c.(worker); ok {
			for _, s := range w.scratch(p) {
				b := &buffer{size: s}
				p.work = append(p.work, b)
				touch(b, i)
			}
		}
	}
	for _, t := range m.net.inputs {
		if t.buf.data == nil {
			t.buf.data = make([]float32, t.buf.size)
		}
	}
	total := plan(planned)
	arena := o.arena
	if arena == nil {
		arena = new(Arena)
	}
	m.mu = &arena.mu
	arena.mu.Lock()
	memory := arena.reserve(total)
	arena.mu.Unlock()
	m.bytes += 4 * total
	for _, b := range planned {
		b.data = memory[b.off : b.off+b.size]
	}
	m.bind()
}

// bind gives every operation the memory of its operands, and Gorgonia's nodes their values.
func (m *Machine) bind() {
	building.Lock()
	defer building.Unlock()
	value := func(t *Tensor) {
		if t.value == nil {
			t.value = tensor.New(tensor.WithShape(t.shape...), tensor.WithBacking(t.data()))
			if t.op == nil {
				// A leaf's shape and type are those of its node, so this cannot fail.
				_ = gorgonia.Let(t.node, t.value)
			}
		}
	}
	for _, t := range m.net.inputs {
		value(t)
	}
	for _, t := range m.net.uses {
		value(t)
	}
	for _, p := range m.ops {
		for _, t := range p.in {
			p.x = append(p.x, t.data())
		}
		p.y = p.out.data()
		value(p.out)
		for _, t := range p.side {
			p.s = append(p.s, t.data())
		}
		for _, b := range p.work {
			p.w = append(p.w, b.data)
		}
	}
}

// alignedSlice returns n zeros that start on a cache line where the allocator allows it: large
// allocations are page-aligned.
func alignedSlice(n int) []float32 { return make([]float32, n) }

// A Feed is a value for an input of a run.
type Feed struct {
	name   string
	data   []float32
	ints   []int
	scalar float32
	seed   uint64
	what   feedKind
}

type feedKind uint8

const (
	feedValues feedKind = iota
	feedLabels
	feedScalar
	feedSeed
)

// Values feeds data, whose length must be the input's size, and which is copied.
func Values(name string, data []float32) Feed { return Feed{name: name, data: data} }

// Labels feeds class indices to an input of an [Graph.Embedding].
func Labels(name string, ids []int) Feed { return Feed{name: name, ints: ids, what: feedLabels} }

// Scalar feeds one value to every element of an input, for weights and targets.
func Scalar(name string, v float64) Feed {
	return Feed{name: name, scalar: float32(v), what: feedScalar}
}

// Seed sets the seed of the run's noise and dropout. Without it the seed is that of the run before.
func Seed(seed uint64) Feed { return Feed{seed: seed, what: feedSeed} }

// Run feeds the inputs and computes the graph: outputs, losses, gradients, and the state its layers
// keep. An input that is not fed keeps its values. It returns an error, and computes nothing, where a
// feed names no input or does not fit it.
func (m *Machine) Run(feeds ...Feed) error {
	m.mu.Lock()
	defer m.mu.Unlock()
	for i := range feeds {
		if err := m.feed(&feeds[i]); err != nil {
			return err
		}
	}
	for _, o := range m.ops {
		if err := o.run(); err != nil {
			return err
		}
	}
	runtime.KeepAlive(m)
	return nil
}

func (m *Machine) feed(f *Feed) error {
	if f.what == feedSeed {
		m.net.seed = f.seed
		return nil
	}
	t := m.net.byName[f.name]
	if t == nil || t.op != nil || t.param != nil {
		return fmt.Errorf("nn: the graph has no input %q", f.name)
	}
	dst := t.data()
	switch f.what {
	case feedScalar:
		for i := range dst {
			dst[i] = f.scalar
		}
	case feedLabels:
		if len(f.ints) != len(dst) {
			return fmt.Errorf("nn: input %s: want %d labels %v, got %d", f.name, len(dst), t.shape, len(f.ints))
		}
		for i, id := range f.ints {
			if id < 0 || t.limit > 0 && id >= t.limit {
				return fmt.Errorf("nn: input %s: label %d of item %d is not in [0, %d)", f.name, id, i, t.limit)
			}
			dst[i] = float32(id)
		}
	default:
		if len(f.data) != len(dst) {
			return fmt.Errorf("nn: input %s: want %d values %v, got %d", f.name, len(dst), t.shape, len(f.data))
		}
		if t.limit > 0 {
			return fmt.Errorf("nn: input %s holds labels: feed it with Labels", f.name)
		}
		copy(dst, f.data)
	}
	return nil
}

// Input returns the memory of an input, to be filled in place between runs; nil if there is none.
func (m *Machine) Input(name string) []float32 {
	if t := m.net.byName[name]; t != nil && t.op == nil {
		return t.data()
	}
	return nil
}

// Output returns the value of an output after a run, nil if there is none of that name. The memory
// is the machine's and the next run overwrites it.
func (m *Machine) Output(name string) []float32 {
	if t := m.net.byName[name]; t != nil {
		return t.data()
	}
	return nil
}

// Loss returns the value of a loss after a run, NaN if there is none of that name.
func (m *Machine) Loss(name string) float64 {
	if t := m.net.byName[name]; t != nil && t.Size() == 1 {
		return float64(t.data()[0])
	}
	return math.NaN()
}

// Gradient returns the gradient of the loss with respect to a parameter or to an input marked
// [Graph.Differentiable], after a run; nil if there is none. The memory is the machine's.
func (m *Machine) Gradient(name string) []float32 {
	for _, g := range m.grads {
		if g.param.name == name {
			return g.data
		}
	}
	return m.Output("gradient " + name)
}

// Bytes returns the memory of the machine's intermediate values, without parameters.
func (m *Machine) Bytes() int { return m.bytes }
