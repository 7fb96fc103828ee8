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
	m                      linear
	src, dst               []reg.GPPhysical // rows
	srcCol, dstCol         [4]reg.GPPhysical
	left, bias, tmp        reg.GPPhysical
	srcItem, dstItem       operand.Mem // bytes
	channels, items, biasp operand.Mem // registers; items; the pointer
}

// linear is a map of one dimension: a row of coefficients for each result, in
// halves.
type linear [][]int

func (m linear) in() int  { return len(m[0]) }
func (m linear) out() int { return len(m) }

// transposed is the map back, of gradients.
func (m linear) transposed() linear {
	t := make(linear, m.in())
	for i := range t {
		for _, row := range m {
			t[i] = append(t[i], row[i])
		}
	}
	return t
}

// halves reports whether m has factors of one half.
func (m linear) halves() bool {
	for _, row := range m {
		for _, k := range row {
			if k%2 != 0 {
				return true
			}
		}
	}
	return false
}

// The maps of F(2,2), in three products, and F(2,3), in four.
var (
	input3  = linear{{2, -2, 0}, {0, 2, 0}, {0, -2, 2}}
	tap2    = linear{{2, 0}, {2, 2}, {0, 2}}
	input4  = linear{{2, 0, -2, 0}, {0, 2, 2, 0}, {0, -2, 2, 0}, {0, -2, 0, 2}}
	tap3    = linear{{2, 0, 0}, {1, 1, 1}, {1, -1, 1}, {0, 0, 2}}
	output4 = linear{{2, 0}, {2, 2}, {2, -2}, {0, 2}}
)

// finishing is what happens to results before they are stored.
type finishing uint8

const (
	plain    finishing = iota
	overlap            // the first rows and columns are added to what is there
	epilogue           // that of the flags
)

func winograd(c *file) {
	for _, i := range []isa{avx512, avx2} {
		genGrid(c, i, "spread3", "maps 3×3 to 3×3 by (a-b, b, c-b): the input of F(2,2).", input3, plain)
		genGrid(c, i, "spread2", "maps 2×2 to 3×3 by (a, a+b, b): weights, and gradients of the output.", tap2, plain)
		genGrid(c, i, "fold2", "maps 3×3 to 2×2 by (a+b, b+c) with an epilogue: the output, and gradients of weights.", tap2.transposed(), epilogue)
		genGrid(c, i, "fold3", "maps 3×3 to 3×3 by (a, b-a-c, c), added to the first row and column: gradients of the input.", input3.transposed(), overlap)
		genGrid(c, i, "spread4", "maps 4×4 to 4×4 by (a-c, b+c, c-b, d-b): the input of F(2,3).", input4, plain)
		genGrid(c, i, "spread3to4", "maps 3×3 to 4×4 by (a, (a+b+c)/2, (a-b+c)/2, c): weights.", tap3, plain)
		genGrid(c, i, "spread2to4", "maps 2×2 to 4×4 by (a, a+b, a-b, b): gradients of the output.", output4, plain)
		genGrid(c, i, "fold4to2", "maps 4×4 to 2×2 by (a+b+c, b-c+d) with an epilogue: the output.", output4.transposed(), epilogue)
		genGrid(c, i, "fold4to3", "maps 4×4 to 3×3 by (a+(b+c)/2, (b-c)/2, (b+c)/2+d) with an epilogue: gradients of weights.", tap3.transposed(), epilogue)
		genGrid(c, i, "fold4", "maps 4×4 to 4×4 by (a, b-c-d, b+c-a, d), added to the first two rows and columns: gradients of the input.", input4.transposed(), overlap)
	}
}

// genGrid writes the map m.
func genGrid(c *file, i isa, name, doc string, m linear, finish finishing) {
	name = "grid" + string(name[0]-32) + name[1:] + i.name
	function(c, name, "func(v *byte)", name+" "+doc)
	g := &grid{vector: newVector(c, i), m: m}
	g.begin(finish == epilogue)
	c.Label("item")
	c.MOVQ(g.channels, g.left)
	c.Label("channels")
	var y [][]reg.VecVirtual
	for r := range m.out() {
		y = append(y, g.row(r))
		switch finish {
		case overlap:
			g.overlap(y, r)
			g.store(y, r)
		case plain:
			g.store(y, r)
		}
	}
	if finish == epilogue {
		g.epilogue(y)
		for r := range y {
			g.store(y, r)
		}
	}
	for _, p := range append(append([]reg.GPPhysical{}, g.src...), g.dst...) {
		c.ADDQ(operand.I8(int8(g.bytes())), p)
	}
	if finish == epilogue {
		c.ADDQ(operand.I8(int8(g.bytes())), g.bias)
	}
	c.DECQ(g.left)
	c.JNE(operand.LabelRef("channels"))
	for _, p := range g.src {
		c.ADDQ(g.srcItem, p)
	}
	for _, p := range g.dst {
		c.ADDQ(g.dstItem, p)
	}
	if finish == epilogue {
		c.MOVQ(g.biasp, g.bias)
	}
	c.DECQ(g.items)
	c.JNE(operand.LabelRef("item"))
	c.VZEROUPPER()
	c.RET()
}

func (g *grid) begin(bias bool) {
	free := gp
	take := func() (r reg.GPPhysical) {
		r, free = free[0], free[1:]
		return r
	}
	g.tmp, g.left = take(), take()
	if bias {
		g.bias = take()
	}
	arg := g.tmp
	g.Load(g.Param("v"), arg)
	local := g.AllocLocal(40)
	g.srcItem, g.dstItem, g.channels, g.items, g.biasp = local, local.Offset(8), local.Offset(16), local.Offset(24), local.Offset(32)
	for _, f := range []struct {
		n            int
		at, row, col int
		rows         *[]reg.GPPhysical
		cols         *[4]reg.GPPhysical
	}{
		{g.m.in(), gridSrc, gridSrcRow, gridSrcCol, &g.src, &g.srcCol},
		{g.m.out(), gridDst, gridDstRow, gridDstCol, &g.dst, &g.dstCol},
	} {
		g.MOVQ(mem(arg, f.row), g.left)
		for r := range f.n {
			p := take()
			*f.rows = append(*f.rows, p)
			if r == 0 {
				g.MOVQ(mem(arg, f.at), p)
			} else {
				g.LEAQ(indexed((*f.rows)[r-1], g.left, 4), p)
			}
		}
		one := take()
		g.MOVQ(mem(arg, f.col), one)
		g.SHLQ(operand.U8(2), one)
		f.cols[1], f.cols[2] = one, one
		if f.n > 3 {
			f.cols[3] = take()
			g.LEAQ(indexed(one, one, 2), f.cols[3])
		}
	}
	// The pointers run over the channels; what is left of an item's stride follows.
	for _, f := range []struct {
		at int
		to operand.Mem
	}{{gridSrcItem, g.srcItem}, {gridDstItem, g.dstItem}} {
		g.MOVQ(mem(arg, f.at), g.left)
		g.SUBQ(mem(arg, gridChannels), g.left)
		g.SHLQ(operand.U8(2), g.left)
		g.MOVQ(g.left, f.to)
	}
	g.MOVQ(mem(arg, gridN), g.left)
	g.MOVQ(g.left, g.items)
	if bias {
		g.MOVQ(mem(arg, gridBias), g.bias)
		g.MOVQ(g.bias, g.biasp)
	}
	shift := uint8(3)
	if g.wide() {
		shift = 4
	}
	g.MOVQ(mem(arg, gridChannels), g.left)
	g.SHRQ(operand.U8(shift), g.left)
	g.MOVQ(g.left, g.channels)
	if g.m.halves() && g.wide() {
		g.constant(0.5)
	}
	g.ready = true
}

// at is the place of column c of a row.
func (g *grid) at(row reg.GPPhysical, col *[4]reg.GPPhysical, c int) operand.Mem {
	switch c {
	case 0:
		return mem(row, 0)
	case 2:
		return indexed(row, col[c], 2)
	}
	return indexed(row, col[c], 1)
}

// row computes row r of the results: the map of the columns, whose values come
// from memory every time because not all fit the registers, then that of the row.
func (g *grid) row(r int) []reg.VecVirtual {
	mid := make([]operand.Op, g.m.in())
	for c := range mid {
		col := make([]operand.Op, g.m.in())
		for i := range col {
			col[i] = g.at(g.src[i], &g.srcCol, c)
		}
		mid[c] = g.combine(g.m[r], col)
	}
	y := make([]reg.VecVirtual, g.m.out())
	for i := range y {
		y[i] = g.combine(g.m[i], mid)
	}
	return y
}

// combine sums x with a row of coefficients.
func (g *grid) combine(row []int, x []operand.Op) reg.VecVirtual {
	half := g.sum(nil, row, x, 1)
	if half != nil {
		half = g.mul(half, g.constant(0.5))
	}
	return g.sum(half, row, x, 2)
}

// sum adds the terms with coefficients of that size to acc, beginning with a
// positive one if that is nil.
func (g *grid) sum(acc reg.VecVirtual, row []int, x []operand.Op, size int) reg.VecVirtual {
	first := -1
	for i, k := range row {
		if k == size && acc == nil {
			first = i
			if v, ok := x[i].(reg.VecVirtual); ok {
				acc = v
				break
			}
			acc = g.reg()
			g.VMOVUPS(x[i], acc)
		}
	}
	for i, k := range row {
		switch {
		case i == first:
		case k == size:
			acc = g.add(acc, x[i])
		case k == -size:
			acc = g.sub(acc, x[i])
		}
	}
	return acc
}

func (g *grid) store(y [][]reg.VecVirtual, r int) {
	for c, v := range y[r] {
		g.VMOVUPS(v, g.at(g.dst[r], &g.dstCol, c))
	}
}

// overlap adds what a neighbour has left in the first rows and columns, all but
// the two that are the tile's own.
func (g *grid) overlap(y [][]reg.VecVirtual, r int) {
	n := g.m.out() - 2
	for c, v := range y[r] {
		if r < n || c < n {
			y[r][c] = g.add(v, g.at(g.dst[r], &g.dstCol, c))
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
				f(g.at(g.dst[r], &g.dstCol, c), v)
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
