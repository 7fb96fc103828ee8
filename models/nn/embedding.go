package nn

import (
	"wavemill/models/nn/kernel"
)

// Sets says of which rows of an embedding's table each class is the mean: a class that is a set of labels shares the
// vectors of its labels with the other sets.
type Sets struct {
	Rows int     // of the table
	Of   [][]int // rows of each class, at least one each
}

// InSets makes an Embedding look up the mean of the rows of each class; nil looks up one row for each, as without it. The
// parameter is w [sets.Rows, width].
func InSets(sets *Sets) Option { return func(s *layerSpec) { s.sets = sets } }

// Embedding looks up a learned vector for every label: [B] -> [B, width]. labels must be an input of
// shape [B], fed with [Labels]. Parameter: w [classes, width], by default normal with deviation 1.
func (n *Graph) Embedding(layer string, labels *Tensor, classes, width int, options ...Option) *Tensor {
	if !n.enter(layer, labels) {
		return &Tensor{}
	}
	if labels.op != nil || labels.param != nil || len(labels.shape) != 1 {
		return n.Fail(layer, "embedding: labels must be an input of shape [B], got %v", labels)
	}
	if labels.limit == 0 || classes < labels.limit {
		labels.limit = classes
	}
	s := newSpec(append([]Option{Weight(Normal(1))}, options...))
	rows := classes
	if s.sets != nil {
		if len(s.sets.Of) != classes {
			return n.Fail(layer, "embedding: sets of %d classes, want %d", len(s.sets.Of), classes)
		}
		rows = s.sets.Rows
	}
	w := n.weights(layer, &s, []int{rows, width}, fans{rows, width})
	return n.apply(layer, embedding{width, s.sets}, []int{labels.shape[0], width}, labels, w)
}

// embedding copies the rows of its second input whose indices are in its first, or the means of rows.
type embedding struct {
	width int
	sets  *Sets // nil: row i is class i
}

func (embedding) kind() string { return "embedding" }

func (e embedding) run(o *op) {
	for i, id := range o.x[0] {
		e.row(o.y[i*e.width:(i+1)*e.width], o.x[1], int(id))
	}
}

// row writes the vector of a class to y.
func (e embedding) row(y, table []float32, class int) {
	if e.sets == nil {
		copy(y, table[class*e.width:][:e.width])
		return
	}
	of := e.sets.Of[class]
	copy(y, table[of[0]*e.width:][:e.width])
	if len(of) == 1 {
		return
	}
	for _, r := range of[1:] {
		kernel.Axpy(1, table[r*e.width:][:e.width], y)
	}
	for i := range y {
		y[i] /= float32(len(of))
	}
}

func (e embedding) gradient(n *Graph, o *op, dy *Tensor) []*Tensor {
	if !o.in[1].needs {
		return []*Tensor{nil, nil}
	}
	return []*Tensor{nil, n.apply(o.layer, embeddingGradient(e), o.in[1].shape, dy, o.in[0])}
}

// embeddingGradient adds the rows of its first input to the rows whose indices are in its second.
type embeddingGradient embedding

func (embeddingGradient) kind() string { return "embedding gradient" }

func (e embeddingGradient) run(o *op) {
	clear(o.y)
	for i, id := range o.x[1] {
		dy := o.x[0][i*e.width : (i+1)*e.width]
		if e.sets == nil {
			kernel.Axpy(1, dy, o.y[int(id)*e.width:][:e.width])
			continue
		}
		of := e.sets.Of[int(id)]
		for _, r := range of {
			kernel.Axpy(1/float32(len(of)), dy, o.y[r*e.width:][:e.width])
		}
	}
}

// RowDot returns the inner product of corresponding rows: [B, F] and [B, F] -> [B, 1], as a
// projection discriminator adds it. Source: Miyato and Koyama, cGANs with Projection Discriminator,
// 2018.
func (n *Graph) RowDot(a, b *Tensor) *Tensor {
	if !n.ok(a, b) {
		return &Tensor{}
	}
	if len(a.shape) != 2 || len(b.shape) != 2 || a.shape[0] != b.shape[0] || a.shape[1] != b.shape[1] {
		return n.Fail(label("row dot", a), "want [B, F] twice, got %v and %v", a.shape, b.shape)
	}
	return n.apply(label("row dot", a), rowDot{a.shape[1]}, []int{a.shape[0], 1}, a, b)
}

type rowDot struct{ width int }

func (rowDot) kind() string { return "row dot" }

func (r rowDot) run(o *op) {
	for i := range o.y {
		o.y[i] = float32(kernel.Dot(o.x[0][i*r.width:][:r.width], o.x[1][i*r.width:][:r.width]))
	}
}

func (r rowDot) gradient(n *Graph, o *op, dy *Tensor) []*Tensor {
	d := make([]*Tensor, 2)
	for i := range d {
		if o.in[i].needs {
			d[i] = n.apply(o.layer, rowScale(r), o.in[i].shape, dy, o.in[1-i])
		}
	}
	return d
}

// MulRows multiplies every example of x [B, ...] by its value in k [B] or [B, 1].
func (n *Graph) MulRows(x, k *Tensor) *Tensor {
	if !n.ok(x, k) {
		return &Tensor{}
	}
	if k.Size() != x.shape[0] {
		return n.Fail(label("mul rows", x), "want one factor per example of %v, got %v", x.shape, k.shape)
	}
	return n.apply(label("mul rows", x), rowScale{x.Size() / x.shape[0]}, x.shape, k, x)
}

// rowScale multiplies the rows of its second input by the values of its first.
type rowScale struct{ width int }

func (rowScale) kind() string { return "row scale" }

func (r rowScale) run(o *op) {
	for i, k := range o.x[0] {
		kernel.Scale(o.y[i*r.width:][:r.width], k, o.x[1][i*r.width:][:r.width])
	}
}

func (r rowScale) gradient(n *Graph, o *op, dy *Tensor) []*Tensor {
	d := make([]*Tensor, 2)
	if o.in[0].needs {
		d[0] = n.apply(o.layer, rowDot(r), o.in[0].shape, dy, o.in[1])
	}
	if o.in[1].needs {
		d[1] = n.apply(o.layer, r, o.in[1].shape, o.in[0], dy)
	}
	return d
}
