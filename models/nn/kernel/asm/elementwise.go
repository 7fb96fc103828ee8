package main

import (
	"github.com/mmcloughlin/avo/operand"
	"github.com/mmcloughlin/avo/reg"
)

// Streams of the element-wise operations: the destination first, then operands.
const (
	dst = iota
	src1
	src2
)

func elementwiseOps(c *file) {
	masks(c)
	for _, i := range []isa{avx512, avx2} {
		binaryOps(c, i)
		scalarOps(c, i)
		activations(c, i)
		activationGrads(c, i)
		adam(c, i, false)
		adam(c, i, true)
		transpose(c, i)
		reductions(c, i)
		columnOps(c, i)
	}
	winograd(c)
}

func binaryOps(c *file, i isa) {
	for _, o := range []struct {
		name, doc string
		op        func(v *vector, a, b reg.VecVirtual) reg.VecVirtual
	}{
		{"vecAdd", "sets dst = x + y.", func(v *vector, a, b reg.VecVirtual) reg.VecVirtual { return v.add(a, b) }},
		{"vecSub", "sets dst = x - y.", func(v *vector, a, b reg.VecVirtual) reg.VecVirtual { return v.sub(a, b) }},
		{"vecMul", "sets dst = x * y.", func(v *vector, a, b reg.VecVirtual) reg.VecVirtual { return v.mul(a, b) }},
	} {
		elementwise(c, i, o.name, o.doc, 3, 0, 4, nil, func(v *vector, _ []reg.VecVirtual, u int) {
			v.store(o.op(v, v.load(src1, u), v.load(src2, u)), dst, u)
		})
	}
}

func scalarOps(c *file, i isa) {
	elementwise(c, i, "vecScale", "sets dst = s0 * x.", 2, 1, 4, nil, func(v *vector, s []reg.VecVirtual, u int) {
		v.store(v.mul(v.load(src1, u), s[0]), dst, u)
	})
	elementwise(c, i, "vecAxpy", "sets dst += s0 * x.", 2, 1, 4, nil, func(v *vector, s []reg.VecVirtual, u int) {
		d := v.load(dst, u)
		v.fma(v.load(src1, u), s[0], d)
		v.store(d, dst, u)
	})
	elementwise(c, i, "vecAxpby", "sets dst = s0*x + s1*dst.", 2, 2, 4, nil, func(v *vector, s []reg.VecVirtual, u int) {
		d := v.mul(v.load(dst, u), s[1])
		v.fma(v.load(src1, u), s[0], d)
		v.store(d, dst, u)
	})
}

func activations(c *file, i isa) {
	elementwise(c, i, "vecLeaky", "sets dst = x where x > 0, else s0 * x.", 2, 1, 4,
		func(v *vector) { v.constant(0) },
		func(v *vector, s []reg.VecVirtual, u int) {
			x := v.load(src1, u)
			v.slopeWhere(x, x, v.constant(0), s[0], true)
			v.store(x, dst, u)
		})
	for _, o := range []struct {
		name, doc string
		f         func(v *vector, x reg.VecVirtual) reg.VecVirtual
	}{
		{"vecTanh", "sets dst = tanh(x).", (*vector).tanh},
		{"vecSigmoid", "sets dst = 1/(1+exp(-x)).", (*vector).sigmoid},
		{"vecSiLU", "sets dst = x/(1+exp(-x)).", func(v *vector, x reg.VecVirtual) reg.VecVirtual {
			return v.mul(x, v.sigmoid(x))
		}},
	} {
		elementwise(c, i, o.name, o.doc, 2, 0, 2, (*vector).expConstants, func(v *vector, _ []reg.VecVirtual, u int) {
			v.store(o.f(v, v.load(src1, u)), dst, u)
		})
	}
}

// The constants of exp: x = n ln2 + r with ln2 in two parts, and a polynomial for
// (exp(r)-1-r)/r² on |r| <= ln2/2. Source: S. Moshier, Cephes, expf; its error is
// below 2e-7 relative.
const (
	log2e  = 1.44269504088896341
	ln2Hi  = 0.693359375
	ln2Lo  = -2.12194440e-4
	expMin = -104 // exp is 0 below
	expMax = 89   // and infinite above
)

var expPoly = []float64{
	1.9875691500e-4, 1.3981999507e-3, 8.3334519073e-3, 4.1665795894e-2, 1.6666665459e-1, 5.0000001201e-1,
}

func (v *vector) expConstants() {
	for _, x := range append([]float64{log2e, ln2Hi, ln2Lo, expMin, expMax, tanhMax, -tanhMax, 1, 2}, expPoly...) {
		v.constant(x)
	}
	v.bits(signBit)
}

const signBit = 1 << 31

// split reduces x: it returns n, a whole number, and exp(r)-1 where x = n ln2 + r.
func (v *vector) split(x reg.VecVirtual) (n, p reg.VecVirtual) {
	n = v.mul(x, v.constant(log2e))
	if v.wide() {
		v.VRNDSCALEPS(operand.U8(8), n, n)
	} else {
		v.VROUNDPS(operand.U8(8), n, n)
	}
	r := v.reg()
	v.VMOVAPS(x, r)
	v.fms(n, v.constant(ln2Hi), r)
	v.fms(n, v.constant(ln2Lo), r)
	p = v.reg()
	v.VMOVAPS(v.constant(expPoly[0]), p)
	for _, a := range expPoly[1:] {
		v.madd(p, r, v.constant(a))
	}
	v.madd(p, v.mul(r, r), r)
	return n, p
}

// power returns 2^n for whole n of at most 127 in size.
func (v *vector) power(n reg.VecVirtual) reg.VecVirtual {
	r := v.reg()
	if v.wide() {
		v.VSCALEFPS(n, v.constant(1), r)
		return r
	}
	v.VCVTPS2DQ(n, r)
	v.VPSLLD(operand.U8(23), r, r)
	v.VPADDD(v.constant(1), r, r) // the bits of 1 hold the exponent's bias
	return r
}

func (v *vector) exp(x reg.VecVirtual) reg.VecVirtual {
	x = v.min(v.constant(expMax), v.max(v.constant(expMin), x)) // NaN passes
	n, p := v.split(x)
	p = v.add(p, v.constant(1))
	if v.wide() {
		v.VSCALEFPS(n, p, p)
		return p
	}
	// In two steps, because 2^n alone may lie outside of the normal range.
	h := v.reg()
	v.VCVTPS2DQ(n, h)
	v.VPSRAD(operand.U8(1), h, h)
	v.VCVTDQ2PS(h, h)
	rest := v.sub(n, h)
	return v.mul(v.mul(p, v.power(h)), v.power(rest))
}

// tanh is e/(e+2) with e = exp(2x)-1, which is exact near zero.
func (v *vector) tanh(x reg.VecVirtual) reg.VecVirtual {
	t := v.add(x, x)
	t = v.min(v.constant(tanhMax), v.max(v.constant(-tanhMax), t))
	n, p := v.split(t)
	s := v.power(n)
	e := v.sub(s, v.constant(1))
	v.fma(s, p, e)
	return v.div(e, v.add(e, v.constant(2)))
}

// tanhMax bounds 2x; tanh(10) is 1 in float32.
const tanhMax = 20

func (v *vector) sigmoid(x reg.VecVirtual) reg.VecVirtual {
	e := v.exp(v.xor(x, v.bits(signBit)))
	return v.div(v.constant(1), v.add(e, v.constant(1)))
}

func activationGrads(c *file, i isa) {
	elementwise(c, i, "vecLeakyGrad", "sets dst = x where y > 0, else s0 * x.", 3, 1, 4,
		func(v *vector) { v.constant(0) },
		func(v *vector, s []reg.VecVirtual, u int) {
			d, y := v.load(src1, u), v.load(src2, u)
			v.slopeWhere(d, y, v.constant(0), s[0], false)
			v.store(d, dst, u)
		})
	elementwise(c, i, "vecTanhGrad", "sets dst = x * (1-y²).", 3, 0, 4, nil,
		func(v *vector, _ []reg.VecVirtual, u int) {
			d, y := v.load(src1, u), v.load(src2, u)
			v.fms(v.mul(d, y), y, d)
			v.store(d, dst, u)
		})
	elementwise(c, i, "vecSigmoidGrad", "sets dst = x * y*(1-y).", 3, 0, 4, nil,
		func(v *vector, _ []reg.VecVirtual, u int) {
			d, y := v.load(src1, u), v.load(src2, u)
			t := v.mul(d, y)
			v.fms(v.mul(d, y), y, t)
			v.store(t, dst, u)
		})
	elementwise(c, i, "vecSiLUGrad", "sets dst = x times the derivative of SiLU at y.", 3, 0, 2, (*vector).expConstants,
		func(v *vector, _ []reg.VecVirtual, u int) {
			d, x := v.load(src1, u), v.load(src2, u)
			s := v.sigmoid(x)
			// s*(1+x*(1-s)) = s + s*x*(1-s)
			t := v.mul(v.mul(s, x), v.sub(v.constant(1), s))
			v.store(v.mul(d, v.add(s, t)), dst, u)
		})
}

// Scalars of adam.
const (
	adGradScale = iota
	adBeta1
	adOne1
	adBeta2
	adOne2
	adDecay
	adRate
	adRoot
	adEpsilon
	adEMA
	adScalars
)

// Streams of adam.
const (
	adP = iota
	adG
	adM
	adV
	adAverage
)

func adam(c *file, i isa, average bool) {
	name, streams, scalars := "vecAdam", 4, adEMA
	if average {
		name, streams, scalars = "vecAdamEMA", 5, adScalars
	}
	elementwise(c, i, name, "takes a step of Adam; see Adam.", streams, scalars, 1, nil, func(v *vector, s []reg.VecVirtual, u int) {
		g := v.mul(v.load(adG, u), s[adGradScale])
		m := v.mul(v.load(adM, u), s[adBeta1])
		v.fma(g, s[adOne1], m)
		v.store(m, adM, u)
		w := v.mul(v.load(adV, u), s[adBeta2])
		v.fma(v.mul(g, g), s[adOne2], w)
		v.store(w, adV, u)
		root := v.sqrt(w)
		v.madd(root, s[adRoot], s[adEpsilon])
		p := v.mul(v.load(adP, u), s[adDecay])
		v.fms(v.div(m, root), s[adRate], p)
		v.store(p, adP, u)
		if average {
			// ema + (1-decay)*(p-ema), as 1-decay is what has precision.
			e := v.load(adAverage, u)
			v.fma(v.sub(p, e), s[adEMA], e)
			v.store(e, adAverage, u)
		}
	})
}
