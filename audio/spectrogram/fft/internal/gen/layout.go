package main

// The kernels that move between strided lanes in memory and rows of lanes.

// lanesAt is where the layout kernels keep their lane pointers.
var lanesAt = lanePointers{base: "SI", base8: "BX", stride: "DX", s3: "R8", s5: "R9", s7: "R10"}

// loadKernel gathers lanes into rows: sample i of lane l, times window[i], becomes element l of row i; the pair of rows
// 2j, 2j+1 goes to byte offset order[j].
func (e *emitter) loadKernel() {
	e.text("load", "load transposes windowed lanes into rows, pairs of rows in the given order.",
		"dst, src *float32, stride int, window *float32, order *uint32, tiles int", 48)
	e.arg("dst", 0, "DI")
	e.arg("src", 8, "SI")
	e.arg("stride", 16, "DX")
	e.arg("window", 24, "R11")
	e.arg("order", 32, "R12")
	e.arg("tiles", 40, "CX")
	e.prepare(lanesAt)
	loop := e.label()
	e.at(loop)
	rows, free := e.tile()
	w := free + 1
	e.load("(R11)", w)
	for l, r := range rows {
		e.op("VMULPS", lanesAt.lane(l), e.v(w), e.v(r))
	}
	out := e.transpose(rows, free)
	for j := 0; j < e.lanes; j += 2 {
		e.op("MOVL", mem(2*j, "R12", "", 1), "AX")
		e.store(out[j], mem(0, "DI", "AX", 1))
		e.store(out[j+1], mem(e.bytes(), "DI", "AX", 1))
	}
	step := imm(e.bytes())
	e.op("ADDQ", step, "R11")
	e.op("ADDQ", imm(2*e.lanes), "R12")
	e.move(lanesAt, step)
	e.op("DECQ", "CX")
	e.op("JNZ", loop)
	e.ret()
}

// storeKernel scatters rows to strided lanes.
func (e *emitter) storeKernel() {
	e.text("store", "store transposes rows into strided lanes.", "dst, src *float32, stride, tiles int", 32)
	e.arg("dst", 0, "SI")
	e.arg("src", 8, "DI")
	e.arg("stride", 16, "DX")
	e.arg("tiles", 24, "CX")
	e.prepare(lanesAt)
	loop := e.label()
	e.at(loop)
	rows, free := e.tile()
	for i, r := range rows {
		e.load(mem(i*e.bytes(), "DI", "", 1), r)
	}
	for l, r := range e.transpose(rows, free) {
		e.store(r, lanesAt.lane(l))
	}
	e.op("ADDQ", imm(e.lanes*e.bytes()), "DI")
	e.move(lanesAt, imm(e.bytes()))
	e.op("DECQ", "CX")
	e.op("JNZ", loop)
	e.ret()
}

// overlapKernel adds windowed rows to strided lanes that may overlap: one lane after the other. Rows come in pairs
// (imaginary, real), as an inverse transform by a forward one leaves them.
func (e *emitter) overlapKernel() {
	e.text("overlap", "overlap adds windowed rows, the two of each pair swapped, to strided lanes.",
		"dst, src *float32, stride int, window *float32, tiles int", 40)
	e.arg("dst", 0, "SI")
	e.arg("src", 8, "DI")
	e.arg("stride", 16, "DX")
	e.arg("window", 24, "R11")
	e.arg("tiles", 32, "CX")
	e.prepare(lanesAt)
	loop := e.label()
	e.at(loop)
	rows, free := e.tile()
	for i, r := range rows {
		e.load(mem((i^1)*e.bytes(), "DI", "", 1), r)
	}
	out := e.transpose(rows, free)
	w, sum := free+1, free+2
	e.load("(R11)", w)
	for l, r := range out {
		e.load(lanesAt.lane(l), sum)
		e.fma(r, w, sum)
		e.store(sum, lanesAt.lane(l))
	}
	e.op("ADDQ", imm(e.lanes*e.bytes()), "DI")
	e.op("ADDQ", imm(e.bytes()), "R11")
	e.move(lanesAt, imm(e.bytes()))
	e.op("DECQ", "CX")
	e.op("JNZ", loop)
	e.ret()
}
