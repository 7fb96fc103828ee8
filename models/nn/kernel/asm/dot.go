package main

import (
	"fmt"

	"github.com/mmcloughlin/avo/operand"
	"github.com/mmcloughlin/avo/reg"
)

// dotRows is the number of rows of the kernels with one column.
const dotRows = 12

// dot is the generator of the micro-kernel for a single column, where the lanes
// run along the products instead of along the columns. Rows and column must be
// contiguous: aStep and bStep are 1.
type dot struct {
	tile
	result operand.Mem // dotRows sums, and room up to whole registers
	w      reg.VecPhysical
	m      reg.VecPhysical // AVX2: the mask of a segment's last lanes
}

func genDot(c *file, i isa) {
	d := &dot{tile: tile{file: c, isa: i, rows: dotRows, vecs: 1}}
	name := fmt.Sprintf("dot%d%s", dotRows, i.name)
	function(c, name, "func(t *byte)",
		fmt.Sprintf("%s computes %d rows of a single column; t is a *tile whose steps are 1.", name, dotRows))
	d.allocate()
	d.result = c.AllocLocal(64)
	d.w, d.m = d.vec[dotRows], d.vec[len(d.vec)-1]
	d.setup()
	c.Label("tile")
	d.rowPointers()
	d.clear()
	d.segments()
	d.reduce()
	d.epilogue()
	d.advance()
	c.VZEROUPPER()
	c.RET()
}

func (d *dot) segments() {
	d.CMPQ(d.segsLeft, operand.I8(0))
	d.JE(operand.LabelRef("sums"))
	d.Label("segment")
	d.begin()
	d.CMPQ(d.kr, d.end)
	d.JGE(operand.LabelRef("rest"))
	d.Label("step")
	d.VMOVUPS(mem(d.br, 0), d.w)
	for r, acc := range d.acc {
		d.VFMADD231PS(indexed(d.row[r], d.kr, 4), d.w, acc[0])
	}
	d.ADDQ(operand.I8(int8(d.lanes)), d.kr)
	d.ADDQ(operand.I8(int8(d.bytes())), d.br)
	d.CMPQ(d.kr, d.end)
	d.JLT(operand.LabelRef("step"))
	d.Label("rest")
	d.rest()
	d.DECQ(d.segsLeft)
	d.JNE(operand.LabelRef("segment"))
	d.Label("sums")
}

// begin loads a segment: its end of whole registers, the mask of what is left
// over, and the first addresses.
func (d *dot) begin() {
	d.MOVQ(d.segp, d.kr)
	d.MOVQ(mem(d.kr, segEnd), d.br)
	d.SUBQ(operand.I8(int8(d.lanes-1)), d.br)
	d.MOVQ(d.br, d.end)
	d.ADDQ(operand.I8(int8(d.lanes-1)), d.br)
	d.SUBQ(mem(d.kr, segA), d.br)
	d.ANDQ(operand.I8(int8(d.lanes-1)), d.br)
	if d.wide() {
		d.MOVQ(operand.I32(-1), d.kr)
		d.BZHIQ(d.br, d.kr, d.kr)
		d.KMOVW(d.kr.As32(), reg.K1)
	} else {
		d.LEAQ(d.file.masks, d.kr)
		d.NEGQ(d.br)
		last := indexed(d.kr, d.br, 4)
		last.Disp = 32
		d.VMOVUPS(last, d.m)
	}
	d.MOVQ(d.segp, d.kr)
	d.MOVQ(mem(d.kr, segB), d.br)
	d.SHLQ(operand.U8(2), d.br)
	d.ADDQ(d.bbase, d.br)
	d.ADDQ(operand.I8(segSize), d.kr)
	d.MOVQ(d.kr, d.segp)
	d.MOVQ(mem(d.kr, segA-segSize), d.kr)
}

// rest adds the products of the last, partial register of a segment.
func (d *dot) rest() {
	d.SUBQ(operand.I8(int8(d.lanes-1)), d.kr)
	d.CMPQ(d.kr, d.end)
	d.JGE(operand.LabelRef("whole"))
	d.ADDQ(operand.I8(int8(d.lanes-1)), d.kr)
	if d.wide() {
		d.VMOVUPS_Z(mem(d.br, 0), reg.K1, d.w)
	} else {
		d.VMASKMOVPS(mem(d.br, 0), d.m, d.w)
	}
	for r, acc := range d.acc {
		a := indexed(d.row[r], d.kr, 4)
		if d.wide() {
			d.VFMADD231PS(a, d.w, reg.K1, acc[0])
			continue
		}
		t := d.vec[dotRows+1+r%2]
		d.VMASKMOVPS(a, d.m, t)
		d.VFMADD231PS(t, d.w, acc[0])
	}
	d.Label("whole")
}

// reduce adds up the lanes of every sum and leaves the rows' results in d.result:
// two levels within 128 bits turn four registers into one, then its quarters or
// halves are added.
func (d *dot) reduce() {
	t := []reg.VecPhysical{d.vec[dotRows], d.vec[dotRows+1]}
	for q := 0; q < dotRows; q += 4 {
		a, b, c, e := d.acc[q][0], d.acc[q+1][0], d.acc[q+2][0], d.acc[q+3][0]
		for _, p := range [][2]reg.VecPhysical{{a, b}, {c, e}} {
			d.VUNPCKLPS(p[1], p[0], t[0])
			d.VUNPCKHPS(p[1], p[0], t[1])
			d.VADDPS(t[0], t[1], p[0])
		}
		d.VUNPCKLPD(c, a, t[0])
		d.VUNPCKHPD(c, a, t[1])
		d.VADDPS(t[0], t[1], a)
		half := t[0].AsX()
		if d.wide() {
			d.VEXTRACTF64X4(operand.U8(1), a, t[0].AsY())
			d.VADDPS(t[0].AsY(), a.AsY(), a.AsY())
		}
		d.VEXTRACTF128(operand.U8(1), a.AsY(), half)
		d.VADDPS(half, a.AsX(), a.AsX())
		d.VMOVUPS(a.AsX(), d.result.Offset(4*q))
	}
}

// epilogue turns the sums in d.result into results and scatters them.
func (d *dot) epilogue() {
	d.Load(d.Param("t"), epArg)
	d.MOVQ(mem(epArg, tileC), epC)
	d.MOVQ(d.outsp, epOuts)
	d.MOVQ(d.nrem, epN)
	d.MOVL(mem(epArg, tileFlags), epFlags.As32())
	d.MOVQ(mem(epArg, tileBias), epBias)

	d.TESTL(operand.U32(flagAccumulate), epFlags.As32())
	d.JE(operand.LabelRef("bias"))
	x := d.vec[0].AsX()
	d.eachRow("bias", func(r int) {
		d.VMOVSS(d.result.Offset(4*r), x)
		d.VADDSS(indexed(epC, epOff, 4), x, x)
		d.VMOVSS(x, d.result.Offset(4*r))
	})

	d.Label("bias")
	d.acc = d.acc[:(dotRows+d.lanes-1)/d.lanes]
	for v, acc := range d.acc {
		d.VMOVUPS(d.result.Offset(v*d.bytes()), acc[0])
	}
	d.TESTQ(epBias, epBias)
	d.JE(operand.LabelRef("act"))
	d.VBROADCASTSS(mem(epBias, 0), d.w)
	for _, acc := range d.acc {
		d.VADDPS(d.w, acc[0], acc[0])
	}

	d.Label("act")
	d.TESTL(operand.U32(flagLeaky), epFlags.As32())
	d.JE(operand.LabelRef("store"))
	d.leaky()

	d.Label("store")
	for v, acc := range d.acc {
		d.VMOVUPS(acc[0], d.result.Offset(v*d.bytes()))
	}
	d.acc = make([][]reg.VecPhysical, dotRows)
	d.eachRow("done", func(r int) {
		d.MOVL(d.result.Offset(4*r), epTmp.As32())
		d.MOVL(epTmp.As32(), indexed(epC, epOff, 4))
	})
	d.Label("done")
}
