package nn

import (
	"fmt"
	"slices"
)

// Reshape gives x another shape of the same size, without copying.
func (n *Graph) Reshape(x *Tensor, shape ...int) *Tensor {
	if !n.ok(x) {
		return &Tensor{}
	}
	if size(shape) != x.Size() {
		return n.Fail(label("reshape", x), "%v has %d values, %v needs %d", x.shape, x.Size(), shape, size(shape))
	}
	return n.apply(label("reshape", x), view{}, shape, x)
}

// Flatten makes all axes but the first one: [B, ...] -> [B, rest].
func (n *Graph) Flatten(x *Tensor) *Tensor {
	if !n.ok(x) {
		return &Tensor{}
	}
	return n.Reshape(x, x.shape[0], x.Size()/x.shape[0])
}

// Rows returns the examples lo to hi (exclusive) of the batch, without copying.
func (n *Graph) Rows(x *Tensor, lo, hi int) *Tensor {
	if !n.ok(x) {
		return &Tensor{}
	}
	if lo < 0 || hi <= lo || hi > x.shape[0] {
		return n.Fail(label("rows", x), "examples %d to %d of %v", lo, hi, x.shape)
	}
	shape := slices.Clone(x.shape)
	shape[0] = hi - lo
	return n.apply(label("rows", x), view{lo * (x.Size() / x.shape[0])}, shape, x)
}

// Stack joins batches: [A, ...] and [B, ...] to [A+B, ...].
func (n *Graph) Stack(in ...*Tensor) *Tensor { return n.join("stack", 0, in) }

// Concat joins tensors along their last axis, the channels.
func (n *Graph) Concat(in ...*Tensor) *Tensor {
	if !n.ok(in...) {
		return &Tensor{}
	}
	if len(in) == 0 {
		return n.Fail("concat", "no operands")
	}
	return n.join("concat", len(in[0].shape)-1, in)
}

func (n *Graph) join(what string, axis int, in []*Tensor) *Tensor {
	if !n.ok(in...) {
		return &Tensor{}
	}
	if len(in) == 0 {
		return n.Fail(what, "no operands")
	}
	shape := slices.Clone(in[0].shape)
	j := joined{}
	for i, t := range in {
		if len(t.shape) != len(shape) {
			return n.Fail(label(what, t), "shapes %s differ in rank", shapes(in))
		}
		for a := range shape {
			if a != axis && t.shape[a] != shape[a] {
				return n.Fail(label(what, t), "shapes %s differ in axis %d", shapes(in), a)
			}
		}
		if i > 0 {
			shape[axis] += t.shape[axis]
		}
		j.widths = append(j.widths, size(t.shape[axis:]))
	}
	return n.apply(label(what, in[0]), j, shape, in...)
}

// joined interleaves rows of the given widths, one of each input, into rows of their total.
type joined struct{ widths []int }

func (joined) kind() string { return "concat" }

func (j joined) run(o *op) {
	total := 0
	for _, w := range j.widths {
		total += w
	}
	at := 0
	for i, w := range j.widths {
		copyColumns(o.y, total, at, o.x[i], w, 0, w)
		at += w
	}
}

func (j joined) gradient(n *Graph, o *op, dy *Tensor) []*Tensor {
	d := make([]*Tensor, len(o.in))
	total, at := 0, 0
	for _, w := range j.widths {
		total += w
	}
	for i, w := range j.widths {
		if o.in[i].needs {
			d[i] = n.apply(o.layer, columns{total, at, w}, o.in[i].shape, dy)
		}
		at += w
	}
	return d
}

// copyColumns copies count columns of every row, from column s of src to column d of dst.
func copyColumns(dst []float32, dstWidth, d int, src []float32, srcWidth, s, count int) {
	for i, j := d, s; i < len(dst); i, j = i+dstWidth, j+srcWidth {
		copy(dst[i:i+count], src[j:j+count])
	}
}

// Channels returns the channels lo to hi (exclusive) of the last axis.
func (n *Graph) Channels(x *Tensor, lo, hi int) *Tensor {
	if !n.ok(x) {
		return &Tensor{}
	}
	if lo < 0 || hi <= lo || hi > x.Dim(-1) {
		return n.Fail(label("channels", x), "channels %d to %d of %v", lo, hi, x.shape)
	}
	shape := slices.Clone(x.shape)
	shape[len(shape)-1] = hi - lo
	return n.apply(label("channels", x), columns{x.Dim(-1), lo, hi - lo}, shape, x)
}

// Split cuts the channels of x into equal parts.
func (n *Graph) Split(x *Tensor, parts int) []*Tensor {
	out := make([]*Tensor, max(parts, 0))
	c := x.Dim(-1)
	if n.ok(x) && (parts < 1 || c%parts != 0) {
		n.Fail(label("split", x), "%d channels of %v do not divide into %d parts", c, x.shape, parts)
	}
	for i := range out {
		out[i] = n.Channels(x, i*(c/parts), (i+1)*(c/parts))
	}
	return out
}

// columns takes count columns from column at of rows of the given width.
type columns struct{ width, at, count int }

func (c columns) kind() string { return fmt.Sprintf("channels %d to %d", c.at, c.at+c.count) }

func (c columns) run(o *op) { copyColumns(o.y, c.count, 0, o.x[0], c.width, c.at, c.count) }

func (c columns) gradient(n *Graph, o *op, dy *Tensor) []*Tensor {
	return []*Tensor{n.apply(o.layer, embedColumns(c), o.in[0].shape, dy)}
}

// embedColumns is the gradient of columns: zero elsewhere.
type embedColumns columns

func (embedColumns) kind() string { return "channels gradient" }

func (c embedColumns) run(o *op) {
	clear(o.y)
	copyColumns(o.y, c.width, c.at, o.x[0], c.count, 0, c.count)
}
