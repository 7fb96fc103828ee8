package nn

import (
	"errors"
	"fmt"
	"slices"
	"strings"
	"sync"
	"sync/atomic"
)

// Params are the weights and the state of a network by name, in the order of their creation. The
// graphs built on them share their memory. Creation and lookup are safe for concurrent use, the
// values are not: an optimiser must not write while a machine reads.
type Params struct {
	seed   uint64
	mu     sync.Mutex
	list   []*Param
	index  map[string]*Param
	sealed bool
}

// A Param is one named tensor of a network.
type Param struct {
	name    string
	shape   []int
	data    []float32
	state   bool          // running statistics and the like: saved, but not trained
	fixed   bool          // neither trained nor, as state, updated
	asked   bool          // by a layer, rather than only loaded
	version atomic.Uint64 // counts changes, for what is derived from the values
}

// Name returns the parameter's name: the layer's path and a leaf such as "w" or "b".
func (p *Param) Name() string { return p.name }

// Shape returns a copy of the shape.
func (p *Param) Shape() []int { return slices.Clone(p.shape) }

// Data returns the values in place. Call Touch after changing them.
func (p *Param) Data() []float32 { return p.data }

// Touch marks the values as changed, for graphs that cache what is derived from them.
func (p *Param) Touch() { p.version.Add(1) }

// Trainable reports whether an optimiser may change it.
func (p *Param) Trainable() bool { return !p.state && !p.fixed }

// Freeze makes the parameters of a part, those whose names begin with it and a slash, keep their values: optimisers and running
// statistics leave them alone, in copies made later too. Graphs that were built before follow. It returns how many there are.
func (p *Params) Freeze(part string) int {
	n := 0
	for _, q := range p.All() {
		if strings.HasPrefix(q.name, part+"/") {
			q.fixed = true
			n++
		}
	}
	return n
}

// Parts returns the names of the parts, the first components of the parameters' names, sorted.
func (p *Params) Parts() []string {
	var parts []string
	for _, q := range p.All() {
		part, _, _ := strings.Cut(q.name, "/")
		parts = append(parts, part)
	}
	slices.Sort(parts)
	return slices.Compact(parts)
}

// An Array is a named tensor outside any graph, as checkpoints hold them.
type Array struct {
	Name  string
	Shape []int
	Data  []float32
}

// NewParams returns an empty set. Parameters are initialised when a layer first asks for them, from
// the seed and their name alone.
func NewParams(seed uint64) *Params { return &Params{seed: seed, index: make(map[string]*Param)} }

// Seed returns the seed of the initial values.
func (p *Params) Seed() uint64 { return p.seed }

// Seal makes it an error for a layer to ask for a parameter that does not exist yet, as after
// loading a checkpoint. It returns p.
func (p *Params) Seal() *Params {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.sealed = true
	return p
}

// All returns the parameters in order.
func (p *Params) All() []*Param {
	p.mu.Lock()
	defer p.mu.Unlock()
	return slices.Clone(p.list)
}

// Lookup returns the parameter of that name, or nil.
func (p *Params) Lookup(name string) *Param {
	p.mu.Lock()
	defer p.mu.Unlock()
	return p.index[name]
}

// Count returns the number of trainable values.
func (p *Params) Count() int {
	n := 0
	for _, q := range p.All() {
		if !q.state {
			n += len(q.data)
		}
	}
	return n
}

func (p *Params) get(name string, shape []int, fan fans, init Init, state bool) (*Param, error) {
	p.mu.Lock()
	defer p.mu.Unlock()
	if q := p.index[name]; q != nil {
		if !slices.Equal(q.shape, shape) {
			return nil, fmt.Errorf("parameter %s has shape %v, the layer wants %v", name, q.shape, shape)
		}
		q.state, q.asked = state, true
		return q, nil
	}
	if p.sealed {
		return nil, fmt.Errorf("there is no parameter %s %v (the parameters were loaded and sealed)", name, shape)
	}
	if err := checkShape(shape); err != nil {
		return nil, fmt.Errorf("parameter %s: %w", name, err)
	}
	q := &Param{name: name, shape: slices.Clone(shape), data: make([]float32, size(shape)), state: state, asked: true}
	init(q.data, shape, fan, newInitRand(p.seed, name))
	p.add(q)
	return q, nil
}

func (p *Params) add(q *Param) {
	p.list = append(p.list, q)
	p.index[q.name] = q
}

// Export returns copies of all parameters, state included, with prefix before their names.
func (p *Params) Export(prefix string) []Array {
	list := p.All()
	out := make([]Array, len(list))
	for i, q := range list {
		out[i] = Array{Name: prefix + q.name, Shape: q.Shape(), Data: slices.Clone(q.data)}
	}
	return out
}

// Import copies the arrays whose names begin with prefix into the parameters. Parameters that do not
// exist yet are created, unless p is sealed. It changes nothing where an array does not fit, or
// where a parameter that a layer already uses is missing.
func (p *Params) Import(prefix string, arrays []Array) error {
	p.mu.Lock()
	defer p.mu.Unlock()
	found := make(map[string]Array, len(arrays))
	var names []string
	for _, a := range arrays {
		name, ok := cutPrefix(a.Name, prefix)
		if !ok {
			continue
		}
		if err := checkShape(a.Shape); err != nil {
			return fmt.Errorf("nn: tensor %s: %w", a.Name, err)
		}
		if size(a.Shape) != len(a.Data) {
			return fmt.Errorf("nn: tensor %s: shape %v but %d values", a.Name, a.Shape, len(a.Data))
		}
		q := p.index[name]
		if q == nil && p.sealed {
			return fmt.Errorf("nn: tensor %s %v: the network has no such parameter", a.Name, a.Shape)
		}
		if q != nil && !slices.Equal(q.shape, a.Shape) {
			return fmt.Errorf("nn: tensor %s has shape %v, the network wants %v", a.Name, a.Shape, q.shape)
		}
		if _, dup := found[name]; dup {
			return fmt.Errorf("nn: tensor %s occurs twice", a.Name)
		}
		found[name] = a
		names = append(names, name)
	}
	if len(names) == 0 {
		return fmt.Errorf("nn: no tensor begins with %q", prefix)
	}
	for _, q := range p.list {
		if _, ok := found[q.name]; !ok && q.asked {
			return fmt.Errorf("nn: tensor %s%s %v is missing", prefix, q.name, q.shape)
		}
	}
	for _, name := range names {
		a := found[name]
		q := p.index[name]
		if q == nil {
			q = &Param{name: name, shape: slices.Clone(a.Shape), data: make([]float32, len(a.Data))}
			p.add(q)
		}
		copy(q.data, a.Data)
		q.Touch()
	}
	return nil
}

// Unused returns an error naming a parameter that was imported but that no layer asked for.
func (p *Params) Unused() error {
	for _, q := range p.All() {
		if !q.asked {
			return fmt.Errorf("nn: tensor %s %v belongs to no layer", q.name, q.shape)
		}
	}
	return nil
}

// CopyFrom copies the values of every parameter of q, which must have the same names and shapes.
func (p *Params) CopyFrom(q *Params) error {
	src := q.All()
	if len(src) != len(p.All()) {
		return errors.New("nn: copying between different networks")
	}
	for _, s := range src {
		d := p.Lookup(s.name)
		if d == nil || !slices.Equal(d.shape, s.shape) {
			return fmt.Errorf("nn: copying between different networks: %s", s.name)
		}
		copy(d.data, s.data)
		d.Touch()
	}
	return nil
}

// Clone returns a copy with memory of its own, for instance for inference during a training.
func (p *Params) Clone() *Params {
	c := NewParams(p.seed)
	for _, q := range p.All() {
		c.add(&Param{name: q.name, shape: q.Shape(), data: slices.Clone(q.data), state: q.state, fixed: q.fixed, asked: q.asked})
	}
	return c
}

func cutPrefix(s, prefix string) (string, bool) {
	if len(s) < len(prefix) || s[:len(prefix)] != prefix {
		return "", false
	}
	return s[len(prefix):], true
}
