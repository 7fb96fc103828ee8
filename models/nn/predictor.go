package nn

import (
	"errors"
	"fmt"
	"runtime"
	"slices"
	"sync"
)

// A Predictor runs a network in Eval mode for any number of concurrent requests of any batch size. It
// keeps idle machines per batch size, which share the parameters and are built when they are first
// needed; building one takes about a millisecond and the memory of its intermediate values. The
// parameters must not change while it runs: use a [Params.Clone] during a training.
type Predictor struct {
	params *Params
	build  func(n *Graph, batch int)
	sizes  []int // largest first
	limit  int   // of idle machines per size

	mu   sync.Mutex
	idle map[int][]*Machine
}

// NewPredictor returns a Predictor of the network that build adds to a graph for a batch size, with
// its results as [Graph.Output]. sizes are the batch sizes that Each cuts a request into; 1 is always
// among them, and none given means 1, 8 and 64. The network is built once, for batch size 1, to report
// mistakes.
func NewPredictor(p *Params, build func(n *Graph, batch int), sizes ...int) (*Predictor, error) {
	if len(sizes) == 0 {
		sizes = []int{1, 8, 64}
	}
	sizes = append(slices.Clone(sizes), 1)
	slices.Sort(sizes)
	sizes = slices.Compact(sizes)
	if sizes[0] < 1 {
		return nil, fmt.Errorf("nn: predictor: batch size %d", sizes[0])
	}
	slices.Reverse(sizes)
	q := &Predictor{params: p, build: build, sizes: sizes, limit: runtime.GOMAXPROCS(0), idle: make(map[int][]*Machine)}
	m, err := q.machine(1)
	if err != nil {
		return nil, err
	}
	q.release(1, m)
	return q, nil
}

// Run runs the network on a batch of the given size and calls use with the machine, to read its
// outputs. The machine belongs to use until it returns.
func (q *Predictor) Run(batch int, use func(m *Machine) error, feeds ...Feed) error {
	if batch < 1 {
		return fmt.Errorf("nn: predictor: batch size %d", batch)
	}
	m, err := q.machine(batch)
	if err != nil {
		return err
	}
	defer q.release(batch, m)
	if err := m.Run(feeds...); err != nil {
		return err
	}
	return use(m)
}

// Each cuts a request of total examples into batches of the Predictor's sizes and calls f for each in
// turn, with the range of examples that it holds and a machine of that batch size, which f feeds, runs
// and reads.
func (q *Predictor) Each(total int, f func(m *Machine, lo, hi int) error) error {
	for lo := 0; lo < total; {
		i := slices.IndexFunc(q.sizes, func(s int) bool { return s <= total-lo })
		size := q.sizes[i]
		m, err := q.machine(size)
		if err != nil {
			return err
		}
		err = f(m, lo, lo+size)
		q.release(size, m)
		if err != nil {
			return err
		}
		lo += size
	}
	return nil
}

// machine takes an idle machine or builds one.
func (q *Predictor) machine(batch int) (*Machine, error) {
	q.mu.Lock()
	if list := q.idle[batch]; len(list) > 0 {
		m := list[len(list)-1]
		q.idle[batch] = list[:len(list)-1]
		q.mu.Unlock()
		return m, nil
	}
	q.mu.Unlock()
	n := NewGraph(Eval, q.params)
	q.build(n, batch)
	if n.Err() == nil && len(n.outputs) == 0 {
		return nil, errors.New("nn: predictor: the network has no output")
	}
	return n.Compile()
}

func (q *Predictor) release(batch int, m *Machine) {
	q.mu.Lock()
	defer q.mu.Unlock()
	if list := q.idle[batch]; len(list) < q.limit {
		q.idle[batch] = append(list, m)
	}
}
