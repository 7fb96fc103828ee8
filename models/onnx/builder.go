package onnx

import (
	"fmt"
	"slices"

	"wavemill/models/nn"
)

// A builder collects the nodes of a graph.
type builder struct {
	graph graph
	taken map[string]bool // names of values and nodes
	where map[*nn.Value]*place
	small map[string]string // names of small integer tensors, by content
}

// A place holds the names of a value of nn in the graph: plain in the layout of nn, planar as an image [N, C, H, W]. A name
// is "" until the value exists in that layout.
type place struct{ plain, planar string }

func newBuilder(name string) *builder {
	return &builder{graph: graph{name: name}, taken: map[string]bool{}, where: map[*nn.Value]*place{}, small: map[string]string{}}
}

// network adds a whole network.
func (b *builder) network(w nn.Network, d *nn.Description) error {
	for _, p := range append(slices.Clone(w.Inputs), w.Outputs...) {
		if b.taken[p.Name] {
			return fmt.Errorf("two ports are called %q", p.Name)
		}
		b.taken[p.Name] = true
	}
	for i, p := range w.Inputs {
		if err := b.input(p, d.Inputs[i]); err != nil {
			return err
		}
	}
	for _, s := range d.Steps {
		if err := b.step(s); err != nil {
			return fmt.Errorf("layer %s: %w", s.Layer, err)
		}
	}
	for i, p := range w.Outputs {
		if err := b.output(p, d.Outputs[i]); err != nil {
			return err
		}
	}
	return nil
}

// squeezed returns the shape of a port's value outside of the network.
func squeezed(p nn.Port, v *nn.Value) ([]int, error) {
	shape := slices.Clone(v.Shape)
	if !p.Squeeze {
		return shape, nil
	}
	last := len(shape) - 1
	if last < 1 || shape[last] != 1 {
		return nil, fmt.Errorf("port %s: the last axis of %v is not one", p.Name, shape)
	}
	return shape[:last], nil
}

func (b *builder) input(p nn.Port, v *nn.Value) error {
	shape, err := squeezed(p, v)
	if err != nil {
		return err
	}
	in := port{name: p.Name, doc: p.Doc, shape: shape, element: elementFloat}
	if p.Labels {
		in.element = elementInt64
	}
	b.graph.inputs = append(b.graph.inputs, in)
	at := &place{plain: p.Name}
	switch {
	case p.Squeeze && image(v): // one channel: [N, H, W] to [N, 1, H, W]
		at = &place{planar: b.node("Unsqueeze", p.Name, []string{p.Name, b.ints(1)})}
	case p.Squeeze:
		at.plain = b.node("Unsqueeze", p.Name, []string{p.Name, b.ints(int64(len(shape)))})
	}
	b.where[v] = at
	return nil
}

func (b *builder) output(p nn.Port, v *nn.Value) error {
	shape, err := squeezed(p, v)
	if err != nil {
		return err
	}
	b.graph.outputs = append(b.graph.outputs, port{name: p.Name, doc: p.Doc, shape: shape, element: elementFloat})
	var x string
	switch at := b.where[v]; {
	case p.Squeeze && at != nil && at.planar != "":
		x = b.node("Squeeze", p.Name, []string{at.planar, b.ints(1)})
	case p.Squeeze:
		x = b.node("Squeeze", p.Name, []string{b.plain(v), b.ints(int64(len(shape)))})
	default:
		x = b.plain(v)
	}
	last := node{op: "Identity", name: b.unique(p.Name + "/out"), inputs: []string{x}, outputs: []string{p.Name}}
	if p.Min < p.Max {
		last.op = "Clip"
		last.inputs = append(last.inputs, b.number(p.Name+"/min", float32(p.Min)), b.number(p.Name+"/max", float32(p.Max)))
	}
	b.graph.nodes = append(b.graph.nodes, last)
	return nil
}

// image reports whether v is [N, H, W, C].
func image(v *nn.Value) bool { return len(v.Shape) == 4 }

// unique returns name, or a similar name if it is taken.
func (b *builder) unique(name string) string {
	for i, base := 2, name; b.taken[name]; i++ {
		name = fmt.Sprintf("%s_%d", base, i)
	}
	b.taken[name] = true
	return name
}

// node adds an operation and returns the name of its result.
func (b *builder) node(op, layer string, inputs []string, attributes ...attribute) string {
	name := b.unique(layer + "/" + op)
	b.graph.nodes = append(b.graph.nodes, node{name: name, op: op, inputs: inputs, outputs: []string{name}, attributes: attributes})
	return name
}

// floats adds a constant.
func (b *builder) floats(name string, shape []int, data []float32) string {
	name = b.unique(name)
	b.graph.initializers = append(b.graph.initializers, tensor{name: name, shape: shape, floats: data})
	return name
}

// number adds a constant scalar.
func (b *builder) number(name string, v float32) string { return b.floats(name, nil, []float32{v}) }

// ints returns a constant vector of integers, as axes and shapes are given.
func (b *builder) ints(v ...int64) string {
	key := fmt.Sprint(v)
	if b.small[key] == "" {
		b.small[key] = b.unique("ints" + key)
		b.graph.initializers = append(b.graph.initializers, tensor{name: b.small[key], shape: []int{len(v)}, ints: v})
	}
	return b.small[key]
}

// plain returns the name of v in the layout of nn.
func (b *builder) plain(v *nn.Value) string {
	at := b.place(v)
	if at.plain == "" {
		at.plain = b.node("Transpose", v.Name, []string{at.planar}, attribute{"perm", []int64{0, 2, 3, 1}})
	}
	return at.plain
}

// planar returns the name of the image v as [N, C, H, W].
func (b *builder) planar(v *nn.Value) string {
	at := b.place(v)
	if at.planar == "" {
		at.planar = b.node("Transpose", v.Name, []string{at.plain}, attribute{"perm", []int64{0, 3, 1, 2}})
	}
	return at.planar
}

// place returns the place of v. It adds an initializer for a constant.
func (b *builder) place(v *nn.Value) *place {
	at := b.where[v]
	if at == nil {
		at = &place{plain: b.floats(v.Name, v.Shape, v.Data)}
		b.where[v] = at
	}
	return at
}

// operand returns the name of v in the layout that operations on images prefer.
func (b *builder) operand(v *nn.Value) string {
	if image(v) {
		return b.planar(v)
	}
	return b.plain(v)
}

// result records the name of v in that layout.
func (b *builder) result(v *nn.Value, name string) {
	if image(v) {
		b.where[v] = &place{planar: name}
		return
	}
	b.where[v] = &place{plain: name}
}

// channelAxis is the axis of v's channels in that layout.
func channelAxis(v *nn.Value) int64 {
	if image(v) {
		return 1
	}
	return int64(len(v.Shape) - 1)
}

// dims returns a shape as ONNX writes it, -1 for what follows from the rest.
func dims(shape []int) []int64 {
	out := make([]int64, len(shape))
	for i, d := range shape {
		out[i] = int64(d) // nn.BatchAxis is -1
	}
	return out
}

// layout returns v's shape in the layout of operand.
func layout(v *nn.Value) []int {
	if s := v.Shape; image(v) {
		return []int{s[0], s[3], s[1], s[2]}
	}
	return v.Shape
}
