package main

import (
	"github.com/mmcloughlin/avo/operand"
	"github.com/mmcloughlin/avo/reg"
)

// columns is the generator of an operation on a block of columns, a few registers
// wide, of a matrix: what belongs to a column stays in registers while the loop
// runs over the rows.
type columns struct {
	*vector
	vecs int
}

// columnVecs is the width of a block, in registers.
func (i isa) columnVecs() int {
	if i.wide() {
		return 4
	}
	return 2
}

// params loads the per-column values of a stream.
func (k *columns) params(stream int) []reg.VecVirtual {
	p := gp[1]
	k.MOVQ(mem(k.arg, vecStreams+8*stream), p)
	var r []reg.VecVirtual
	for u := range k.vecs {
		x := k.reg()
		k.VMOVUPS(mem(p, u*k.bytes()), x)
		r = append(r, x)
	}
	return r
}

// zeros returns cleared sums, one per register of the block.
func (k *columns) zeros() []reg.VecVirtual {
	var r []reg.VecVirtual
	for range k.vecs {
		x := k.reg()
		k.VXORPS(x, x, x)
		r = append(r, x)
	}
	return r
}

// rows runs body, which is called for register u of a row, over all rows.
func (k *columns) rows(body func(u int)) {
	n, stride := gp[1], gp[len(gp)-1]
	k.MOVQ(mem(k.arg, vecN), n)
	k.MOVQ(mem(k.arg, vecStride), stride)
	k.SHLQ(operand.U8(2), stride)
	k.Label("row")
	for u := range k.vecs {
		body(u)
	}
	for _, p := range k.ptr {
		k.ADDQ(stride, p)
	}
	k.DECQ(n)
	k.JNE(operand.LabelRef("row"))
}

// storeSums stores sums, those of list j behind those of list j-1.
func (k *columns) storeSums(lists ...[]reg.VecVirtual) {
	p := gp[1]
	k.MOVQ(mem(k.arg, vecSums), p)
	for j, list := range lists {
		for u, x := range list {
			k.VMOVUPS(x, mem(p, (j*k.vecs+u)*k.bytes()))
		}
	}
}

func column(c *file, i isa, name, doc string, streams int, body func(k *columns)) {
	k := &columns{newVector(c, i), i.columnVecs()}
	function(c, name+i.name, "func(v *byte)", name+i.name+" "+doc)
	k.begin(streams)
	body(k)
	c.VZEROUPPER()
	c.RET()
}

func columnOps(c *file, i isa) {
	column(c, i, "colSum", "sums columns.", 1, func(k *columns) {
		s := k.zeros()
		k.rows(func(u int) { k.VADDPS(mem(k.ptr[0], u*k.bytes()), s[u], s[u]) })
		k.storeSums(s)
	})
	column(c, i, "colMoments", "sums x-p and its square per column.", 1, func(k *columns) {
		p, s, q := k.params(1), k.zeros(), k.zeros()
		k.rows(func(u int) {
			d := k.sub(k.load(0, u), p[u])
			k.VADDPS(d, s[u], s[u])
			k.fma(d, d, q[u])
		})
		k.storeSums(s, q)
	})
	column(c, i, "colScaleShift", "sets dst = leaky(x*scale + shift).", 2, func(k *columns) {
		scale, shift := k.params(2), k.params(3)
		slope, zero := k.scalar(0), k.zero1()
		k.rows(func(u int) {
			z := k.affine(k.load(1, u), scale[u], shift[u])
			k.slopeWhere(z, z, zero, slope, true)
			k.store(z, 0, u)
		})
	})
	column(c, i, "colLeakyGrad", "sets dst = x where y > 0, else s0 * x, and sums dst per column.", 3, func(k *columns) {
		slope, zero, s := k.scalar(0), k.zero1(), k.zeros()
		k.rows(func(u int) {
			d := k.load(1, u)
			k.slopeWhere(d, k.load(2, u), zero, slope, false)
			k.store(d, 0, u)
			k.VADDPS(d, s[u], s[u])
		})
		k.storeSums(s)
	})
	column(c, i, "colNormSums", "sums g and g*(x-mean) per column; see NormGradSums.", 2, func(k *columns) {
		scale, shift, mean := k.params(2), k.params(3), k.params(4)
		slope, zero := k.scalar(0), k.zero1()
		sg, sx := k.zeros(), k.zeros()
		k.rows(func(u int) {
			g, x := k.load(0, u), k.load(1, u)
			k.slopeWhere(g, k.affine(x, scale[u], shift[u]), zero, slope, false)
			k.VADDPS(g, sg[u], sg[u])
			k.fma(g, k.sub(x, mean[u]), sx[u])
		})
		k.storeSums(sg, sx)
	})
	column(c, i, "colNormGrad", "sets dst = scale*g + k1*x + k0; see NormGrad.", 3, func(k *columns) {
		scale, shift, k1, k0 := k.params(3), k.params(4), k.params(5), k.params(6)
		slope, zero := k.scalar(0), k.zero1()
		k.rows(func(u int) {
			g, x := k.load(1, u), k.load(2, u)
			k.slopeWhere(g, k.affine(x, scale[u], shift[u]), zero, slope, false)
			k.madd(x, k1[u], k0[u])
			k.fma(g, scale[u], x)
			k.store(x, 0, u)
		})
	})
}

// affine returns x*scale + shift and leaves x as it is.
func (k *columns) affine(x, scale, shift reg.VecVirtual) reg.VecVirtual {
	z := k.reg()
	k.VMOVAPS(x, z)
	k.madd(z, scale, shift)
	return z
}

func (k *columns) zero1() reg.VecVirtual {
	x := k.reg()
	k.VXORPS(x, x, x)
	return x
}
