package main

// The kernels between the half-length complex transform and the spectrum of real samples, and those on spectra.

// unpackKernel turns the transform Z of z[j] = (x[2j] + i*x[2j+1])/2, half = n/2 values, into the half+1 values X of
// the transform of x, in place. With E = Z[k] + conj Z[half-k], D = Z[k] - conj Z[half-k], W = exp(-2*pi*i*k/n):
//
//	X[k] = E - i*W*D, X[half-k] = conj(E + i*W*D).
func (e *emitter) unpackKernel() {
	e.text("unpack", "unpack makes the spectrum of n real samples from the transform of n/2 complex ones.",
		"z *float32, half int, twiddles *float32", 24)
	e.arg("z", 0, "DI")
	e.arg("half", 8, "CX")
	e.arg("twiddles", 16, "R11")
	b := e.bytes()
	e.op("MOVQ", "CX", "AX")
	e.op("IMULQ", imm(2*b), "AX")
	e.op("LEAQ", mem(0, "DI", "AX", 1), "SI") // row half
	e.load("(DI)", 0)
	e.load(mem(b, "DI", "", 1), 1)
	e.add(0, 1, 2)
	e.sub(0, 1, 3)
	e.add(2, 2, 2)
	e.add(3, 3, 3)
	e.zero(4)
	e.store(2, "(DI)")
	e.store(4, mem(b, "DI", "", 1))
	e.store(3, "(SI)")
	e.store(4, mem(b, "SI", "", 1))
	e.op("SHRQ", "$1", "CX")
	loop := e.label()
	e.at(loop)
	e.op("ADDQ", imm(2*b), "DI")
	e.op("SUBQ", imm(2*b), "SI")
	const ar, ai, br, bi, er, ei, dr, di, c, s, t, u = 0, 1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11
	e.load("(DI)", ar)
	e.load(mem(b, "DI", "", 1), ai)
	e.load("(SI)", br)
	e.load(mem(b, "SI", "", 1), bi)
	e.bcast("(R11)", c)
	e.bcast(mem(4, "R11", "", 1), s)
	e.add(ar, br, er)
	e.sub(ai, bi, ei)
	e.sub(ar, br, dr)
	e.add(ai, bi, di)
	// -i*W*D = (c*di - s*dr) - i*(c*dr + s*di), W = c - i*s; u is the negated imaginary part.
	e.mul(c, di, t)
	e.mul(c, dr, u)
	e.fnma(s, dr, t)
	e.fma(s, di, u)
	e.add(er, t, ar)
	e.sub(ei, u, ai)
	e.sub(er, t, br)
	e.add(ei, u, bi)
	e.zero(t)
	e.sub(t, bi, bi)
	e.store(ar, "(DI)")
	e.store(ai, mem(b, "DI", "", 1))
	e.store(br, "(SI)")
	e.store(bi, mem(b, "SI", "", 1))
	e.op("ADDQ", "$8", "R11")
	e.op("DECQ", "CX")
	e.op("JNZ", loop)
	e.ret()
}

// repackKernel undoes unpack, but for the scale: from X it makes Z, twice as large, with real and imaginary rows swapped
// (so that a forward transform does the inverse one) and value k at byte offset order[k].
func (e *emitter) repackKernel() {
	e.text("repack", "repack makes the input of an inverse transform of n/2 complex values from the spectrum of n real samples.",
		"dst, src *float32, half int, twiddles *float32, order *uint32", 40)
	e.arg("dst", 0, "R8")
	e.arg("src", 8, "DI")
	e.arg("half", 16, "CX")
	e.arg("twiddles", 24, "R11")
	e.arg("order", 32, "R12")
	b := e.bytes()
	e.op("LEAQ", mem(0, "R12", "CX", 4), "R13") // order of half-k
	e.op("MOVQ", "CX", "AX")
	e.op("IMULQ", imm(2*b), "AX")
	e.op("LEAQ", mem(0, "DI", "AX", 1), "SI")
	e.load("(DI)", 0)
	e.load("(SI)", 1)
	e.add(0, 1, 2)
	e.sub(0, 1, 3)
	e.op("MOVL", "(R12)", "AX")
	e.store(3, mem(0, "R8", "AX", 1))
	e.store(2, mem(b, "R8", "AX", 1))
	e.op("SHRQ", "$1", "CX")
	loop := e.label()
	e.at(loop)
	e.op("ADDQ", imm(2*b), "DI")
	e.op("SUBQ", imm(2*b), "SI")
	e.op("ADDQ", "$4", "R12")
	e.op("SUBQ", "$4", "R13")
	const ar, ai, br, bi, er, ei, p, q, c, s, or, oi = 0, 1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11
	e.load("(DI)", ar)
	e.load(mem(b, "DI", "", 1), ai)
	e.load("(SI)", br)
	e.load(mem(b, "SI", "", 1), bi)
	e.bcast("(R11)", c)
	e.bcast(mem(4, "R11", "", 1), s)
	e.add(ar, br, er)
	e.sub(ai, bi, ei)
	e.sub(ar, br, p)
	e.add(ai, bi, q)
	// O = (c + i*s)(p + i*q).
	e.mul(c, p, or)
	e.mul(c, q, oi)
	e.fnma(s, q, or)
	e.fma(s, p, oi)
	// Z[k] = E + i*O, Z[half-k] = conj(E - i*O).
	e.sub(er, oi, ar)
	e.add(ei, or, ai)
	e.add(er, oi, br)
	e.sub(or, ei, bi)
	e.op("MOVL", "(R12)", "AX")
	e.store(ai, mem(0, "R8", "AX", 1))
	e.store(ar, mem(b, "R8", "AX", 1))
	e.op("MOVL", "(R13)", "AX")
	e.store(bi, mem(0, "R8", "AX", 1))
	e.store(br, mem(b, "R8", "AX", 1))
	e.op("ADDQ", "$8", "R11")
	e.op("DECQ", "CX")
	e.op("JNZ", loop)
	e.ret()
}

// powerKernel writes squared absolute values, or with root their square roots.
func (e *emitter) powerKernel(name string, root bool) {
	e.text(name, name+" takes each value's absolute value (power: squared).", "dst, src *float32, values int", 24)
	e.arg("dst", 0, "DI")
	e.arg("src", 8, "SI")
	e.arg("values", 16, "CX")
	loop := e.label()
	e.at(loop)
	e.load("(SI)", 0)
	e.load(mem(e.bytes(), "SI", "", 1), 1)
	e.mul(0, 0, 2)
	e.fma(1, 1, 2)
	if root {
		e.op("VSQRTPS", e.v(2), e.v(2))
	}
	e.store(2, "(DI)")
	e.op("ADDQ", imm(2*e.bytes()), "SI")
	e.op("ADDQ", imm(e.bytes()), "DI")
	e.op("DECQ", "CX")
	e.op("JNZ", loop)
	e.ret()
}

// weighKernel applies sparse filters: row m of dst is the sum of count[m] rows of src from byte offset first[m] on,
// weighted.
func (e *emitter) weighKernel() {
	e.text("weigh", "weigh sums runs of rows by weights: bands holds pairs of byte offset and count.",
		"dst, src, weights *float32, bands *uint32, count int", 40)
	e.arg("dst", 0, "DI")
	e.arg("src", 8, "SI")
	e.arg("weights", 16, "R11")
	e.arg("bands", 24, "R12")
	e.arg("count", 32, "CX")
	band, loop, done := e.label(), e.label(), e.label()
	e.at(band)
	e.op("MOVL", "(R12)", "AX")
	e.op("MOVL", "4(R12)", "DX")
	e.op("ADDQ", "$8", "R12")
	e.op("ADDQ", "SI", "AX")
	e.zero(0)
	e.op("TESTQ", "DX", "DX")
	e.op("JZ", done)
	e.at(loop)
	e.bcast("(R11)", 1)
	e.op("VFMADD231PS", "(AX)", e.v(1), e.v(0))
	e.op("ADDQ", "$4", "R11")
	e.op("ADDQ", imm(e.bytes()), "AX")
	e.op("DECQ", "DX")
	e.op("JNZ", loop)
	e.at(done)
	e.store(0, "(DI)")
	e.op("ADDQ", imm(e.bytes()), "DI")
	e.op("DECQ", "CX")
	e.op("JNZ", band)
	e.ret()
}

// projectKernel is the magnitude projection of (fast) Griffin-Lim: with t = s - momentum*previous, previous becomes s
// and s becomes magnitude * t/|t|.
func (e *emitter) projectKernel() {
	e.text("project", "project moves each value by momentum and gives it its magnitude.",
		"s, previous, magnitude *float32, values int, momentum, tiny *float32", 48)
	e.arg("s", 0, "DI")
	e.arg("previous", 8, "SI")
	e.arg("magnitude", 16, "DX")
	e.arg("values", 24, "CX")
	e.arg("momentum", 32, "R8")
	e.arg("tiny", 40, "R9")
	const re, im, pr, pi, m, t, momentum, tiny = 0, 1, 2, 3, 4, 5, 6, 7
	e.bcast("(R8)", momentum)
	e.bcast("(R9)", tiny)
	b := e.bytes()
	loop := e.label()
	e.at(loop)
	e.load("(DI)", re)
	e.load(mem(b, "DI", "", 1), im)
	e.load("(SI)", pr)
	e.load(mem(b, "SI", "", 1), pi)
	e.store(re, "(SI)")
	e.store(im, mem(b, "SI", "", 1))
	e.fnma(momentum, pr, re)
	e.fnma(momentum, pi, im)
	e.mul(re, re, t)
	e.fma(im, im, t)
	e.op("VSQRTPS", e.v(t), e.v(t))
	e.add(t, tiny, t)
	e.load("(DX)", m)
	e.op("VDIVPS", e.v(t), e.v(m), e.v(m))
	e.mul(re, m, re)
	e.mul(im, m, im)
	e.store(re, "(DI)")
	e.store(im, mem(b, "DI", "", 1))
	e.op("ADDQ", imm(2*b), "DI")
	e.op("ADDQ", imm(2*b), "SI")
	e.op("ADDQ", imm(b), "DX")
	e.op("DECQ", "CX")
	e.op("JNZ", loop)
	e.ret()
}

// levelKernel computes min(max(a*ln(x + floor) + b, low), high) by the polynomial of Cephes' logf. Its table holds one
// row per constant, in the order of the Batch's Levels.
func (e *emitter) levelKernel() {
	e.text("level", "level takes logarithms and maps them to a range.", "dst, src *float32, rows int, table *float32", 32)
	e.arg("dst", 0, "DI")
	e.arg("src", 8, "SI")
	e.arg("rows", 16, "CX")
	e.arg("table", 24, "R11")
	const (
		floor, root, mantissa, one, poly, half, ln2Low, ln2High = 0, 1, 2, 3, 4, 13, 14, 15
		scale, offset, low, high                                = 16, 17, 18, 19
	)
	constant := func(i int) string { return mem(64*i, "R11", "", 1) }
	and := "VPAND"
	if e.reg == "Z" {
		and = "VPANDD"
	}
	const x, exp, f, z, y = 0, 1, 2, 3, 4
	loop := e.label()
	e.at(loop)
	e.load("(SI)", x)
	e.op("VADDPS", constant(floor), e.v(x), e.v(x))
	e.op("VPSUBD", constant(root), e.v(x), e.v(x))
	e.op("VPSRAD", "$23", e.v(x), e.v(exp))
	e.op(and, constant(mantissa), e.v(x), e.v(f))
	e.op("VPADDD", constant(root), e.v(f), e.v(f))
	e.op("VSUBPS", constant(one), e.v(f), e.v(f))
	e.op("VCVTDQ2PS", e.v(exp), e.v(exp))
	e.mul(f, f, z)
	e.load(constant(poly), y)
	for i := 1; i < 9; i++ {
		e.op("VFMADD213PS", constant(poly+i), e.v(f), e.v(y))
	}
	e.mul(y, f, y)
	e.mul(y, z, y)
	e.op("VFMADD231PS", constant(ln2Low), e.v(exp), e.v(y))
	e.op("VFNMADD231PS", constant(half), e.v(z), e.v(y))
	e.add(f, y, y)
	e.op("VFMADD231PS", constant(ln2High), e.v(exp), e.v(y))
	e.op("VMULPS", constant(scale), e.v(y), e.v(y))
	e.op("VADDPS", constant(offset), e.v(y), e.v(y))
	e.op("VMAXPS", constant(low), e.v(y), e.v(y))
	e.op("VMINPS", constant(high), e.v(y), e.v(y))
	e.store(y, "(DI)")
	e.op("ADDQ", imm(e.bytes()), "SI")
	e.op("ADDQ", imm(e.bytes()), "DI")
	e.op("DECQ", "CX")
	e.op("JNZ", loop)
	e.ret()
}
