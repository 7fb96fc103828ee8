package main

import (
	"fmt"

	"github.com/mmcloughlin/avo/operand"
	"github.com/mmcloughlin/avo/reg"
)

// Offsets of the fields of kernel.tile; dispatch_amd64.go of the package checks
// them when it is compiled.
const (
	tileA     = 0
	tileB     = 24
	tileC     = 48
	tileBias  = 72
	tileRows  = 96
	tileOuts  = 120
	tileSegs  = 144
	tileNSegs = 152
	tileAStep = 168
	tileBStep = 176
	tileCols  = 184
	tileN     = 192
	tileSlope = 200
	tileFlags = 204

	segSize = 24
	segA    = 0
	segB    = 8
	segEnd  = 16

	flagAccumulate = 1
	flagLeaky      = 2
	flagBias       = 4 // of the grids; a tile has a bias if its pointer is not nil
)

// tile is the generator of one micro-kernel. It multiplies rows×k values of A,
// found through a table of row offsets and a list of segments, with k×(vecs
// registers) values of B, keeping rows×vecs registers of sums.
type tile struct {
	*file
	isa
	rows, vecs int

	acc      [][]reg.VecPhysical
	b, t     []reg.VecPhysical
	row      []reg.GPPhysical
	kr, br   reg.GPPhysical // index into A, pointer into B; scratch between the loops
	nrem     operand.Mem    // rows left
	rowsp    operand.Mem    // next row offset
	outsp    operand.Mem    // next output offset
	abase    operand.Mem
	bbase    operand.Mem
	astep    operand.Mem // floats
	bstep    operand.Mem // bytes
	end      operand.Mem // of the segment, in floats of A
	segp     operand.Mem
	segsLeft operand.Mem
}

func (i isa) tileName(rows, vecs int) string {
	return fmt.Sprintf("tile%dx%d%s", rows, vecs*i.lanes, i.name)
}

func genTile(c *file, i isa, rows, vecs int) {
	k := &tile{file: c, isa: i, rows: rows, vecs: vecs}
	function(c, i.tileName(rows, vecs), "func(t *byte)",
		fmt.Sprintf("%s computes tiles of %d rows by %d columns; t is a *tile.", i.tileName(rows, vecs), rows, vecs*i.lanes))
	k.allocate()
	k.setup()
	c.Label("tile")
	k.rowPointers()
	k.clear()
	k.segments()
	k.epilogue()
	k.advance()
	c.VZEROUPPER()
	c.RET()
}

func (k *tile) allocate() {
	n := 0
	for range k.rows {
		k.acc = append(k.acc, k.vec[n:n+k.vecs])
		n += k.vecs
	}
	k.b = k.vec[n : n+k.vecs]
	k.t = k.vec[n+k.vecs:]
	k.row = gp[:k.rows]
	k.kr, k.br = reg.R14, reg.R15
	slots := []*operand.Mem{
		&k.nrem, &k.rowsp, &k.outsp, &k.abase, &k.bbase,
		&k.astep, &k.bstep, &k.end, &k.segp, &k.segsLeft,
	}
	local := k.AllocLocal(8 * len(slots))
	for j, s := range slots {
		*s = local.Offset(8 * j)
	}
}

// setup copies what the loops need of the argument to the frame.
func (k *tile) setup() {
	t, v := gp[0], gp[1]
	k.Load(k.Param("t"), t)
	for _, f := range []struct {
		from int
		to   operand.Mem
	}{
		{tileN, k.nrem},
		{tileRows, k.rowsp},
		{tileOuts, k.outsp},
		{tileA, k.abase},
		{tileB, k.bbase},
		{tileAStep, k.astep},
	} {
		k.MOVQ(mem(t, f.from), v)
		k.MOVQ(v, f.to)
	}
	k.MOVQ(mem(t, tileBStep), v)
	k.SHLQ(operand.U8(2), v)
	k.MOVQ(v, k.bstep)
}

// rowPointers loads the addresses of the tile's rows. Rows past the last repeat
// it, so that they read what may be read; they are never stored.
func (k *tile) rowPointers() {
	base, tab := k.br, k.kr
	k.MOVQ(k.abase, base)
	k.MOVQ(k.rowsp, tab)
	for r, p := range k.row {
		k.MOVLQSX(mem(tab, 4*r), p)
		k.LEAQ(indexed(base, p, 4), p)
		if r > 0 {
			k.CMPQ(k.nrem, operand.I8(int8(r)))
			k.CMOVQLE(k.row[r-1], p)
		}
	}
	k.Load(k.Param("t"), k.br)
	k.MOVQ(mem(k.br, tileSegs), k.kr)
	k.MOVQ(k.kr, k.segp)
	k.MOVQ(mem(k.br, tileNSegs), k.kr)
	k.MOVQ(k.kr, k.segsLeft)
}

func (k *tile) clear() {
	for _, row := range k.acc {
		for _, v := range row {
			k.zero(k.file, v)
		}
	}
}

// segments runs the multiply-add loop over every segment.
func (k *tile) segments() {
	k.CMPQ(k.segsLeft, operand.I8(0))
	k.JE(operand.LabelRef("sums"))
	k.Label("segment")
	k.MOVQ(k.segp, k.kr)
	k.MOVQ(mem(k.kr, segEnd), k.br)
	k.MOVQ(k.br, k.end)
	k.MOVQ(mem(k.kr, segB), k.br)
	k.IMULQ(k.bstep, k.br)
	k.ADDQ(k.bbase, k.br)
	k.ADDQ(operand.I8(segSize), k.kr)
	k.MOVQ(k.kr, k.segp)
	k.MOVQ(mem(k.kr, segA-segSize), k.kr)
	k.Label("step")
	for v, b := range k.b {
		k.VMOVUPS(mem(k.br, v*k.bytes()), b)
	}
	for r, acc := range k.acc {
		a := indexed(k.row[r], k.kr, 4)
		if k.vecs == 1 && k.wide() {
			k.VFMADD231PS_BCST(a, k.b[0], acc[0])
			continue
		}
		t := k.t[r%len(k.t)]
		k.VBROADCASTSS(a, t)
		for v, b := range k.b {
			k.VFMADD231PS(t, b, acc[v])
		}
	}
	k.ADDQ(k.astep, k.kr)
	k.ADDQ(k.bstep, k.br)
	k.CMPQ(k.kr, k.end)
	k.JLT(operand.LabelRef("step"))
	k.DECQ(k.segsLeft)
	k.JNE(operand.LabelRef("segment"))
	k.Label("sums")
}

// advance moves on to the next tile, if there is one.
func (k *tile) advance() {
	k.ADDQ(operand.I8(int8(4*k.rows)), k.rowsp)
	k.ADDQ(operand.I8(int8(4*k.rows)), k.outsp)
	k.SUBQ(operand.I8(int8(k.rows)), k.nrem)
	k.JGT(operand.LabelRef("tile"))
}
