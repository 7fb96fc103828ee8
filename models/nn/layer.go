package nn

import (
	"fmt"

	"wavemill/models/nn/kernel"
)

// An Option changes one property of a layer. A layer ignores options that mean nothing to it.
type Option func(*layerSpec)

// layerSpec holds the options of a layer.
type layerSpec struct {
	kh, kw, stride, pad int // pad < 0: (kernel-1)/2
	act                 kernel.Act
	slope               float32
	noBias              bool
	norm                normKind
	groups              int
	noAffine            bool
	epsilon, momentum   float64
	scale, shift        *Tensor // FiLM
	weight              Init    // nil: by the activation
	bias                Init
	spectral            bool
	sets                *Sets // of an Embedding
}

func newSpec(options []Option) layerSpec {
	s := layerSpec{kh: 3, kw: 3, stride: 1, pad: -1, slope: 0, epsilon: 1e-5, momentum: 0.1, bias: Constant(0)}
	for _, o := range options {
		o(&s)
	}
	if s.weight == nil {
		switch s.act {
		case kernel.ActReLU, kernel.ActSiLU:
			s.weight = he(0)
		case kernel.ActLeakyReLU:
			s.weight = he(float64(s.slope))
		default:
			s.weight = glorot()
		}
	}
	return s
}

// Kernel sets a square convolution kernel; the default is 3.
func Kernel(k int) Option { return func(s *layerSpec) { s.kh, s.kw = k, k } }

// KernelSize sets a rectangular convolution kernel.
func KernelSize(height, width int) Option { return func(s *layerSpec) { s.kh, s.kw = height, width } }

// Stride sets the stride of a convolution, or the factor of a transposed one; the default is 1.
func Stride(k int) Option { return func(s *layerSpec) { s.stride = k } }

// Pad sets the zeros on each side. The default is (kernel-1)/2, which keeps the size at stride 1 with
// an odd kernel, and halves it (doubles it, transposed) at stride 2 with a 3x3 or 4x4 one.
func Pad(k int) Option { return func(s *layerSpec) { s.pad = k } }

// NoBias leaves out the bias. Layers followed by a normalisation that has a shift have none anyway.
func NoBias() Option { return func(s *layerSpec) { s.noBias = true } }

// LeakyReLU activates by max(x, slope x).
func LeakyReLU(slope float64) Option {
	return func(s *layerSpec) { s.act, s.slope = kernel.ActLeakyReLU, float32(slope) }
}

// ReLU activates by max(x, 0).
func ReLU() Option { return func(s *layerSpec) { s.act = kernel.ActReLU } }

// Tanh activates by the hyperbolic tangent.
func Tanh() Option { return func(s *layerSpec) { s.act = kernel.ActTanh } }

// Sigmoid activates by 1/(1+e^-x).
func Sigmoid() Option { return func(s *layerSpec) { s.act = kernel.ActSigmoid } }

// SiLU activates by x/(1+e^-x).
func SiLU() Option { return func(s *layerSpec) { s.act = kernel.ActSiLU } }

// BatchNorm normalises the layer's output per channel by the statistics of the batch (in Eval mode by
// the running ones) before the activation.
func BatchNorm() Option { return func(s *layerSpec) { s.norm = batchNorm } }

// GroupNorm normalises each example's channels in the given number of groups before the activation.
func GroupNorm(groups int) Option {
	return func(s *layerSpec) { s.norm, s.groups = groupNorm, groups }
}

// InstanceNorm normalises each channel of each example before the activation.
func InstanceNorm() Option { return func(s *layerSpec) { s.norm = instanceNorm } }

// NoAffine leaves out the learned scale and shift of a normalisation.
func NoAffine() Option { return func(s *layerSpec) { s.noAffine = true } }

// FiLM multiplies by 1 + scale and adds shift, both [B, C], per example and channel, after the
// normalisation and before the activation. Source: Perez et al., FiLM: Visual Reasoning with a
// General Conditioning Layer, 2018.
func FiLM(scale, shift *Tensor) Option {
	return func(s *layerSpec) { s.scale, s.shift = scale, shift }
}

// Weight sets the initialisation of the weights. The default is He for the layer's (leaky) ReLU or
// SiLU, Glorot for others.
func Weight(init Init) Option { return func(s *layerSpec) { s.weight = init } }

// Bias sets the initialisation of the bias; the default is zero.
func Bias(init Init) Option { return func(s *layerSpec) { s.bias = init } }

// SpectralNorm divides the weights by their largest singular value. See [Graph.Spectral].
func SpectralNorm() Option { return func(s *layerSpec) { s.spectral = true } }

// normalised reports whether a normalisation or FiLM follows the linear part.
func (s *layerSpec) normalised() bool { return s.norm != noNorm || s.scale != nil }

// biased reports whether the linear part has a bias: not where a normalisation shifts anyway.
func (s *layerSpec) biased() bool { return !s.noBias && s.norm == noNorm }

// fused returns the activation that the linear part can apply itself, if it comes right after it and
// its derivative follows from its output; the layer's remainder is added by finish.
func (s *layerSpec) fused() (kernel.Act, float32) {
	if s.normalised() || !s.act.FromOutput() {
		return kernel.ActNone, 0
	}
	return s.act, s.slope
}

// finish adds what follows the linear part of a layer and was not fused into it.
func (n *Graph) finish(layer string, s *layerSpec, h *Tensor) *Tensor {
	if s.normalised() {
		return n.normalise(layer, s, h)
	}
	if !s.act.FromOutput() {
		return n.activate(layer, h, s.act, s.slope)
	}
	return h
}

// weights returns a layer's weights, spectrally normalised if so wanted.
func (n *Graph) weights(layer string, s *layerSpec, shape []int, fan fans) *Tensor {
	w := n.param(layer, "w", shape, fan, s.weight, false)
	if s.spectral {
		return n.Spectral(layer, w)
	}
	return w
}

// wants says which of several gradients an operation computes, and where each goes: the first wanted
// one is the operation's output, the others are side outputs.
type wants []bool

// outputs returns the destination of each gradient, nil for those not wanted.
func (w wants) outputs(o *op, dst [][]float32) [][]float32 {
	next := -1
	for _, want := range w {
		switch {
		case !want:
			dst = append(dst, nil)
		case next < 0:
			dst = append(dst, o.y)
			next = 0
		default:
			dst = append(dst, o.s[next])
			next++
		}
	}
	return dst
}

// add adds the operation c to the graph and returns its gradients, of the shapes of like, in the
// order of w; nil for those not wanted.
func (w wants) add(n *Graph, layer string, c computation, like []*Tensor, in ...*Tensor) []*Tensor {
	out := make([]*Tensor, len(w))
	var first *Tensor
	for i, want := range w {
		switch {
		case !want:
		case first == nil:
			first = n.apply(layer, c, like[i].shape, in...)
			out[i] = first
		default:
			out[i] = n.side(first, like[i].shape...)
		}
	}
	if n.err != nil {
		return make([]*Tensor, len(w))
	}
	return out
}

// needed returns which of the tensors need a gradient.
func needed(in ...*Tensor) wants {
	w := make(wants, len(in))
	for i, t := range in {
		w[i] = t != nil && t.needs
	}
	return w
}

// image checks that x is an image batch.
func (n *Graph) image(layer, what string, x *Tensor) bool {
	if len(x.shape) != 4 {
		n.Fail(layer, "%s: want an image [B, H, W, C], got %v", what, x.shape)
		return false
	}
	return true
}

// label names the nameless layer what on x, for errors.
func label(what string, x *Tensor) string { return fmt.Sprintf("%s(%s)", what, x.name) }
