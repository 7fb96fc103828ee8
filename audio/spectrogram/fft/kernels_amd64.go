package fft

import (
	"slices"

	"wavemill/internal/cpu"
)

//go:generate go run ./internal/gen

// The kernels of kernels_amd64.s; internal/gen documents them.

//go:noescape
func loadAVX512(dst, src *float32, stride int, window *float32, order *uint32, tiles int)

//go:noescape
func storeAVX512(dst, src *float32, stride, tiles int)

//go:noescape
func overlapAVX512(dst, src *float32, stride int, window *float32, tiles int)

//go:noescape
func first2AVX512(z *float32, blocks int)

//go:noescape
func first4AVX512(z *float32, blocks int)

//go:noescape
func first8AVX512(z *float32, blocks int, root *float32)

//go:noescape
func pass4AVX512(z *float32, span, blocks int, twiddles *float32)

//go:noescape
func unpackAVX512(z *float32, half int, twiddles *float32)

//go:noescape
func repackAVX512(dst, src *float32, half int, twiddles *float32, order *uint32)

//go:noescape
func powerAVX512(dst, src *float32, values int)

//go:noescape
func magnitudeAVX512(dst, src *float32, values int)

//go:noescape
func weighAVX512(dst, src, weights *float32, bands *uint32, count int)

//go:noescape
func levelAVX512(dst, src *float32, rows int, table *float32)

//go:noescape
func projectAVX512(s, previous, magnitude *float32, values int, momentum, tiny *float32)

//go:noescape
func loadAVX2(dst, src *float32, stride int, window *float32, order *uint32, tiles int)

//go:noescape
func storeAVX2(dst, src *float32, stride, tiles int)

//go:noescape
func overlapAVX2(dst, src *float32, stride int, window *float32, tiles int)

//go:noescape
func first2AVX2(z *float32, blocks int)

//go:noescape
func first4AVX2(z *float32, blocks int)

//go:noescape
func pass4AVX2(z *float32, span, blocks int, twiddles *float32)

//go:noescape
func unpackAVX2(z *float32, half int, twiddles *float32)

//go:noescape
func repackAVX2(dst, src *float32, half int, twiddles *float32, order *uint32)

//go:noescape
func powerAVX2(dst, src *float32, values int)

//go:noescape
func magnitudeAVX2(dst, src *float32, values int)

//go:noescape
func weighAVX2(dst, src, weights *float32, bands *uint32, count int)

//go:noescape
func levelAVX2(dst, src *float32, rows int, table *float32)

//go:noescape
func projectAVX2(s, previous, magnitude *float32, values int, momentum, tiny *float32)

// entry points of one instruction set, as the assembler sees them.
type entries struct {
	load      func(dst, src *float32, stride int, window *float32, order *uint32, tiles int)
	store     func(dst, src *float32, stride, tiles int)
	overlap   func(dst, src *float32, stride int, window *float32, tiles int)
	first2    func(z *float32, blocks int)
	first4    func(z *float32, blocks int)
	pass4     func(z *float32, span, blocks int, twiddles *float32)
	unpack    func(z *float32, half int, twiddles *float32)
	repack    func(dst, src *float32, half int, twiddles *float32, order *uint32)
	power     func(dst, src *float32, values int)
	magnitude func(dst, src *float32, values int)
	weigh     func(dst, src, weights *float32, bands *uint32, count int)
	project   func(s, previous, magnitude *float32, values int, momentum, tiny *float32)
	level     func(dst, src *float32, rows int, table *float32)
}

// available lists the kernels that this machine can run, fastest first.
func available() []kernels {
	var all []kernels
	have := cpu.Supported()
	if slices.Contains(have, cpu.AVX512) {
		k := wrap("avx512", 16, entries{
			loadAVX512, storeAVX512, overlapAVX512, first2AVX512, first4AVX512, pass4AVX512, unpackAVX512, repackAVX512,
			powerAVX512, magnitudeAVX512, weighAVX512, projectAVX512, levelAVX512,
		})
		small := k.firstPass
		k.first = func(bits int) int {
			if bits%2 == 1 && bits >= 3 {
				return 8
			}
			return firstOf(bits)
		}
		k.firstPass = func(z []float32, radix, blocks int) {
			if radix == 8 {
				first8AVX512(&z[:blocks*8*2*16][0], blocks, &root[0])
				return
			}
			small(z, radix, blocks)
		}
		all = append(all, k)
	}
	if slices.Contains(have, cpu.AVX2) {
		all = append(all, wrap("avx2", 8, entries{
			loadAVX2, storeAVX2, overlapAVX2, first2AVX2, first4AVX2, pass4AVX2, unpackAVX2, repackAVX2,
			powerAVX2, magnitudeAVX2, weighAVX2, projectAVX2, levelAVX2,
		}))
	}
	return append(all, portable)
}

// root is the constant of the radix-8 butterfly.
var root = [1]float32{0.70710678118654752440}

// wrap puts checks of length around entry points. Counts of rows that do not fill whole tiles are covered by a last
// tile that overlaps the one before; fewer rows than one tile are left to the portable loops' shape.
func wrap(class string, lanes int, e entries) kernels {
	return kernels{
		class: class, lanes: lanes,
		load: func(dst, src []float32, stride int, window []float32, order []uint32, n int) {
			_, _, _, _ = src[(lanes-1)*stride+n-1], window[n-1], order[n/2-1], dst[n*lanes-1]
			e.load(&dst[0], &src[0], 4*stride, &window[0], &order[0], n/lanes)
			if rest := n % lanes; rest != 0 {
				at := n - lanes
				e.load(&dst[0], &src[at], 4*stride, &window[at], &order[at/2], 1)
			}
		},
		store: func(dst, src []float32, stride, n int) {
			if n < lanes {
				storeFew(dst, src, stride, n, lanes)
				return
			}
			_, _ = dst[(lanes-1)*stride+n-1], src[n*lanes-1]
			e.store(&dst[0], &src[0], 4*stride, n/lanes)
			if rest := n % lanes; rest != 0 {
				at := n - lanes
				e.store(&dst[at], &src[at*lanes], 4*stride, 1)
			}
		},
		overlap: func(dst, src []float32, stride int, window []float32, n int) {
			_, _, _ = dst[(lanes-1)*stride+n-1], src[n*lanes-1], window[n-1]
			e.overlap(&dst[0], &src[0], 4*stride, &window[0], n/lanes)
		},
		first: firstOf,
		firstPass: func(z []float32, radix, blocks int) {
			z = z[:blocks*radix*2*lanes]
			if radix == 2 {
				e.first2(&z[0], blocks)
				return
			}
			e.first4(&z[0], blocks)
		},
		pass4: func(z []float32, span, blocks int, twiddles []float32) {
			_, _ = z[blocks*span*8*lanes-1], twiddles[6*span-1]
			e.pass4(&z[0], span, blocks, &twiddles[0])
		},
		unpack: func(z []float32, half int, twiddles []float32) {
			_, _ = z[(half+1)*2*lanes-1], twiddles[half-1]
			e.unpack(&z[0], half, &twiddles[0])
		},
		repack: func(dst, src []float32, half int, twiddles []float32, order []uint32) {
			_, _, _, _ = dst[half*2*lanes-1], src[(half+1)*2*lanes-1], twiddles[half-1], order[half-1]
			e.repack(&dst[0], &src[0], half, &twiddles[0], &order[0])
		},
		power: func(dst, src []float32, values int) {
			_, _ = dst[values*lanes-1], src[values*2*lanes-1]
			e.power(&dst[0], &src[0], values)
		},
		magnitude: func(dst, src []float32, values int) {
			_, _ = dst[values*lanes-1], src[values*2*lanes-1]
			e.magnitude(&dst[0], &src[0], values)
		},
		weigh: func(dst, src, weights []float32, bands []uint32) {
			_ = dst[len(bands)/2*lanes-1]
			e.weigh(&dst[0], &src[0], &weights[0], &bands[0], len(bands)/2)
		},
		project: func(s, previous, magnitude []float32, values int, factors []float32) {
			_, _, _, _ = factors[1], s[values*2*lanes-1], previous[values*2*lanes-1], magnitude[values*lanes-1]
			e.project(&s[0], &previous[0], &magnitude[0], values, &factors[0], &factors[1])
		},
		level: func(dst, src []float32, rows int, table []float32) {
			_, _, _ = dst[rows*lanes-1], src[rows*lanes-1], table[levelRow*levelConstants-1]
			e.level(&dst[0], &src[0], rows, &table[0])
		},
	}
}

// storeFew is store for fewer rows than a tile has.
func storeFew(dst, src []float32, stride, n, lanes int) {
	for i := range n {
		for l, v := range src[i*lanes : (i+1)*lanes] {
			dst[l*stride+i] = v
		}
	}
}
