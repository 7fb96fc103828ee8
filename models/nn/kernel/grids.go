package kernel

// grids is the argument of the assembly that maps small grids of vectors, see
// asm/winograd.go. Strides are in floats.
type grids struct {
	src, dst, bias          *float32
	n                       int // items
	channels                int // floats; whole registers
	srcItem, srcRow, srcCol int
	dstItem, dstRow, dstCol int
	slope                   float32
	flags                   uint32
}

// gridOp names a map of grids.
type gridOp uint8

const (
	gridSpread3 gridOp = iota // 3×3 to 3×3: input to products
	gridSpread2               // 2×2 to 3×3: weights, or gradients of the output, to products
	gridFold2                 // 3×3 to 2×2: products to output, or to gradients of weights
	gridFold3                 // 3×3 to 3×3, overlapping: products to gradients of the input

	gridSpread4  // 4×4 to 4×4: input to products
	gridSpread34 // 3×3 to 4×4: weights to products
	gridSpread24 // 2×2 to 4×4: gradients of the output to products
	gridFold42   // 4×4 to 2×2: products to output
	gridFold43   // 4×4 to 3×3: products to gradients of weights
	gridFold4    // 4×4 to 4×4, overlapping: products to gradients of the input
)

// setEpilogue is as that of a tile.
func (g *grids) setEpilogue(ep *Epilogue) {
	var t tile
	t.setEpilogue(ep, 0)
	g.flags, g.slope = t.flags, t.slope
	if t.bias != nil {
		g.flags |= flagBias
		g.bias = &t.bias[0]
	}
}
