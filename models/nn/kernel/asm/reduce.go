package main

import (
	"github.com/mmcloughlin/avo/operand"
	"github.com/mmcloughlin/avo/reg"
)

// reduceChains is how many sums a reduction keeps, to hide the latency.
const reduceChains = 4

func reductions(c *file, i isa) {
	for _, o := range []struct {
		name, doc string
		streams   int
		f         func(v *vector, acc reg.VecVirtual, u int)
	}{
		{"vecSumSquares", "sums x².", 1, func(v *vector, acc reg.VecVirtual, u int) {
			x := v.load(0, u)
			v.fma(x, x, acc)
		}},
		{"vecDot", "sums x * y.", 2, func(v *vector, acc reg.VecVirtual, u int) {
			v.fma(v.load(0, u), v.load(1, u), acc)
		}},
		{"vecSumSquaredDiff", "sums (x-y)².", 2, func(v *vector, acc reg.VecVirtual, u int) {
			d := v.sub(v.load(0, u), v.load(1, u))
			v.fma(d, d, acc)
		}},
		{"vecSumAbsDiff", "sums |x-y|.", 2, func(v *vector, acc reg.VecVirtual, u int) {
			d := v.sub(v.load(0, u), v.load(1, u))
			v.VADDPS(v.and(d, v.bits(^uint32(signBit))), acc, acc)
		}},
	} {
		reduction(c, i, o.name, o.doc, o.streams, o.f)
	}
}

// reduction writes a sum over whole slices; the result is one float64.
func reduction(c *file, i isa, name, doc string, streams int, f func(v *vector, acc reg.VecVirtual, u int)) {
	v := newVector(c, i)
	function(c, name+i.name, "func(v *byte)", name+i.name+" "+doc)
	v.begin(streams)
	var acc []reg.VecVirtual
	for range reduceChains {
		a := v.reg()
		c.VXORPS(a, a, a)
		acc = append(acc, a)
	}
	v.bits(^uint32(signBit))
	v.loop(reduceChains, func(u int) { f(v, acc[u], u) })
	v.VADDPS(acc[1], acc[0], acc[0])
	v.VADDPS(acc[3], acc[2], acc[2])
	v.VADDPS(acc[2], acc[0], acc[0])
	v.Load(v.Param("v"), v.arg) // the loop has used it
	v.sumLanes(acc[0])
	c.VZEROUPPER()
	c.RET()
}

// sumLanes adds the lanes of a in float64 and stores the sum in the argument.
func (v *vector) sumLanes(a reg.VecVirtual) {
	total, part := v.YMM(), v.YMM()
	v.VCVTPS2PD(a.AsX(), total)
	for q := 1; q < v.lanes/4; q++ {
		x := v.XMM()
		if v.wide() {
			v.VEXTRACTF32X4(operand.U8(uint8(q)), a, x)
		} else {
			v.VEXTRACTF128(operand.U8(uint8(q)), a, x)
		}
		v.VCVTPS2PD(x, part)
		v.VADDPD(part, total, total)
	}
	x := v.XMM()
	v.VEXTRACTF128(operand.U8(1), total, x)
	v.VADDPD(x, total.AsX(), x)
	y := v.XMM()
	v.VUNPCKHPD(x, x, y)
	v.VADDSD(y, x, x)
	v.VMOVSD(x, mem(v.arg, vecResult))
}
