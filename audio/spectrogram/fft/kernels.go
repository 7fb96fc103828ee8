package fft

import "wavemill/internal/cpu"

// kernels are the inner loops of a Batch for one instruction set. Rows hold one float32 of each lane; a value is two
// rows, real and imaginary. None of them checks its arguments: Batch does.
type kernels struct {
	class string
	lanes int

	// load transposes windowed lanes into rows, pair j of rows to element order[j]/4 of dst; n samples per lane.
	load func(dst, src []float32, stride int, window []float32, order []uint32, n int)
	// store transposes n rows into lanes.
	store func(dst, src []float32, stride, n int)
	// overlap adds n windowed rows, those of each pair swapped, to lanes, one lane after the other.
	overlap func(dst, src []float32, stride int, window []float32, n int)

	// first is the radix of the pass that has no twiddles, for a transform of 2^bits values; firstPass does it.
	first     func(bits int) int
	firstPass func(z []float32, radix, blocks int)
	pass4     func(z []float32, span, blocks int, twiddles []float32)

	unpack func(z []float32, half int, twiddles []float32)
	repack func(dst, src []float32, half int, twiddles []float32, order []uint32)

	power     func(dst, src []float32, values int)
	magnitude func(dst, src []float32, values int)
	weigh     func(dst, src, weights []float32, bands []uint32)
	// project's factors are the momentum and what is added to absolute values, tiny.
	project func(s, previous, magnitude []float32, values int, factors []float32)
	// level maps rows*lanes values by a table of Levels.
	level func(dst, src []float32, rows int, table []float32)
}

// tiny keeps the projection of a zero from dividing by zero: far below any magnitude that matters.
const tiny = 1e-16

// current returns the kernels of the process's class.
func current() kernels {
	all := available()
	for _, k := range all {
		if k.class == cpu.Current().String() {
			return k
		}
	}
	return all[len(all)-1] // available lists every class of package cpu; the portable one is last.
}

// Class names the kernels in use: "avx512", "avx2" or "go" (see package internal/cpu). Results are the same bytes on
// machines of one class.
func Class() string { return cpu.Current().String() }

// firstOf is the usual choice of the first radix where there is no radix 8.
func firstOf(bits int) int {
	if bits%2 == 1 {
		return 2
	}
	return 4
}
