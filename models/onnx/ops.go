package onnx

import (
	"fmt"
	"math"

	"wavemill/models/nn"
	"wavemill/models/nn/kernel"
)

// step adds the nodes of one operation.
func (b *builder) step(s nn.Step) error {
	switch op := s.Op.(type) {
	case nn.ConvOp:
		return b.conv(s, op)
	case nn.DenseOp:
		b.dense(s, op)
	case nn.AffineOp:
		b.affine(s, op)
	case nn.GroupNormOp:
		return b.groupNorm(s, op)
	case nn.StddevOp:
		b.stddev(s, op)
	case nn.LookupOp:
		b.result(s.Out, b.node("Gather", s.Layer, []string{b.plain(s.In[1]), b.plain(s.In[0])}, attribute{"axis", int64(0)}))
	case nn.ActivationOp:
		b.result(s.Out, b.activate(s.Layer, b.operand(s.In[0]), op.Act, op.Slope))
	case nn.SumOp:
		b.result(s.Out, b.node("Sum", s.Layer, b.operands(s.In)))
	case nn.ScaleOp:
		b.result(s.Out, b.node("Mul", s.Layer, []string{b.operand(s.In[0]), b.number(s.Layer+"/k", op.K)}))
	case nn.ProductOp:
		b.result(s.Out, b.node("Mul", s.Layer, b.operands(s.In)))
	case nn.RowDotOp:
		p := b.node("Mul", s.Layer, b.operands(s.In))
		b.result(s.Out, b.node("ReduceSum", s.Layer, []string{p, b.ints(1)}, attribute{"keepdims", int64(1)}))
	case nn.RowScaleOp:
		b.rowScale(s)
	case nn.ConcatOp:
		b.result(s.Out, b.node("Concat", s.Layer, b.operands(s.In), attribute{"axis", channelAxis(s.Out)}))
	case nn.ChannelsOp:
		b.result(s.Out, b.node("Slice", s.Layer, []string{
			b.operand(s.In[0]), b.ints(int64(op.From)), b.ints(int64(op.To)), b.ints(channelAxis(s.Out)),
		}))
	case nn.ReshapeOp:
		name := b.node("Reshape", s.Layer, []string{b.plain(s.In[0]), b.ints(dims(s.Out.Shape)...)})
		b.where[s.Out] = &place{plain: name}
	default:
		return b.resample(s)
	}
	return nil
}

// resample adds operations that move pixels.
func (b *builder) resample(s nn.Step) error {
	switch op := s.Op.(type) {
	case nn.ShuffleOp:
		// nn numbers the channels by the pixel's place first, as the mode DCR and SpaceToDepth do.
		size := attribute{"blocksize", int64(op.Factor)}
		if op.Inverse {
			b.result(s.Out, b.node("SpaceToDepth", s.Layer, b.operands(s.In), size))
		} else {
			b.result(s.Out, b.node("DepthToSpace", s.Layer, b.operands(s.In), size, attribute{"mode", "DCR"}))
		}
	case nn.UpsampleOp:
		k := float32(op.Factor)
		scales := b.floats(s.Layer+"/scales", []int{4}, []float32{1, 1, k, k})
		b.result(s.Out, b.node("Resize", s.Layer, []string{b.operand(s.In[0]), "", scales},
			attribute{"mode", "nearest"}, attribute{"coordinate_transformation_mode", "asymmetric"}, attribute{"nearest_mode", "floor"}))
	case nn.AvgPoolOp:
		k := []int64{int64(op.Factor), int64(op.Factor)}
		b.result(s.Out, b.node("AveragePool", s.Layer, b.operands(s.In), attribute{"kernel_shape", k}, attribute{"strides", k}))
	case nn.GlobalOp:
		x, drop := b.operand(s.In[0]), attribute{"keepdims", int64(0)}
		if op.Mean {
			b.result(s.Out, b.node("ReduceMean", s.Layer, []string{x}, attribute{"axes", []int64{2, 3}}, drop))
		} else {
			b.result(s.Out, b.node("ReduceSum", s.Layer, []string{x, b.ints(2, 3)}, drop))
		}
	default:
		return fmt.Errorf("%s cannot be written: it has no mapping to ONNX", s.Kind)
	}
	return nil
}

func (b *builder) operands(in []*nn.Value) []string {
	names := make([]string, len(in))
	for i, v := range in {
		names[i] = b.operand(v)
	}
	return names
}

// activate adds an activation of x, if it is one.
func (b *builder) activate(layer, x string, act kernel.Act, slope float32) string {
	switch act {
	case kernel.ActLeakyReLU:
		return b.node("LeakyRelu", layer, []string{x}, attribute{"alpha", slope})
	case kernel.ActReLU:
		return b.node("Relu", layer, []string{x})
	case kernel.ActTanh:
		return b.node("Tanh", layer, []string{x})
	case kernel.ActSigmoid:
		return b.node("Sigmoid", layer, []string{x})
	case kernel.ActSiLU:
		return b.node("Mul", layer, []string{x, b.node("Sigmoid", layer, []string{x})})
	}
	return x
}

// conv adds a convolution, transposed or not, whose weights it transposes: from [KH, KW, C, Co] to [Co, C, KH, KW].
// For a transposed one nn has [KH, KW, Co, C] and ONNX [C, Co, KH, KW], which is the same.
func (b *builder) conv(s nn.Step, op nn.ConvOp) error {
	w := s.In[1]
	if w.Data == nil {
		return fmt.Errorf("%s cannot be written: its weights depend on the input", s.Kind)
	}
	kh, kw, from, to := w.Shape[0], w.Shape[1], w.Shape[2], w.Shape[3]
	data := make([]float32, len(w.Data))
	for k := range kh * kw {
		for i := range from {
			for o := range to {
				data[(o*from+i)*kh*kw+k] = w.Data[(k*from+i)*to+o]
			}
		}
	}
	in := []string{b.planar(s.In[0]), b.floats(w.Name, []int{to, from, kh, kw}, data)}
	if len(s.In) > 2 {
		in = append(in, b.plain(s.In[2]))
	}
	pad, stride := int64(op.Pad), int64(op.Stride)
	attributes := []attribute{
		{"kernel_shape", []int64{int64(kh), int64(kw)}},
		{"pads", []int64{pad, pad, pad, pad}},
		{"strides", []int64{stride, stride}},
	}
	name := "Conv"
	if op.Transposed {
		name = "ConvTranspose"
		short := func(axis, k int) int64 { // what the output lacks at its end
			return int64(s.Out.Shape[axis] - ((s.In[0].Shape[axis]-1)*op.Stride + k - 2*op.Pad))
		}
		attributes = append(attributes, attribute{"output_padding", []int64{short(1, kh), short(2, kw)}})
	}
	b.result(s.Out, b.activate(s.Layer, b.node(name, s.Layer, in, attributes...), op.Act, op.Slope))
	return nil
}

func (b *builder) dense(s nn.Step, op nn.DenseOp) {
	x := b.plain(s.In[0])
	if len(s.In[0].Shape) != 2 {
		x = b.node("Reshape", s.Layer, []string{x, b.ints(-1, int64(s.In[1].Shape[0]))})
	}
	in := []string{x}
	for _, v := range s.In[1:] {
		in = append(in, b.plain(v))
	}
	b.result(s.Out, b.activate(s.Layer, b.node("Gemm", s.Layer, in), op.Act, op.Slope))
}

// perChannel returns a value [C] or [N, C] in a shape that spreads over x in the layout of operand.
func (b *builder) perChannel(v, x *nn.Value) string {
	inner := len(x.Shape) - 2 // axes of x between those of examples and channels
	switch {
	case v.Data != nil && len(v.Shape) == 1:
		shape := []int{v.Shape[0]}
		if image(x) {
			shape = append(shape, 1, 1)
		}
		return b.floats(v.Name, shape, v.Data)
	case inner == 0:
		return b.plain(v)
	}
	axes := make([]int64, inner)
	for i := range axes {
		axes[i] = int64(i + 1)
		if image(x) {
			axes[i]++
		}
	}
	return b.node("Unsqueeze", v.Name, []string{b.plain(v), b.ints(axes...)})
}

// affine adds act((x a + b)(1 + scale) + shift). As nn does, it joins the two maps before it applies them to x.
func (b *builder) affine(s nn.Step, op nn.AffineOp) {
	x, rest := s.In[0], s.In[1:]
	y := b.operand(x)
	var factor, offset string
	if op.Fixed {
		factor, offset = b.perChannel(rest[0], x), b.perChannel(rest[1], x)
		rest = rest[2:]
	}
	if op.FiLM {
		grow := b.node("Add", s.Layer, []string{b.perChannel(rest[0], x), b.number(s.Layer+"/one", 1)})
		shift := b.perChannel(rest[1], x)
		if op.Fixed {
			factor = b.node("Mul", s.Layer, []string{factor, grow})
			offset = b.node("Add", s.Layer, []string{b.node("Mul", s.Layer, []string{offset, grow}), shift})
		} else {
			factor, offset = grow, shift
		}
	}
	if factor != "" {
		y = b.node("Add", s.Layer, []string{b.node("Mul", s.Layer, []string{y, factor}), offset})
	}
	b.result(s.Out, b.activate(s.Layer, y, op.Act, op.Slope))
}

// groupNorm adds a normalisation by each example's own statistics.
func (b *builder) groupNorm(s nn.Step, op nn.GroupNormOp) error {
	x := s.In[0]
	if len(x.Shape) != 4 && len(x.Shape) != 2 {
		return fmt.Errorf("%s of %v cannot be written: only images and vectors can", s.Kind, x.Shape)
	}
	per := 1
	for _, d := range x.Shape[1:] {
		per *= d
	}
	mean := func(x string) string {
		return b.node("ReduceMean", s.Layer, []string{x}, attribute{"axes", []int64{2}}, attribute{"keepdims", int64(1)})
	}
	y := b.node("Reshape", s.Layer, []string{b.operand(x), b.ints(-1, int64(op.Groups), int64(per/op.Groups))})
	d := b.node("Sub", s.Layer, []string{y, mean(y)})
	v := b.node("Add", s.Layer, []string{mean(b.node("Mul", s.Layer, []string{d, d})), b.number(s.Layer+"/epsilon", float32(op.Epsilon))})
	y = b.node("Div", s.Layer, []string{d, b.node("Sqrt", s.Layer, []string{v})})
	y = b.node("Reshape", s.Layer, []string{y, b.ints(dims(layout(x))...)})
	normed := &nn.Value{Name: s.Layer, Shape: x.Shape}
	b.result(normed, y)
	in := append([]*nn.Value{normed}, s.In[1:]...)
	b.affine(nn.Step{Layer: s.Layer, Kind: s.Kind, In: in, Out: s.Out}, nn.AffineOp{Fixed: op.Affine, FiLM: op.FiLM, Act: op.Act, Slope: op.Slope})
	return nil
}

// rowScale multiplies each example by its number.
func (b *builder) rowScale(s nn.Step) {
	shape := []int64{-1}
	for range s.In[1].Shape[1:] {
		shape = append(shape, 1)
	}
	k := b.node("Reshape", s.Layer, []string{b.plain(s.In[0]), b.ints(shape...)})
	b.result(s.Out, b.node("Mul", s.Layer, []string{b.operand(s.In[1]), k}))
}

// stddev adds the minibatch deviation. nn wants batches of whole groups; here any batch is cut into groups of the
// largest size up to op.Group that divides it.
func (b *builder) stddev(s nn.Step, op nn.StddevOp) {
	x, layer := s.In[0], s.Layer
	if op.Group == 1 { // the same for every example
		axis := channelAxis(x)
		y := b.node("Slice", layer, []string{b.operand(x), b.ints(0), b.ints(1), b.ints(axis)})
		y = b.node("Mul", layer, []string{y, b.number(layer+"/zero", 0)})
		b.result(s.Out, b.node("Add", layer, []string{y, b.number(layer+"/deviation", float32(math.Sqrt(op.Floor)))}))
		return
	}
	per, pixels := 1, 1
	for i, d := range x.Shape[1:] {
		per *= d
		if i < len(x.Shape)-2 {
			pixels *= d
		}
	}
	sizes := make([]int64, op.Group)
	for i := range sizes {
		sizes[i] = int64(i + 1)
	}
	all := b.ints(sizes...)
	y := b.operand(x)
	count := b.node("Shape", layer, []string{y}, attribute{"start", int64(0)}, attribute{"end", int64(1)})
	divides := b.node("Equal", layer, []string{b.node("Mod", layer, []string{count, all}), b.ints(0)})
	divisors := b.node("Mul", layer, []string{all, b.node("Cast", layer, []string{divides}, attribute{"to", int64(elementInt64)})})
	group := b.node("ReduceMax", layer, []string{divisors}, attribute{"axes", []int64{0}}, attribute{"keepdims", int64(1)})

	mean := func(x string, axis int64) string {
		return b.node("ReduceMean", layer, []string{x}, attribute{"axes", []int64{axis}}, attribute{"keepdims", int64(1)})
	}
	join := func(before, after int64) string {
		return b.node("Concat", layer, []string{b.ints(before), group, b.ints(after)}, attribute{"axis", int64(0)})
	}
	y = b.node("Reshape", layer, []string{y, join(-1, int64(per))}) // [N / group, group, values]
	d := b.node("Sub", layer, []string{y, mean(y, 1)})
	v := b.node("Add", layer, []string{mean(b.node("Mul", layer, []string{d, d}), 1), b.number(layer+"/floor", float32(op.Floor))})
	y = mean(b.node("Sqrt", layer, []string{v}), 2)
	y = b.node("Expand", layer, []string{y, join(1, int64(pixels))})
	b.result(s.Out, b.node("Reshape", layer, []string{y, b.ints(dims(layout(s.Out))...)}))
}
