package main

// lanePointers are the addresses of the lanes of a strided array: lane i is at base + i*stride. They need DI-like
// registers: base, base8 (base + 8*stride), stride, and its multiples 3, 5 and 7.
type lanePointers struct{ base, base8, stride, s3, s5, s7 string }

// prepare computes the derived registers from base and stride (bytes).
func (e *emitter) prepare(p lanePointers) {
	e.op("LEAQ", mem(0, p.stride, p.stride, 2), p.s3)
	e.op("LEAQ", mem(0, p.stride, p.stride, 4), p.s5)
	e.op("LEAQ", mem(0, p.s3, p.stride, 4), p.s7)
	e.op("LEAQ", mem(0, p.base, p.stride, 8), p.base8)
}

// lane is the address of the current tile of lane i.
func (p lanePointers) lane(i int) string {
	base := p.base
	if i >= 8 {
		base = p.base8
	}
	switch i % 8 {
	case 0:
		return mem(0, base, "", 1)
	case 1:
		return mem(0, base, p.stride, 1)
	case 2:
		return mem(0, base, p.stride, 2)
	case 3:
		return mem(0, base, p.s3, 1)
	case 4:
		return mem(0, base, p.stride, 4)
	case 5:
		return mem(0, base, p.s5, 1)
	case 6:
		return mem(0, base, p.s3, 2)
	}
	return mem(0, base, p.s7, 1)
}

// move advances the lane pointers by a register's worth of bytes.
func (e *emitter) move(p lanePointers, by string) {
	e.op("ADDQ", by, p.base)
	if e.lanes > 8 {
		e.op("ADDQ", by, p.base8)
	}
}

// A pairing is two shuffles of one pair of registers, with their immediates ("" for none).
type pairing struct{ low, lowImm, high, highImm string }

var (
	words    = pairing{"VUNPCKLPS", "", "VUNPCKHPS", ""}
	doubles  = pairing{"VUNPCKLPD", "", "VUNPCKHPD", ""}
	halves   = pairing{"VPERM2F128", "$0x20", "VPERM2F128", "$0x31"}
	quarters = pairing{"VSHUFF32X4", "$0x88", "VSHUFF32X4", "$0xdd"} // quarters 0 and 2 of both, 1 and 3 of both
)

// shuffle applies p to registers a and b, by way of a free register, and returns the two results and the register that
// is free then.
func (e *emitter) shuffle(p pairing, a, b, free int) (low, high, nowFree int) {
	emit := func(op, imm string, dst int) {
		if imm == "" {
			e.op(op, e.v(b), e.v(a), e.v(dst))
			return
		}
		e.op(op, imm, e.v(b), e.v(a), e.v(dst))
	}
	emit(p.low, p.lowImm, free)
	emit(p.high, p.highImm, b)
	return free, b, a
}

// transpose turns the registers r[0..lanes), each one row of a square tile, into its columns and returns their order.
// free is a register that may be overwritten.
func (e *emitter) transpose(r []int, free int) []int {
	pair := func(p pairing, a, b int) (low, high int) {
		low, high, free = e.shuffle(p, a, b, free)
		return low, high
	}
	n := e.lanes
	// Within each group of four rows: quarter j of register 4g+c becomes rows 4g..4g+3 of column 4j+c.
	for g := 0; g < n; g += 4 {
		a0, a1 := pair(words, r[g], r[g+1])
		b0, b1 := pair(words, r[g+2], r[g+3])
		r[g], r[g+1] = pair(doubles, a0, b0)
		r[g+2], r[g+3] = pair(doubles, a1, b1)
	}
	out := make([]int, n)
	for c := range 4 {
		if n == 8 {
			out[c], out[c+4] = pair(halves, r[c], r[c+4])
			continue
		}
		even0, odd0 := pair(quarters, r[c], r[c+4])
		even1, odd1 := pair(quarters, r[c+8], r[c+12])
		out[c], out[c+8] = pair(quarters, even0, even1)
		out[c+4], out[c+12] = pair(quarters, odd0, odd1)
	}
	return out
}

// tile names the registers of a square tile and one more that is free.
func (e *emitter) tile() (rows []int, free int) {
	rows = make([]int, e.lanes)
	for i := range rows {
		rows[i] = i
	}
	return rows, e.lanes
}
