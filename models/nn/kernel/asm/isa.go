package main

import (
	"github.com/mmcloughlin/avo/operand"
	"github.com/mmcloughlin/avo/reg"
)

// isa is an instruction set the kernels are generated for.
type isa struct {
	name  string
	lanes int // float32 lanes of a register
	vec   []reg.VecPhysical
}

var (
	avx512 = isa{"AVX512", 16, []reg.VecPhysical{
		reg.Z0, reg.Z1, reg.Z2, reg.Z3, reg.Z4, reg.Z5, reg.Z6, reg.Z7,
		reg.Z8, reg.Z9, reg.Z10, reg.Z11, reg.Z12, reg.Z13, reg.Z14, reg.Z15,
		reg.Z16, reg.Z17, reg.Z18, reg.Z19, reg.Z20, reg.Z21, reg.Z22, reg.Z23,
		reg.Z24, reg.Z25, reg.Z26, reg.Z27, reg.Z28, reg.Z29, reg.Z30, reg.Z31,
	}}
	avx2 = isa{"AVX2", 8, []reg.VecPhysical{
		reg.Y0, reg.Y1, reg.Y2, reg.Y3, reg.Y4, reg.Y5, reg.Y6, reg.Y7,
		reg.Y8, reg.Y9, reg.Y10, reg.Y11, reg.Y12, reg.Y13, reg.Y14, reg.Y15,
	}}
)

func (i isa) wide() bool { return i.lanes == 16 }

// bytes is the size of a register.
func (i isa) bytes() int { return 4 * i.lanes }

// zero clears v.
func (i isa) zero(c *file, v reg.VecPhysical) {
	if i.wide() {
		// The 128-bit form clears the whole register with a shorter code, but only
		// reaches the lower sixteen registers; the 512-bit integer form reaches all.
		c.VPXORD(v, v, v)
		return
	}
	c.VXORPS(v, v, v)
}

// gp are the general registers a kernel may use freely. BP stays, for the frame
// pointer; R14 and R15 may be clobbered by assembly of the stable calling convention.
var gp = []reg.GPPhysical{
	reg.RAX, reg.RBX, reg.RCX, reg.RDX, reg.RSI, reg.RDI,
	reg.R8, reg.R9, reg.R10, reg.R11, reg.R12, reg.R13, reg.R14, reg.R15,
}

func mem(base reg.Register, disp int) operand.Mem { return operand.Mem{Base: base, Disp: disp} }

func indexed(base, index reg.Register, scale uint8) operand.Mem {
	return operand.Mem{Base: base, Index: index, Scale: scale}
}
