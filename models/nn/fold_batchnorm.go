package nn

import (
	"math"

	"wavemill/models/nn/kernel"
)

// foldable reports whether the batch normalisation after a convolution is a fixed map per channel that
// can be multiplied into its weights.
func (n *Graph) foldable(s *layerSpec) bool {
	return n.mode == Eval && !n.unfolded && s.norm == batchNorm && s.scale == nil && !s.spectral && s.act.FromOutput()
}

// fold replaces the convolution c of x, with the weights w, and the batch normalisation after it by one
// convolution with other weights and a bias. c must have no bias of its own and no activation.
func (n *Graph) fold(layer string, s *layerSpec, c computation, shape []int, x, w *Tensor) *Tensor {
	f := &foldedConv{epsilon: s.epsilon, affine: !s.noAffine}
	channels := []int{shape[3]}
	fan := fans{1, 1}
	in := []*Tensor{x, w}
	if f.affine {
		in = append(in, n.param(layer, "gamma", channels, fan, Constant(1), false), n.param(layer, "beta", channels, fan, Constant(0), false))
	}
	in = append(in, n.param(layer, "mean", channels, fan, Constant(0), true), n.param(layer, "variance", channels, fan, Constant(1), true))
	if n.err != nil {
		return &Tensor{}
	}
	for _, t := range in[1:] {
		f.from = append(f.from, t.param)
	}
	switch c := c.(type) {
	case conv:
		f.geometry, f.inner = c.geometry, 1
	case convTranspose:
		f.geometry, f.inner, f.transposed = c.geometry, c.geometry.Co, true
	}
	f.act, f.slope = s.act, s.slope
	f.weights, f.bias = make([]float32, w.Size()), make([]float32, channels[0])
	return n.apply(layer, f, shape, in...)
}

// foldedConv is a convolution followed by batch normalisation with the running statistics. Inputs: x, w,
// [gamma, beta], mean, variance. No gradient flows through it.
type foldedConv struct {
	geometry   kernel.Conv
	act        kernel.Act
	slope      float32
	transposed bool
	inner      int // weights that follow each other with one output channel
	epsilon    float64
	affine     bool
	from       []*Param
	version    uint64 // the sum of the versions of from that weights and bias were made of, plus 1
	weights    []float32
	bias       []float32
}

func (*foldedConv) kind() string { return "conv, batch norm" }

func (f *foldedConv) run(o *op) {
	version := uint64(1)
	for _, p := range f.from {
		version += p.version.Load()
	}
	if version != f.version {
		f.make(o)
		f.version = version
	}
	ep := kernel.Epilogue{Bias: f.bias, Act: f.act, Slope: f.slope}
	if f.transposed {
		kernel.ConvBackData(f.geometry, o.x[0], f.weights, o.y, ep)
		return
	}
	kernel.ConvForward(f.geometry, o.x[0], f.weights, o.y, ep)
}

// make multiplies the normalisation into the weights.
func (f *foldedConv) make(o *op) {
	var gamma, beta []float32
	stats := o.x[2:]
	if f.affine {
		gamma, beta, stats = stats[0], stats[1], stats[2:]
	}
	mean, variance := stats[0], stats[1]
	factor := make([]float32, len(f.bias))
	for c := range factor {
		a := 1 / math.Sqrt(float64(variance[c])+f.epsilon)
		b := 0.0
		if f.affine {
			a *= float64(gamma[c])
			b = float64(beta[c])
		}
		factor[c] = float32(a)
		f.bias[c] = float32(b - float64(mean[c])*a)
	}
	for i, w := range o.x[1] {
		f.weights[i] = w * factor[i/f.inner%len(factor)]
	}
}
