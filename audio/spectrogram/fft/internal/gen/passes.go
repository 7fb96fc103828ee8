package main

import "fmt"

// imm writes an immediate operand.
func imm(v int) string { return fmt.Sprintf("$%d", v) }

// A value is a complex number in two registers.
type value struct{ re, im int }

// radix4 emits the butterfly of a forward transform of four values in place, with two free registers, and returns the
// outputs in order:
//
//	b0 = a0+a2, b1 = a0-a2, b2 = a1+a3, b3 = a1-a3; X0 = b0+b2, X1 = b1-i*b3, X2 = b0-b2, X3 = b1+i*b3.
func (e *emitter) radix4(a [4]value, f0, f1 int) [4]value {
	// sumDiff returns x+y and x-y and the register that is free then.
	sumDiff := func(x, y, free int) (sum, diff, nowFree int) {
		e.add(x, y, free)
		e.sub(x, y, y)
		return free, y, x
	}
	var b [4]value
	b[0].re, b[1].re, f0 = sumDiff(a[0].re, a[2].re, f0)
	b[0].im, b[1].im, f1 = sumDiff(a[0].im, a[2].im, f1)
	b[2].re, b[3].re, f0 = sumDiff(a[1].re, a[3].re, f0)
	b[2].im, b[3].im, f1 = sumDiff(a[1].im, a[3].im, f1)
	var x [4]value
	x[0].re, x[2].re, f0 = sumDiff(b[0].re, b[2].re, f0)
	x[0].im, x[2].im, f1 = sumDiff(b[0].im, b[2].im, f1)
	x[1].re, x[3].re, f0 = sumDiff(b[1].re, b[3].im, f0) // X1.re = b1.re + b3.im
	x[3].im, x[1].im, _ = sumDiff(b[1].im, b[3].re, f1)  // X1.im = b1.im - b3.re
	_ = f0
	return x
}

// rows loads or stores the four values of a butterfly at base + i*stride, stride's triple in s3.
func (e *emitter) quad(base, stride, s3 string) [4]string {
	return [4]string{mem(0, base, "", 1), mem(0, base, stride, 1), mem(0, base, stride, 2), mem(0, base, s3, 1)}
}

// withDisp adds a displacement to an address made by mem without one.
func withDisp(disp int, addr string) string { return fmt.Sprintf("%d%s", disp, addr) }

// first4Kernel is the first pass, of radix 4 and without twiddles, over blocks of four consecutive values.
func (e *emitter) first4Kernel() {
	e.text("first4", "first4 does the transforms of four consecutive values.", "z *float32, blocks int", 16)
	e.arg("z", 0, "DI")
	e.arg("blocks", 8, "CX")
	loop := e.label()
	e.at(loop)
	var a [4]value
	for i := range a {
		a[i] = value{2 * i, 2*i + 1}
		e.load(mem(2*i*e.bytes(), "DI", "", 1), a[i].re)
		e.load(mem((2*i+1)*e.bytes(), "DI", "", 1), a[i].im)
	}
	for i, x := range e.radix4(a, 8, 9) {
		e.store(x.re, mem(2*i*e.bytes(), "DI", "", 1))
		e.store(x.im, mem((2*i+1)*e.bytes(), "DI", "", 1))
	}
	e.op("ADDQ", imm(8*e.bytes()), "DI")
	e.op("DECQ", "CX")
	e.op("JNZ", loop)
	e.ret()
}

// first2Kernel is the first pass of radix 2, two blocks of two consecutive values at a time.
func (e *emitter) first2Kernel() {
	e.text("first2", "first2 does the transforms of two consecutive values.", "z *float32, blocks int", 16)
	e.arg("z", 0, "DI")
	e.arg("blocks", 8, "CX")
	loop := e.label()
	e.at(loop)
	for i := range 4 {
		e.load(mem(i*e.bytes(), "DI", "", 1), i)
	}
	e.add(0, 2, 4)
	e.add(1, 3, 5)
	e.sub(0, 2, 2)
	e.sub(1, 3, 3)
	for i, r := range []int{4, 5, 2, 3} {
		e.store(r, mem(i*e.bytes(), "DI", "", 1))
	}
	e.op("ADDQ", imm(4*e.bytes()), "DI")
	e.op("DECQ", "CX")
	e.op("JNZ", loop)
	e.ret()
}

// first8Kernel is the first pass of radix 8; it needs 32 registers.
func (e *emitter) first8Kernel() {
	e.text("first8", "first8 does the transforms of eight consecutive values.", "z *float32, blocks int, root *float32", 24)
	e.arg("z", 0, "DI")
	e.arg("blocks", 8, "CX")
	e.arg("root", 16, "SI")
	const root = 31 // 1/sqrt(2)
	e.bcast("(SI)", root)
	loop := e.label()
	e.at(loop)
	var even, odd [4]value
	for i := range 4 {
		even[i], odd[i] = value{4 * i, 4*i + 1}, value{4*i + 2, 4*i + 3}
		for j, r := range []int{even[i].re, even[i].im, odd[i].re, odd[i].im} {
			e.load(mem((4*i+j)*e.bytes(), "DI", "", 1), r)
		}
	}
	even = e.radix4(even, 16, 17)
	odd = e.radix4(odd, 18, 19)
	out := func(k int, re, im int) {
		e.store(re, mem(2*k*e.bytes(), "DI", "", 1))
		e.store(im, mem((2*k+1)*e.bytes(), "DI", "", 1))
	}
	// w = W8^k * odd[k]; X[k] = even[k] + w, X[k+4] = even[k] - w.
	const wr, wi, t0, t1 = 20, 21, 22, 23
	for k := range 4 {
		o, sumRe, sumIm := odd[k], wr, wi
		switch k {
		case 0:
			sumRe, sumIm = o.re, o.im
		case 1: // ((re+im), (im-re)) / sqrt 2
			e.add(o.re, o.im, wr)
			e.sub(o.im, o.re, wi)
			e.mul(wr, root, wr)
			e.mul(wi, root, wi)
		case 2: // (im, -re): the difference takes the sum's place for the imaginary part
			e.add(even[k].re, o.im, t0)
			e.sub(even[k].im, o.re, t1)
			out(k, t0, t1)
			e.sub(even[k].re, o.im, t0)
			e.add(even[k].im, o.re, t1)
			out(k+4, t0, t1)
			continue
		case 3: // ((im-re), -(re+im)) / sqrt 2: wi holds the sum, with its sign still to turn
			e.sub(o.im, o.re, wr)
			e.add(o.re, o.im, wi)
			e.mul(wr, root, wr)
			e.mul(wi, root, wi)
			e.add(even[k].re, wr, t0)
			e.sub(even[k].im, wi, t1)
			out(k, t0, t1)
			e.sub(even[k].re, wr, t0)
			e.add(even[k].im, wi, t1)
			out(k+4, t0, t1)
			continue
		}
		e.add(even[k].re, sumRe, t0)
		e.add(even[k].im, sumIm, t1)
		out(k, t0, t1)
		e.sub(even[k].re, sumRe, t0)
		e.sub(even[k].im, sumIm, t1)
		out(k+4, t0, t1)
	}
	e.op("ADDQ", imm(16*e.bytes()), "DI")
	e.op("DECQ", "CX")
	e.op("JNZ", loop)
	e.ret()
}

// pass4Kernel is a later pass of radix 4: blocks of 4*span values; value j+i*span of a block is multiplied by twiddle i
// of j (i = 1..3) before the butterfly.
func (e *emitter) pass4Kernel() {
	e.text("pass4", "pass4 joins four transforms of span values each into one, for every block.",
		"z *float32, span, blocks int, twiddles *float32", 32)
	e.arg("z", 0, "DI")
	e.arg("span", 8, "DX")
	e.arg("blocks", 16, "CX")
	e.arg("twiddles", 24, "R11")
	e.op("MOVQ", "DX", "R8")
	e.op("IMULQ", imm(2*e.bytes()), "DX")     // bytes of one span
	e.op("LEAQ", mem(0, "DX", "DX", 2), "R9") // three spans
	block, loop := e.label(), e.label()
	e.at(block)
	e.op("MOVQ", "R11", "SI")
	e.op("MOVQ", "R8", "R10")
	e.at(loop)
	addr := e.quad("DI", "DX", "R9")
	// Values 0..3 in registers 0..7; 8.. are free.
	var a [4]value
	a[0] = value{0, 1}
	e.load(withDisp(0, addr[0]), 0)
	e.load(withDisp(e.bytes(), addr[0]), 1)
	const wr, wi, xr, xi = 8, 9, 10, 11
	for i := 1; i < 4; i++ {
		a[i] = value{2 * i, 2*i + 1}
		e.bcast(mem(8*(i-1), "SI", "", 1), wr)
		e.bcast(mem(8*(i-1)+4, "SI", "", 1), wi)
		e.load(withDisp(0, addr[i]), xr)
		e.load(withDisp(e.bytes(), addr[i]), xi)
		e.mul(xr, wr, a[i].re)
		e.mul(xi, wr, a[i].im)
		e.fnma(xi, wi, a[i].re)
		e.fma(xr, wi, a[i].im)
	}
	for i, x := range e.radix4(a, 8, 9) {
		e.store(x.re, withDisp(0, addr[i]))
		e.store(x.im, withDisp(e.bytes(), addr[i]))
	}
	e.op("ADDQ", imm(2*e.bytes()), "DI")
	e.op("ADDQ", "$24", "SI")
	e.op("DECQ", "R10")
	e.op("JNZ", loop)
	e.op("ADDQ", "R9", "DI")
	e.op("DECQ", "CX")
	e.op("JNZ", block)
	e.ret()
}
