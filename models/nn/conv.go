package nn

import (
	"wavemill/models/nn/kernel"
)

// Conv adds a convolution to channels output channels: [B, H, W, C] -> [B, H', W', channels] with
// H' = (H + 2 pad - kernel)/stride + 1. Parameters: w [KH, KW, C, channels], b [channels].
func (n *Graph) Conv(layer string, x *Tensor, channels int, options ...Option) *Tensor {
	if !n.enter(layer, x) || !n.image(layer, "conv", x) {
		return &Tensor{}
	}
	s := newSpec(options)
	if s.pad < 0 {
		s.pad = (max(s.kh, s.kw) - 1) / 2
	}
	g := kernel.Conv{
		N: x.shape[0], H: x.shape[1], W: x.shape[2], C: x.shape[3], Co: channels,
		KH: s.kh, KW: s.kw, Stride: s.stride, Pad: s.pad,
		Fast: n.mode == Train, // when predicting, a clip's bytes must not depend on its batch
	}
	if err := g.Validate(); err != nil {
		return n.Fail(layer, "conv %dx%d stride %d pad %d of %v to %d channels: %v", s.kh, s.kw, s.stride, s.pad, x.shape, channels, err)
	}
	fan := fans{g.KH * g.KW * g.C, g.KH * g.KW * g.Co}
	c := conv{geometry: g}
	c.act, c.slope = s.fused()
	in := []*Tensor{x, n.weights(layer, &s, []int{g.KH, g.KW, g.C, g.Co}, fan)}
	if s.biased() {
		in = append(in, n.param(layer, "b", []int{g.Co}, fan, s.bias, false))
	}
	shape := []int{g.N, g.OutH(), g.OutW(), g.Co}
	if n.foldable(&s) && !x.needs {
		return n.fold(layer, &s, c, shape, in[0], in[1])
	}
	h := n.apply(layer, c, shape, in...)
	return n.finish(layer, &s, h)
}

// ConvTranspose adds a transposed convolution: [B, H, W, C] -> [B, H stride, W stride, channels].
// Parameters: w [KH, KW, channels, C], b [channels]. Kernel and padding must fit: 4x4 with stride 2
// and 3x3 with stride 1 or 2 do with the default padding.
func (n *Graph) ConvTranspose(layer string, x *Tensor, channels int, options ...Option) *Tensor {
	if !n.enter(layer, x) || !n.image(layer, "transposed conv", x) {
		return &Tensor{}
	}
	s := newSpec(options)
	if s.pad < 0 {
		s.pad = (max(s.kh, s.kw) - 1) / 2
	}
	g := kernel.Conv{
		N: x.shape[0], H: x.shape[1] * s.stride, W: x.shape[2] * s.stride, C: channels, Co: x.shape[3],
		KH: s.kh, KW: s.kw, Stride: s.stride, Pad: s.pad,
		Fast: n.mode == Train, // when predicting, a clip's bytes must not depend on its batch
	}
	if err := g.Validate(); err != nil {
		return n.Fail(layer, "transposed conv %dx%d stride %d pad %d of %v to %d channels: %v", s.kh, s.kw, s.stride, s.pad, x.shape, channels, err)
	}
	if g.OutH() != x.shape[1] || g.OutW() != x.shape[2] {
		return n.Fail(layer, "transposed conv %dx%d stride %d pad %d of %v: an output of %dx%d would need an input of %dx%d",
			s.kh, s.kw, s.stride, s.pad, x.shape, g.H, g.W, g.OutH(), g.OutW())
	}
	// Each output depends on about KH KW / stride² inputs per input channel.
	fan := fans{max(1, g.KH*g.KW*g.Co/(s.stride*s.stride)), max(1, g.KH*g.KW*g.C/(s.stride*s.stride))}
	c := convTranspose{geometry: g}
	c.act, c.slope = s.fused()
	in := []*Tensor{x, n.weights(layer, &s, []int{g.KH, g.KW, g.C, g.Co}, fan)}
	if s.biased() {
		in = append(in, n.param(layer, "b", []int{g.C}, fan, s.bias, false))
	}
	shape := []int{g.N, g.H, g.W, g.C}
	if n.foldable(&s) && !x.needs {
		return n.fold(layer, &s, c, shape, in[0], in[1])
	}
	h := n.apply(layer, c, shape, in...)
	return n.finish(layer, &s, h)
}

// conv is act(conv(x, w) + b). Inputs: x, w and, with a bias, b.
type conv struct {
	geometry kernel.Conv
	act      kernel.Act
	slope    float32
}

func (conv) kind() string { return "conv" }

func (c conv) run(o *op) {
	ep := kernel.Epilogue{Act: c.act, Slope: c.slope}
	if len(o.x) > 2 {
		ep.Bias = o.x[2]
	}
	kernel.ConvForward(c.geometry, o.x[0], o.x[1], o.y, ep)
}

func (c conv) gradient(n *Graph, o *op, dy *Tensor) []*Tensor {
	w := needed(o.in...)
	return w.add(n, o.layer, convBackward{c, w, false}, o.in, dy, o.in[0], o.in[1], o.out)
}

// convTranspose is act(transposed conv(x, w) + b).
type convTranspose struct {
	geometry kernel.Conv // of the convolution it transposes: from the output to the input
	act      kernel.Act
	slope    float32
}

func (convTranspose) kind() string { return "transposed conv" }

func (c convTranspose) run(o *op) {
	ep := kernel.Epilogue{Act: c.act, Slope: c.slope}
	if len(o.x) > 2 {
		ep.Bias = o.x[2]
	}
	kernel.ConvBackData(c.geometry, o.x[0], o.x[1], o.y, ep)
}

func (c convTranspose) gradient(n *Graph, o *op, dy *Tensor) []*Tensor {
	w := needed(o.in...)
	return w.add(n, o.layer, convBackward{conv(c), w, true}, o.in, dy, o.in[0], o.in[1], o.out)
}

// convBackward is the whole backward pass of a convolution, transposed or not. Inputs: dy, x, w, y.
// Outputs: dx, dw, db as wanted.
type convBackward struct {
	conv
	wants      wants
	transposed bool
}

func (convBackward) kind() string { return "conv gradient" }

func (c convBackward) run(o *op) {
	var buf [3][]float32
	d := c.wants.outputs(o, buf[:0])
	var db []float32
	if len(d) > 2 {
		db = d[2]
	}
	backward := kernel.ConvBackward
	if c.transposed {
		backward = kernel.TransposedBackward
	}
	backward(c.geometry, o.x[1], o.x[2], o.x[3], o.x[0], c.act, c.slope, d[0], d[1], db, false)
}
