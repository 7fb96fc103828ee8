package main

import (
	"fmt"
	"math"

	"github.com/mmcloughlin/avo/operand"
	"github.com/mmcloughlin/avo/reg"
)

// Offsets of the fields of kernel.vec.
const (
	vecStreams = 0   // eight pointers
	vecN       = 64  // elements, or rows
	vecScalars = 72  // ten float32 values
	vecStride  = 112 // floats between rows, for the column operations
	vecSums    = 120 // pointer, for the column operations
	vecResult  = 128 // float64, of a reduction
)

// vector is the generator of an operation on whole slices. Its body is written
// once in terms of the methods below and serves both instruction sets.
type vector struct {
	*file
	isa
	arg    reg.GPPhysical
	ptr    []reg.GPPhysical
	masked bool
	mask   operand.Op // K1, or a register of lane masks
	consts map[uint32]reg.VecVirtual
	ready  bool // the loop has begun
}

func newVector(c *file, i isa) *vector {
	return &vector{file: c, isa: i, consts: map[uint32]reg.VecVirtual{}}
}

// reg returns a fresh register.
func (v *vector) reg() reg.VecVirtual {
	if v.wide() {
		return v.ZMM()
	}
	return v.YMM()
}

// begin loads the argument and the pointers of n streams.
func (v *vector) begin(streams int) {
	v.arg = gp[0]
	v.Load(v.Param("v"), v.arg)
	for s := range streams {
		p := gp[2+s]
		v.MOVQ(mem(v.arg, vecStreams+8*s), p)
		v.ptr = append(v.ptr, p)
	}
}

// scalar broadcasts scalar j of the argument.
func (v *vector) scalar(j int) reg.VecVirtual {
	r := v.reg()
	v.VBROADCASTSS(mem(v.arg, vecScalars+4*j), r)
	return r
}

// constant broadcasts a number. AVX-512 has registers enough to keep it: there it
// is loaded once, and must be asked for before the loop begins.
func (v *vector) constant(x float64) reg.VecVirtual { return v.bits(math.Float32bits(float32(x))) }

func (v *vector) bits(b uint32) reg.VecVirtual {
	if r, ok := v.consts[b]; ok {
		return r
	}
	if v.ready && v.wide() {
		panic(fmt.Sprintf("constant %08x is not loaded before the loop", b))
	}
	r := v.reg()
	v.VBROADCASTSS(v.constant32(b), r)
	if v.wide() {
		v.consts[b] = r
	}
	return r
}

// load loads register u of stream s.
func (v *vector) load(s, u int) reg.VecVirtual {
	r := v.reg()
	v.loadTo(mem(v.ptr[s], u*v.bytes()), r)
	return r
}

func (v *vector) loadTo(m operand.Mem, r reg.VecVirtual) {
	switch {
	case !v.masked:
		v.VMOVUPS(m, r)
	case v.wide():
		v.VMOVUPS_Z(m, v.mask, r)
	default:
		v.VMASKMOVPS(m, v.mask, r)
	}
}

// store stores to register u of stream s.
func (v *vector) store(x reg.VecVirtual, s, u int) {
	m := mem(v.ptr[s], u*v.bytes())
	switch {
	case !v.masked:
		v.VMOVUPS(x, m)
	case v.wide():
		v.VMOVUPS(x, v.mask, m)
	default:
		v.VMASKMOVPS(x, v.mask, m)
	}
}

// keep zeroes the lanes of x that are beyond the end, for sums.
func (v *vector) keep(x reg.VecVirtual) {
	switch {
	case !v.masked:
	case v.wide():
		v.VMOVAPS_Z(x, v.mask, x)
	default:
		v.VANDPS(v.mask, x, x)
	}
}

func (v *vector) binary(op func(...operand.Op), a, b operand.Op) reg.VecVirtual {
	r := v.reg()
	op(b, a, r)
	return r
}

func (v *vector) add(a, b operand.Op) reg.VecVirtual { return v.binary(v.VADDPS, a, b) }
func (v *vector) sub(a, b operand.Op) reg.VecVirtual { return v.binary(v.VSUBPS, a, b) }
func (v *vector) mul(a, b operand.Op) reg.VecVirtual { return v.binary(v.VMULPS, a, b) }
func (v *vector) div(a, b operand.Op) reg.VecVirtual { return v.binary(v.VDIVPS, a, b) }

// max and min return b where one of them is NaN.
func (v *vector) max(a, b operand.Op) reg.VecVirtual { return v.binary(v.VMAXPS, a, b) }
func (v *vector) min(a, b operand.Op) reg.VecVirtual { return v.binary(v.VMINPS, a, b) }
func (v *vector) and(a, b operand.Op) reg.VecVirtual { return v.binary(v.VANDPS, a, b) }
func (v *vector) xor(a, b operand.Op) reg.VecVirtual { return v.binary(v.VXORPS, a, b) }

func (v *vector) sqrt(a operand.Op) reg.VecVirtual {
	r := v.reg()
	v.VSQRTPS(a, r)
	return r
}

// fma sets acc to a*b + acc, fms to -(a*b) + acc.
func (v *vector) fma(a, b, acc operand.Op) { v.VFMADD231PS(b, a, acc) }
func (v *vector) fms(a, b, acc operand.Op) { v.VFNMADD231PS(b, a, acc) }

// madd sets x to x*a + b: a step of Horner's rule.
func (v *vector) madd(x, a, b operand.Op) { v.VFMADD213PS(b, a, x) }

// slopeWhere multiplies x by slope where the condition holds for t and zero:
// t < 0 (below) or !(t > 0).
func (v *vector) slopeWhere(x, t, zero, slope operand.Op, below bool) {
	predicate := operand.U8(0x1A) // not greater than, quiet: !(t > 0)
	if below {
		predicate = operand.U8(0x11) // less than, quiet
	}
	if v.wide() {
		k := v.K()
		v.VCMPPS(predicate, zero, t, k)
		v.VMULPS(slope, x, k, x)
		return
	}
	m, y := v.reg(), v.mul(x, slope)
	v.VCMPPS(predicate, zero, t, m)
	v.VBLENDVPS(m, y, x, x)
}

// elementwise writes an operation of every element on its own. scalars are
// broadcast before the loop and handed to body, which is called for register u of
// the streams; it loads, computes and stores.
func elementwise(c *file, i isa, name, doc string, streams, scalars, unroll int, prepare func(*vector), body func(v *vector, s []reg.VecVirtual, u int)) {
	v := newVector(c, i)
	function(c, name+i.name, "func(v *byte)", name+i.name+" "+doc)
	v.begin(streams)
	var s []reg.VecVirtual
	for j := range scalars {
		s = append(s, v.scalar(j))
	}
	if prepare != nil {
		prepare(v)
	}
	v.loop(unroll, func(u int) { body(v, s, u) })
	c.VZEROUPPER()
	c.RET()
}

// loop calls body for blocks of unroll registers, for single ones, and once more
// with the mask of the rest.
func (v *vector) loop(unroll int, body func(u int)) {
	n := gp[1]
	v.MOVQ(mem(v.arg, vecN), n)
	v.ready = true
	v.blocks(n, unroll, "block", body)
	if unroll > 1 {
		v.blocks(n, 1, "single", body)
	}
	v.TESTQ(n, n)
	v.JE(operand.LabelRef("end"))
	v.restMask(n)
	v.masked = true
	body(0)
	v.masked = false
	v.Label("end")
}

func (v *vector) blocks(n reg.GPPhysical, unroll int, label string, body func(u int)) {
	elems := unroll * v.lanes
	v.SUBQ(operand.I32(int32(elems)), n)
	v.JLT(operand.LabelRef(label + "End"))
	v.Label(label)
	for u := range unroll {
		body(u)
	}
	for _, p := range v.ptr {
		v.ADDQ(operand.I32(int32(4*elems)), p)
	}
	v.SUBQ(operand.I32(int32(elems)), n)
	v.JGE(operand.LabelRef(label))
	v.Label(label + "End")
	v.ADDQ(operand.I32(int32(elems)), n)
}

// restMask makes the mask of n lanes; n is lost.
func (v *vector) restMask(n reg.GPPhysical) {
	if v.wide() {
		t := v.arg
		v.MOVQ(operand.I32(-1), t)
		v.BZHIQ(n, t, t)
		k := v.K()
		v.KMOVW(t.As32(), k)
		v.mask = k
		return
	}
	v.LEAQ(v.masks, v.arg)
	v.NEGQ(n)
	m := v.reg()
	w := indexed(v.arg, n, 4)
	w.Disp = 32
	v.VMOVUPS(w, m)
	v.mask = m
}
