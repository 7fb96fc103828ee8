// Package compiled keeps the compiled graphs of a learner, one for each name and batch size.
package compiled

import (
	"wavemill/models/nn"
)

// A Cache compiles graphs when they are first asked for. The zero value keeps intermediate values of every graph apart;
// New shares their memory. It is used by one goroutine at a time.
type Cache struct {
	arena    *nn.Arena
	machines map[key]*nn.Machine
}

type key struct {
	name  string
	batch int
}

// New returns a cache whose graphs share the memory of intermediate values. Outputs of one graph are valid until
// another one runs.
func New() *Cache { return &Cache{arena: new(nn.Arena)} }

// Get returns the machine of that name for a batch size. The first call for both compiles what build adds to a graph of
// the given mode and parameters. build returns the loss whose gradients are computed, or nil for none. The parameters
// and what build does must follow from the name.
func (c *Cache) Get(name string, batch int, mode nn.Mode, p *nn.Params, build func(n *nn.Graph) *nn.Tensor) (*nn.Machine, error) {
	k := key{name, batch}
	if m := c.machines[k]; m != nil {
		return m, nil
	}
	n := nn.NewGraph(mode, p)
	var options []nn.CompileOption
	if loss := build(n); loss != nil {
		options = append(options, nn.Minimise(loss))
	}
	if c.arena != nil {
		options = append(options, nn.In(c.arena))
	}
	m, err := n.Compile(options...)
	if err != nil {
		return nil, err
	}
	if c.machines == nil {
		c.machines = map[key]*nn.Machine{}
	}
	c.machines[k] = m
	return m, nil
}
