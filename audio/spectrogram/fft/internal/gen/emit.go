package main

import (
	"bytes"
	"fmt"
)

// An isa is one vector instruction set of amd64.
type isa struct {
	suffix string // of the kernels' names
	reg    string // vector register prefix
	lanes  int    // float32 lanes per register
	regs   int    // vector registers
}

// bytes is the size of one register, and so of one row of lanes.
func (s isa) bytes() int { return 4 * s.lanes }

// v names vector register i.
func (s isa) v(i int) string {
	if i < 0 || i >= s.regs {
		panic(fmt.Sprintf("%s has no register %d", s.suffix, i))
	}
	return fmt.Sprintf("%s%d", s.reg, i)
}

// An emitter writes the kernels of one isa.
type emitter struct {
	isa
	out    *bytes.Buffer
	labels int
}

// text opens a kernel: args is the size of its arguments in bytes.
func (e *emitter) text(name, doc, signature string, args int) {
	fmt.Fprintf(e.out, "\n// %s\n// func %s%s(%s)\nTEXT ·%s%s(SB), NOSPLIT, $0-%d\n", doc, name, e.suffix, signature, name, e.suffix, args)
}

// op writes one instruction; operands in Go's order, destination last.
func (e *emitter) op(name string, operands ...any) {
	fmt.Fprintf(e.out, "\t%s", name)
	for i, o := range operands {
		sep := ", "
		if i == 0 {
			sep = " "
		}
		fmt.Fprintf(e.out, "%s%v", sep, o)
	}
	e.out.WriteByte('\n')
}

// arg loads an argument into a general register.
func (e *emitter) arg(name string, offset int, reg string) {
	e.op("MOVQ", fmt.Sprintf("%s+%d(FP)", name, offset), reg)
}

// ret closes a kernel.
func (e *emitter) ret() {
	e.op("VZEROUPPER")
	e.op("RET")
}

// label makes a fresh label name.
func (e *emitter) label() string {
	e.labels++
	return fmt.Sprintf("l%d", e.labels)
}

// at writes a label.
func (e *emitter) at(label string) { fmt.Fprintf(e.out, "%s:\n", label) }

// load and store move one register from and to memory.
func (e *emitter) load(mem string, reg int)  { e.op("VMOVUPS", mem, e.v(reg)) }
func (e *emitter) store(reg int, mem string) { e.op("VMOVUPS", e.v(reg), mem) }

// bcast loads one float32 into all lanes.
func (e *emitter) bcast(mem string, reg int) { e.op("VBROADCASTSS", mem, e.v(reg)) }

// add, sub and mul compute dst = a op b.
func (e *emitter) add(a, b, dst int) { e.op("VADDPS", e.v(b), e.v(a), e.v(dst)) }
func (e *emitter) sub(a, b, dst int) { e.op("VSUBPS", e.v(b), e.v(a), e.v(dst)) }
func (e *emitter) mul(a, b, dst int) { e.op("VMULPS", e.v(b), e.v(a), e.v(dst)) }

// fma computes dst += a*b, fnma dst -= a*b.
func (e *emitter) fma(a, b, dst int)  { e.op("VFMADD231PS", e.v(b), e.v(a), e.v(dst)) }
func (e *emitter) fnma(a, b, dst int) { e.op("VFNMADD231PS", e.v(b), e.v(a), e.v(dst)) }

// zero clears a register.
func (e *emitter) zero(reg int) {
	if e.reg == "Z" {
		e.op("VPXORD", e.v(reg), e.v(reg), e.v(reg))
		return
	}
	e.op("VXORPS", e.v(reg), e.v(reg), e.v(reg))
}

// mem is the address base + index*scale + disp; index may be "".
func mem(disp int, base, index string, scale int) string {
	s := fmt.Sprintf("(%s)", base)
	if disp != 0 {
		s = fmt.Sprintf("%d(%s)", disp, base)
	}
	if index != "" {
		s += fmt.Sprintf("(%s*%d)", index, scale)
	}
	return s
}
