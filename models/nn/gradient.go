package nn

import (
	"fmt"

	"gorgonia.org/gorgonia"
)

// differentiate extends the graph by the gradients of loss with respect to every trainable parameter
// and every input marked Differentiable, and returns them. It walks the operations backwards and
// asks each for its SymDiff, as gorgonia.Backpropagate does, but adds the terms of a value used more
// than once with an operation of ours: Gorgonia's allocates its result anew in every run, or
// overwrites the memory of one of the terms.
func (n *network) differentiate(loss *Tensor) (map[*Tensor]*Tensor, error) {
	if loss.op == nil || !loss.needs {
		return nil, fmt.Errorf("nn: the loss %v depends on no trainable parameter", loss)
	}
	n.backward = true
	g := &Graph{network: n}
	terms := map[*Tensor][]*Tensor{loss: {g.apply("gradient", ones{}, loss.shape, loss)}}
	grads := make(map[*Tensor]*Tensor)
	total := func(t *Tensor) *Tensor {
		ts := terms[t]
		if len(ts) > 1 {
			return g.apply(t.name, sum{}, t.shape, ts...)
		}
		return ts[0]
	}
	for i := loss.op.id; i >= 0; i-- {
		o := n.ops[i]
		if !o.out.needs || len(terms[o.out]) == 0 {
			continue
		}
		nodes := make(gorgonia.Nodes, len(o.in))
		for j, t := range o.in {
			nodes[j] = t.node
		}
		dx, err := o.SymDiff(nodes, o.out.node, total(o.out).node)
		if err != nil {
			return nil, err
		}
		for j, node := range dx {
			if node != nil && o.in[j].needs {
				terms[o.in[j]] = append(terms[o.in[j]], n.byNode[node])
			}
		}
	}
	for _, t := range append(append([]*Tensor(nil), n.uses...), n.inputs...) {
		if t.needs && len(terms[t]) > 0 {
			grads[t] = total(t)
		}
	}
	return grads, n.err
}

// ones is the gradient of the loss with respect to itself.
type ones struct{}

func (ones) kind() string { return "ones" }

func (ones) run(o *op) {
	for i := range o.y {
		o.y[i] = 1
	}
}
