package main

import (
	"github.com/mmcloughlin/avo/operand"
	"github.com/mmcloughlin/avo/reg"
)

// transpose writes the transposition of a square block of lanes×lanes floats:
// row by row loads, then interleavings of ever wider pieces.
func transpose(c *file, i isa) {
	name := "transpose" + i.name
	function(c, name, "func(dst *byte, ldd int, src *byte, lds int)",
		name+" transposes one block as wide as a register; ldd and lds are floats between rows.")
	d, ldd := reg.RAX, reg.RBX
	s, lds := reg.RCX, reg.RDX
	c.Load(c.Param("dst"), d)
	c.Load(c.Param("ldd"), ldd)
	c.Load(c.Param("src"), s)
	c.Load(c.Param("lds"), lds)
	c.SHLQ(operand.U8(2), ldd)
	c.SHLQ(operand.U8(2), lds)
	v := newVector(c, i)
	rows := make([]reg.VecVirtual, i.lanes)
	for r := range rows {
		rows[r] = v.reg()
		c.VMOVUPS(mem(s, 0), rows[r])
		if r < len(rows)-1 {
			c.ADDQ(lds, s)
		}
	}
	for r, x := range v.transposed(rows) {
		c.VMOVUPS(x, mem(d, 0))
		if r < len(rows)-1 {
			c.ADDQ(ldd, d)
		}
	}
	c.VZEROUPPER()
	c.RET()
}

func (v *vector) transposed(rows []reg.VecVirtual) []reg.VecVirtual {
	n := len(rows)
	// Within 128 bits: groups of four rows become four registers, of which
	// register j holds, in each quarter q, column 4q+j of the four rows.
	quads := make([]reg.VecVirtual, n)
	for g := 0; g < n; g += 4 {
		a, b, c, d := rows[g], rows[g+1], rows[g+2], rows[g+3]
		ab0, ab1 := v.binary(v.VUNPCKLPS, a, b), v.binary(v.VUNPCKHPS, a, b)
		cd0, cd1 := v.binary(v.VUNPCKLPS, c, d), v.binary(v.VUNPCKHPS, c, d)
		quads[g] = v.binary(v.VUNPCKLPD, ab0, cd0)
		quads[g+1] = v.binary(v.VUNPCKHPD, ab0, cd0)
		quads[g+2] = v.binary(v.VUNPCKLPD, ab1, cd1)
		quads[g+3] = v.binary(v.VUNPCKHPD, ab1, cd1)
	}
	out := make([]reg.VecVirtual, n)
	for j := range 4 {
		if !v.wide() {
			a, b := quads[j], quads[4+j]
			out[j], out[4+j] = v.reg(), v.reg()
			v.VPERM2F128(operand.U8(0x20), b, a, out[j])
			v.VPERM2F128(operand.U8(0x31), b, a, out[4+j])
			continue
		}
		shuffle := func(imm uint8, a, b reg.VecVirtual) reg.VecVirtual {
			r := v.reg()
			v.VSHUFF32X4(operand.U8(imm), b, a, r)
			return r
		}
		a, b, c, d := quads[j], quads[4+j], quads[8+j], quads[12+j]
		// Quarters 0 and 2 of a, then of b; and so on.
		ab02, ab13 := shuffle(0x88, a, b), shuffle(0xdd, a, b)
		cd02, cd13 := shuffle(0x88, c, d), shuffle(0xdd, c, d)
		out[j] = shuffle(0x88, ab02, cd02)
		out[8+j] = shuffle(0xdd, ab02, cd02)
		out[4+j] = shuffle(0x88, ab13, cd13)
		out[12+j] = shuffle(0xdd, ab13, cd13)
	}
	return out
}
