package main

import (
	"github.com/mmcloughlin/avo/operand"
	"github.com/mmcloughlin/avo/reg"
)

// Offsets of the fields of kernel.grids.
const (
	gridSrc      = 0
	gridDst      = 8
	gridBias     = 16
	gridN        = 24 // items
	gridChannels = 32 // floats, whole registers
	gridSrcItem  = 40 // strides in floats
	gridSrcRow   = 48
	gridSrcCol   = 56
	gridDstItem  = 64
	gridDstRow   = 72
	gridDstCol   = 80
	gridSlope    = 88
	gridFlags    = 92
)

// grid is the generator of a map between small grids of pixels or weights: each
// item of the source is a grid of in×in vectors, each of the destination one of
// out×out, and the same map of one dimension is applied to columns and to rows.
type grid struct {
	*vector
	in, out                int
	src, dst               reg.GPPhysical
	srcRow, srcCol         reg.GPPhysical
	dstRow, dstCol         reg.GPPhysical
	s1, s2, d1, d2         reg.GPPhysical
	left, items, bias, tmp reg.GPPhysical
	srcItem, dstItem       operand.Mem // bytes
	channels               operand.Mem // registers
}

func winograd(c *file) {
	for _, i := range []isa{avx512, avx2} {
		genGrid(c, i, "spread3", "maps 3×3 to 3×3 by (a-b, b, c-b): the input of F(2,2).", 3, 3, (*grid).spread3, nil)
		genGrid(c, i, "spread2", "maps 2×2 to 3×3 by (a, a+b, b): weights, and gradients of the output.", 2, 3, (*grid).spread2, nil)
		genGrid(c, i, "fold2", "maps 3×3 to 2×2 by (a+b, b+c) with an epilogue: the output, and gradients of weights.", 3, 2, (*grid).fold2, (*grid).epilogue)
		genGrid(c, i, "fold3", "maps 3×3 to 3×3 by (a, b-a-c, c), added to the first row and column: gradients of the input.", 3, 3, (*grid).fold3, (*grid).overlap)
	}
}

// genGrid writes a map; f is the map of one dimension, finish what happens to the
// results before they are stored.
func genGrid(c *file, i isa, name, doc string, in, out int, f func(g *grid, x []reg.VecVirtual) []reg.VecVirtual, finish func(g *grid, y [][]reg.VecVirtual)) {
	name = "grid" + string(name[0]-32) + name[1:] + i.name
	function(c, name, "func(v *byte)", name+" "+doc)
	g := &grid{vector: newVector(c, i), in: in, out: out}
	g.begin()
	c.Label("item")
	c.MOVQ(g.channels, g.left)
	c.Label("channels")
	y := g.apply(g.load(), f)
	if finish != nil {
		finish(g, y)
	}
	for r := range y {
		for col, v := range y[r] {
			g.VMOVUPS(v, g.at(g.dst, []reg.GPPhysical{g.d1, g.d2}, g.dstCol, r, col))
		}
	}
	for _, p := range []reg.GPPhysical{g.src, g.dst, g.bias} {
		c.ADDQ(operand.I8(int8(g.bytes())), p)
	}
	c.DECQ(g.left)
	c.JNE(operand.LabelRef("channels"))
	c.ADDQ(g.srcItem, g.src)
	c.ADDQ(g.dstItem, g.dst)
	g.rewindBias()
	c.DECQ(g.items)
	c.JNE(operand.LabelRef("item"))
	c.VZEROUPPER()
	c.RET()
}

func (g *grid) begin() {
	for j, p := range []*reg.GPPhysical{
		&g.tmp, &g.src, &g.dst, &g.srcRow, &g.srcCol, &g.dstRow, &g.dstCol,
		&g.s1, &g.s2, &g.d1, &g.d2, &g.left, &g.items, &g.bias,
	} {
		*p = gp[j]
	}
	arg := g.tmp
	g.Load(g.Param("v"), arg)
	local := g.AllocLocal(24)
	g.srcItem, g.dstItem, g.channels = local, local.Offset(8), local.Offset(16)
	for _, f := range []struct {
		at int
		r  reg.GPPhysical
	}{
		{gridSrc, g.src},
		{gridDst, g.dst},
		{gridSrcRow, g.srcRow},
		{gridSrcCol, g.srcCol},
		{gridDstRow, g.dstRow},
		{gridDstCol, g.dstCol},
		{gridN, g.items},
		{gridBias, g.bias},
	} {
		g.MOVQ(mem(arg, f.at), f.r)
	}
	for _, r := range []reg.GPPhysical{g.srcRow, g.srcCol, g.dstRow, g.dstCol} {
		g.SHLQ(operand.U8(2), r)
	}
	// The pointers run over the channels; what is left of an item's stride follows.
	g.MOVQ(mem(arg, gridChannels), g.left)
	for _, f := range []struct {
		at int
		to operand.Mem
	}{{gridSrcItem, g.srcItem}, {gridDstItem, g.dstItem}} {
		g.MOVQ(mem(arg, f.at), g.s1)
		g.SUBQ(g.left, g.s1)
		g.SHLQ(operand.U8(2), g.s1)
		g.MOVQ(g.s1, f.to)
	}
	shift := uint8(3)
	if g.wide() {
		shift = 4
	}
	g.SHRQ(operand.U8(shift), g.left)
	g.MOVQ(g.left, g.channels)
}

// rewindBias takes the bias back to the first channel.
func (g *grid) rewindBias() {
	g.MOVQ(g.channels, g.left)
	shift := uint8(5)
	if g.wide() {
		shift = 6
	}
	g.SHLQ(operand.U8(shift), g.left)
	g.SUBQ(g.left, g.bias)
}

// at is the place of row r, column c of a grid.
func (g *grid) at(base reg.GPPhysical, rows []reg.GPPhysical, col reg.GPPhysical, r, c int) operand.Mem {
	if r > 0 {
		base = rows[r-1]
	}
	if c == 0 {
		return mem(base, 0)
	}
	return indexed(base, col, uint8(c))
}

func (g *grid) load() [][]reg.VecVirtual {
	g.LEAQ(indexed(g.src, g.srcRow, 1), g.s1)
	g.LEAQ(indexed(g.src, g.srcRow, 2), g.s2)
	g.LEAQ(indexed(g.dst, g.dstRow, 1), g.d1)
	g.LEAQ(indexed(g.dst, g.dstRow, 2), g.d2)
	x := make([][]reg.VecVirtual, g.in)
	for r := range x {
		for c := range g.in {
			v := g.reg()
			g.VMOVUPS(g.at(g.src, []reg.GPPhysical{g.s1, g.s2}, g.srcCol, r, c), v)
			x[r] = append(x[r], v)
		}
	}
	return x
}

// apply maps columns, then rows.
func (g *grid) apply(x [][]reg.VecVirtual, f func(*grid, []reg.VecVirtual) []reg.VecVirtual) [][]reg.VecVirtual {
	mid := make([][]reg.VecVirtual, g.out)
	for c := range g.in {
		var col []reg.VecVirtual
		for r := range g.in {
			col = append(col, x[r][c])
		}
		for r, v := range f(g, col) {
			mid[r] = append(mid[r], v)
		}
	}
	for r := range mid {
		mid[r] = f(g, mid[r])
	}
	return mid
}

func (g *grid) spread3(x []reg.VecVirtual) []reg.VecVirtual {
	return []reg.VecVirtual{g.sub(x[0], x[1]), x[1], g.sub(x[2], x[1])}
}

func (g *grid) spread2(x []reg.VecVirtual) []reg.VecVirtual {
	return []reg.VecVirtual{x[0], g.add(x[0], x[1]), x[1]}
}

func (g *grid) fold2(x []reg.VecVirtual) []reg.VecVirtual {
	return []reg.VecVirtual{g.add(x[0], x[1]), g.add(x[1], x[2])}
}

func (g *grid) fold3(x []reg.VecVirtual) []reg.VecVirtual {
	return []reg.VecVirtual{x[0], g.sub(g.sub(x[1], x[0]), x[2]), x[2]}
}

// overlap adds what a neighbour has left in the first row and column.
func (g *grid) overlap(y [][]reg.VecVirtual) {
	for r := range y {
		for c, v := range y[r] {
			if r == 0 || c == 0 {
				t := g.reg()
				g.VADDPS(g.at(g.dst, []reg.GPPhysical{g.d1, g.d2}, g.dstCol, r, c), v, t)
				y[r][c] = t
			}
		}
	}
}

// epilogue adds the destination or the bias and activates, as the flags say.
func (g *grid) epilogue(y [][]reg.VecVirtual) {
	g.Load(g.Param("v"), g.tmp)
	flags := func(bit uint32, skip string) {
		g.TESTL(operand.U32(bit), mem(g.tmp, gridFlags))
		g.JE(operand.LabelRef(skip))
	}
	each := func(f func(m operand.Mem, v reg.VecVirtual)) {
		for r := range y {
			for c, v := range y[r] {
				f(g.at(g.dst, []reg.GPPhysical{g.d1, g.d2}, g.dstCol, r, c), v)
			}
		}
	}
	flags(flagAccumulate, "bias")
	each(func(m operand.Mem, v reg.VecVirtual) { g.VADDPS(m, v, v) })
	g.Label("bias")
	flags(flagBias, "act")
	b := g.reg()
	g.VMOVUPS(mem(g.bias, 0), b)
	each(func(_ operand.Mem, v reg.VecVirtual) { g.VADDPS(b, v, v) })
	g.Label("act")
	flags(flagLeaky, "store")
	slope, zero := g.reg(), g.reg()
	g.VBROADCASTSS(mem(g.tmp, gridSlope), slope)
	g.VXORPS(zero, zero, zero)
	each(func(_ operand.Mem, v reg.VecVirtual) { g.slopeWhere(v, v, zero, slope, true) })
	g.Label("store")
}
