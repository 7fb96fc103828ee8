package nn

import (
	"math"

	"wavemill/models/nn/kernel"
)

// The operations of a Description. Shapes are those of the package: images [B, H, W, C], weights [KH, KW, C, Co].
type (
	// ConvOp is act(conv(x, w) + b). In: x, w and, where it has a bias, b. Transposed, w is [KH, KW, Co, C] and the
	// result is Stride times as large as x.
	ConvOp struct {
		Transposed  bool
		Stride, Pad int
		Act         kernel.Act
		Slope       float32
	}
	// DenseOp is act(x w + b), all axes of x but the first taken as one. In: x, w [in, out] and, where it has a bias, b.
	DenseOp struct {
		Act   kernel.Act
		Slope float32
	}
	// LookupOp takes rows of a table. In: labels [B], table [classes, width].
	LookupOp struct{}
	// AffineOp is act((x a + b)(1 + scale) + shift) per channel. In: x, then a and b [C] if Fixed, then scale and shift
	// [B, C] if FiLM. A batch normalisation with its running statistics is one.
	AffineOp struct {
		Fixed, FiLM bool
		Act         kernel.Act
		Slope       float32
	}
	// GroupNormOp normalises each example over its pixels and the channels of a group. In: x, then gamma and beta [C] if
	// Affine, then scale and shift [B, C] if FiLM, which follow as in an AffineOp.
	GroupNormOp struct {
		Groups       int
		Epsilon      float64
		Affine, FiLM bool
		Act          kernel.Act
		Slope        float32
	}
	// ActivationOp is act(x).
	ActivationOp struct {
		Act   kernel.Act
		Slope float32
	}
	// SumOp adds tensors of one shape.
	SumOp struct{}
	// ScaleOp multiplies by a number.
	ScaleOp struct{ K float32 }
	// ProductOp multiplies two tensors of one shape; the second may be a single value [1].
	ProductOp struct{}
	// RowDotOp is the inner product of corresponding rows. In: [B, F] twice. Out: [B, 1].
	RowDotOp struct{}
	// RowScaleOp multiplies every example by its number. In: k [B] or [B, 1], x.
	RowScaleOp struct{}
	// ConcatOp joins tensors along their last axis.
	ConcatOp struct{}
	// ChannelsOp takes the channels From to To (exclusive) of the last axis.
	ChannelsOp struct{ From, To int }
	// ReshapeOp gives each example another shape.
	ReshapeOp struct{}
	// ShuffleOp is PixelShuffle by Factor or, Inverse, PixelUnshuffle.
	ShuffleOp struct {
		Factor  int
		Inverse bool
	}
	// UpsampleOp repeats every pixel Factor x Factor times.
	UpsampleOp struct{ Factor int }
	// AvgPoolOp averages blocks of Factor x Factor pixels.
	AvgPoolOp struct{ Factor int }
	// GlobalOp sums over the pixels or, Mean, averages. Out: [B, C].
	GlobalOp struct{ Mean bool }
	// StddevOp is the deviation of MinibatchStddev over groups of so many consecutive examples. Out: [B, ..., 1].
	StddevOp struct {
		Group int
		Floor float64 // added to the variance
	}
)

// describe returns what o is and its operands, some of which may have been computed into others; nil for what has no
// description: losses, gradients, noise, augmentation.
func describe(o *op, in []*Value) (any, []*Value) {
	switch c := o.c.(type) {
	case conv:
		return ConvOp{false, c.geometry.Stride, c.geometry.Pad, c.act, c.slope}, in
	case convTranspose:
		return ConvOp{true, c.geometry.Stride, c.geometry.Pad, c.act, c.slope}, in
	case *foldedConv:
		return describeFolded(o, c, in)
	case *norm:
		return describeNorm(o, c, in)
	case dense:
		return DenseOp{c.act, c.slope}, in
	case embedding:
		return LookupOp{}, c.describe(in)
	case activation:
		return ActivationOp{c.act, c.slope}, in
	case sum:
		return SumOp{}, in
	case scale:
		return ScaleOp{c.k}, in
	case product:
		return ProductOp{}, in
	case rowDot:
		return RowDotOp{}, in
	case rowScale:
		return RowScaleOp{}, in
	case globalPool:
		return GlobalOp{Mean: c.k != 1}, in
	case stddev:
		return StddevOp{c.group, stddevFloor}, in
	}
	return describeMove(o), in
}

// describe returns the operands of a lookup, with a table that has a row for each class.
func (e embedding) describe(in []*Value) []*Value {
	if e.sets == nil {
		return in
	}
	table := make([]float32, len(e.sets.Of)*e.width)
	for class := range e.sets.Of {
		e.row(table[class*e.width:][:e.width], in[1].Data, class)
	}
	return []*Value{in[0], {Name: in[1].Name, Shape: []int{len(e.sets.Of), e.width}, Data: table}}
}

// describeMove describes operations that move values without arithmetic, or hardly any.
func describeMove(o *op) any {
	switch c := o.c.(type) {
	case view:
		if c.offset == 0 && o.out.Size() == o.in[0].Size() {
			return ReshapeOp{}
		}
	case joined:
		if len(o.out.shape) > 1 && o.out.shape[0] == o.in[0].shape[0] {
			return ConcatOp{}
		}
	case columns:
		if len(o.out.shape) > 1 {
			return ChannelsOp{c.at, c.at + c.count}
		}
	case shuffled:
		return ShuffleOp{c.f, c.inverse}
	case repeated:
		if c.k == 1 {
			return UpsampleOp{c.f}
		}
	case pooled:
		if c.k == 1/float32(c.f*c.f) {
			return AvgPoolOp{c.f}
		}
	}
	return nil
}

// describeFolded returns the convolution with the weights that its normalisation has been multiplied into.
func describeFolded(o *op, f *foldedConv, in []*Value) (any, []*Value) {
	g := *f
	g.weights, g.bias = make([]float32, len(f.weights)), make([]float32, len(f.bias))
	x := make([][]float32, len(in))
	for i, v := range in {
		x[i] = v.Data
	}
	g.make(&op{x: x})
	weights := &Value{Name: in[1].Name, Shape: in[1].Shape, Data: g.weights}
	bias := &Value{Name: o.layer + "/b", Shape: []int{len(g.bias)}, Data: g.bias}
	return ConvOp{f.transposed, f.geometry.Stride, f.geometry.Pad, f.act, f.slope}, []*Value{in[0], weights, bias}
}

// describeNorm returns the map that a normalisation is, in Eval mode.
func describeNorm(o *op, k *norm, in []*Value) (any, []*Value) {
	r := split(k, in)
	out := []*Value{r.x}
	if k.perExample() {
		if k.affine {
			out = append(out, r.gamma, r.beta)
		}
		if k.film {
			out = append(out, r.scale, r.shift)
		}
		return GroupNormOp{k.channels / k.group, k.epsilon, k.affine, k.film, k.act, k.slope}, out
	}
	op := AffineOp{Fixed: k.over != noNorm, FiLM: k.film, Act: k.act, Slope: k.slope}
	if op.Fixed {
		a, b := make([]float32, k.channels), make([]float32, k.channels)
		for c := range a { // as statistics and affineMap do
			a[c] = float32(1 / math.Sqrt(float64(r.variance.Data[c])+k.epsilon))
			if k.affine {
				a[c] *= r.gamma.Data[c]
				b[c] = r.beta.Data[c]
			}
			b[c] -= r.mean.Data[c] * a[c]
		}
		shape := []int{k.channels}
		out = append(out, &Value{Name: o.layer + "/a", Shape: shape, Data: a}, &Value{Name: o.layer + "/b", Shape: shape, Data: b})
	}
	if op.FiLM {
		out = append(out, r.scale, r.shift)
	}
	return op, out
}
