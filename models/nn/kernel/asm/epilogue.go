package main

import (
	"fmt"

	"github.com/mmcloughlin/avo/operand"
	"github.com/mmcloughlin/avo/reg"
)

// Registers of the epilogue; the row pointers are no longer needed.
var (
	epArg   = reg.RAX
	epC     = reg.RBX
	epOuts  = reg.RCX
	epN     = reg.RDX
	epOff   = reg.RSI
	epFlags = reg.RDI
	epBias  = reg.R8
	epCols  = reg.R9
	epTmp   = reg.R10
	epMask  = reg.R11
)

// epilogue turns the sums into results and stores them.
func (k *tile) epilogue() {
	k.Load(k.Param("t"), epArg)
	k.MOVQ(mem(epArg, tileC), epC)
	k.MOVQ(k.outsp, epOuts)
	k.MOVQ(k.nrem, epN)
	k.MOVL(mem(epArg, tileFlags), epFlags.As32())
	k.MOVQ(mem(epArg, tileBias), epBias)
	k.MOVQ(mem(epArg, tileCols), epCols)
	k.masks()

	k.TESTL(operand.U32(flagAccumulate), epFlags.As32())
	k.JE(operand.LabelRef("bias"))
	k.eachRow("bias", func(r int) {
		for v, acc := range k.acc[r] {
			k.loadC(v, k.t[0])
			k.VADDPS(k.t[0], acc, acc)
		}
	})

	k.Label("bias")
	k.TESTQ(epBias, epBias)
	k.JE(operand.LabelRef("act"))
	k.loadBias()
	for _, row := range k.acc {
		for v, acc := range row {
			k.VADDPS(k.b[v], acc, acc)
		}
	}

	k.Label("act")
	k.TESTL(operand.U32(flagLeaky), epFlags.As32())
	k.JE(operand.LabelRef("store"))
	k.leaky()

	k.Label("store")
	k.eachRow("done", func(r int) {
		for v, acc := range k.acc[r] {
			k.storeC(v, acc)
		}
	})
	k.Label("done")
}

// eachRow runs f for every row there is, with epOff the index of its output, and
// jumps to the label after where there are no more.
func (k *tile) eachRow(after string, f func(r int)) {
	for r := range k.acc {
		if r > 0 {
			k.CMPQ(epN, operand.I8(int8(r)))
			k.JLE(operand.LabelRef(after))
		}
		k.MOVLQSX(mem(epOuts, 4*r), epOff)
		f(r)
	}
}

func (k *tile) out(v int) operand.Mem {
	m := indexed(epC, epOff, 4)
	m.Disp = v * k.bytes()
	return m
}

// masks prepares the masks of the valid columns: K1 and K2, or for AVX2 the
// addresses of windows into the mask table.
func (k *tile) masks() {
	if k.wide() {
		k.MOVQ(operand.I32(-1), epTmp)
		k.BZHIQ(epCols, epTmp, epTmp)
		k.KMOVW(epTmp.As32(), reg.K1)
		k.SHRQ(operand.U8(16), epTmp)
		k.KMOVW(epTmp.As32(), reg.K2)
		return
	}
	k.LEAQ(k.file.masks, epMask)
	// Window v starts min(max(cols-8v, 0), 8) entries before the table's middle.
	for v := range k.vecs {
		n := k.maskReg(v)
		k.MOVQ(epCols, n)
		if v > 0 {
			k.XORQ(epTmp, epTmp)
			k.SUBQ(operand.I8(int8(8*v)), n)
			k.CMOVQLT(epTmp, n)
		}
		k.MOVQ(operand.I32(8), epTmp)
		k.CMPQ(n, operand.I8(8))
		k.CMOVQGT(epTmp, n)
		k.NEGQ(n)
		k.LEAQ(indexed(epMask, n, 4), n)
	}
}

func (k *tile) maskReg(v int) reg.GPPhysical { return []reg.GPPhysical{reg.R12, reg.R13}[v] }

func (k *tile) mask(v int) reg.OpmaskPhysical { return []reg.OpmaskPhysical{reg.K1, reg.K2}[v] }

// window is the mask of register v in the table, whose middle is 32 bytes in.
func (k *tile) window(v int) operand.Mem { return mem(k.maskReg(v), 32) }

func (k *tile) loadC(v int, to reg.VecPhysical) {
	if k.wide() {
		k.VMOVUPS_Z(k.out(v), k.mask(v), to)
		return
	}
	m := k.t[1]
	k.VMOVUPS(k.window(v), m)
	k.VMASKMOVPS(k.out(v), m, to)
}

func (k *tile) storeC(v int, from reg.VecPhysical) {
	if k.wide() {
		k.VMOVUPS(from, k.mask(v), k.out(v))
		return
	}
	// Masked stores are slow on some processors; whole registers avoid them.
	part, done := fmt.Sprintf("part%d_%d", from.ID(), v), fmt.Sprintf("whole%d_%d", from.ID(), v)
	k.CMPQ(epCols, operand.I8(int8(8*(v+1))))
	k.JLT(operand.LabelRef(part))
	k.VMOVUPS(from, k.out(v))
	k.JMP(operand.LabelRef(done))
	k.Label(part)
	k.VMOVUPS(k.window(v), k.t[1])
	k.VMASKMOVPS(from, k.t[1], k.out(v))
	k.Label(done)
}

func (k *tile) loadBias() {
	for v, b := range k.b {
		if k.wide() {
			k.VMOVUPS_Z(mem(epBias, v*k.bytes()), k.mask(v), b)
			continue
		}
		k.VMOVUPS(k.window(v), k.t[1])
		k.VMASKMOVPS(mem(epBias, v*k.bytes()), k.t[1], b)
	}
}

// leaky multiplies what is below zero by the slope. NaN stays NaN.
func (k *tile) leaky() {
	slope, tmp := k.b[0], k.t[0]
	k.VBROADCASTSS(mem(epArg, tileSlope), slope)
	if k.wide() {
		k.zero(k.file, tmp)
	}
	for _, row := range k.acc {
		for _, acc := range row {
			if k.wide() {
				k.VCMPPS(operand.U8(17), tmp, acc, reg.K3) // acc < 0, quietly
				k.VMULPS(slope, acc, reg.K3, acc)
				continue
			}
			k.VMULPS(slope, acc, tmp)
			k.VBLENDVPS(acc, tmp, acc, acc) // where the sign bit of acc is set
		}
	}
}
