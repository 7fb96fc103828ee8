package nn

import (
	"math"

	"wavemill/models/nn/kernel"
)

// Spectral divides a weight by its largest singular value, seen as a matrix [rest, last axis]. The
// singular vectors are estimated by power iteration, one a run in Train mode unless frozen, from state
// u [last axis] and v [rest]; no gradient flows through them. Several layers that share the weight
// share the division. Source: Miyato et al., Spectral Normalization for GANs, 2018.
func (n *Graph) Spectral(layer string, w *Tensor) *Tensor {
	if !n.ok(w) {
		return &Tensor{}
	}
	if w.param == nil || len(w.shape) < 2 {
		return n.Fail(layer, "spectral norm: want a weight matrix, got %v", w)
	}
	if t := n.normed[w.param]; t != nil && t.op.in[0] == w {
		return t
	}
	cols := w.Dim(-1)
	rows := w.Size() / cols
	fan := fans{1, 1}
	created := n.params.Lookup(n.prefix+layer+"/u") == nil
	u := n.param(layer, "u", []int{cols}, fan, unitVector, true)
	v := n.param(layer, "v", []int{rows}, fan, unitVector, true)
	if created && n.err == nil {
		for range 15 { // PyTorch's number: the first steps already see nearly the largest singular value
			iterate(w.param.data, u.param.data, v.param.data)
		}
	}
	c := &spectral{rows: rows, cols: cols, update: n.mode == Train && !n.frozen, state: []*Param{u.param, v.param}}
	t := n.apply(layer, c, w.shape, w, u, v)
	n.normed[w.param] = t
	return t
}

// spectral is w / (vᵀ w u). Inputs: w, u, v.
type spectral struct {
	rows, cols int
	update     bool
	state      []*Param // u and v
	sigma      float64  // of the last run
}

func (*spectral) kind() string   { return "spectral norm" }
func (c *spectral) effect() bool { return c.update }

func (c *spectral) scratch(*op) []int { return []int{c.rows} }

func (c *spectral) run(o *op) {
	w, u, v := o.x[0], o.x[1], o.x[2]
	if c.update {
		iterate(w, u, v)
		for _, p := range c.state {
			p.Touch()
		}
	}
	wu := o.w[0]
	kernel.Gemm(false, false, c.rows, 1, c.cols, w, c.cols, u, 1, wu, 1, kernel.Epilogue{})
	c.sigma = kernel.Dot(v, wu)
	if math.Abs(c.sigma) < 1e-12 {
		c.sigma = 1e-12
	}
	kernel.Scale(o.y, float32(1/c.sigma), w)
}

// iterate is one power iteration on w [v, u].
func iterate(w, u, v []float32) {
	rows, cols := len(v), len(u)
	kernel.Gemm(true, false, cols, 1, rows, w, cols, v, 1, u, 1, kernel.Epilogue{}) // u = wᵀ v
	normalise(u)
	kernel.Gemm(false, false, rows, 1, cols, w, cols, u, 1, v, 1, kernel.Epilogue{}) // v = w u
	normalise(v)
}

func normalise(x []float32) {
	kernel.Scale(x, float32(1/(math.Sqrt(kernel.SumSquares(x))+1e-12)), x)
}

func (c *spectral) gradient(n *Graph, o *op, dy *Tensor) []*Tensor {
	if !o.in[0].needs {
		return []*Tensor{nil, nil, nil}
	}
	g := n.apply(o.layer, &spectralGradient{c}, o.in[0].shape, dy, o.out, o.in[1], o.in[2])
	return []*Tensor{g, nil, nil}
}

// spectralGradient is (dy - <dy, w/σ> v uᵀ) / σ. Inputs: dy, w/σ, u, v.
type spectralGradient struct{ *spectral }

func (*spectralGradient) kind() string      { return "spectral norm gradient" }
func (*spectralGradient) scratch(*op) []int { return nil }
func (*spectralGradient) effect() bool      { return false }

func (c *spectralGradient) run(o *op) {
	dy, u, v := o.x[0], o.x[2], o.x[3]
	inv := 1 / c.sigma
	dot := kernel.Dot(dy, o.x[1])
	for i, vi := range v {
		row := o.y[i*c.cols:][:c.cols]
		kernel.Scale(row, float32(inv), dy[i*c.cols:][:c.cols])
		kernel.Axpy(float32(-inv*dot*float64(vi)), u, row)
	}
}
