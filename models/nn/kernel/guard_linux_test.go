package kernel

import (
	"fmt"
	"math/rand/v2"
	"testing"
	"unsafe"

	"golang.org/x/sys/unix"
)

// guarded lends slices that end, or begin, exactly at a page that may not be
// touched: a read or write one float too far kills the test.
type guarded struct {
	t     *testing.T
	atEnd bool
	rng   *rand.Rand
}

func (g guarded) floats(n int) []float32 {
	g.t.Helper()
	page := unix.Getpagesize()
	size := (4*n + page - 1) / page * page
	m, err := unix.Mmap(-1, 0, size+2*page, unix.PROT_READ|unix.PROT_WRITE, unix.MAP_PRIVATE|unix.MAP_ANON)
	if err != nil {
		g.t.Fatal(err)
	}
	g.t.Cleanup(func() { _ = unix.Munmap(m) })
	for _, guard := range [][]byte{m[:page], m[page+size:]} {
		if err := unix.Mprotect(guard, unix.PROT_NONE); err != nil {
			g.t.Fatal(err)
		}
	}
	at := page
	if g.atEnd {
		at = page + size - 4*n
	}
	if n == 0 {
		return []float32{}
	}
	v := unsafe.Slice((*float32)(unsafe.Pointer(&m[at])), n)
	copy(v, randoms(g.rng, n))
	return v
}

// TestBounds runs every operation on slices between forbidden pages.
func TestBounds(t *testing.T) {
	shapes := []Conv{
		{N: 1, H: 1, W: 1, C: 1, Co: 1, KH: 1, KW: 1, Stride: 1},
		{N: 2, H: 5, W: 4, C: 1, Co: 32, KH: 4, KW: 4, Stride: 2, Pad: 1},
		{N: 3, H: 6, W: 6, C: 17, Co: 3, KH: 3, KW: 3, Stride: 1, Pad: 1},
		{N: 3, H: 6, W: 6, C: 3, Co: 33, KH: 4, KW: 4, Stride: 2, Pad: 1},
		{N: 7, H: 4, W: 4, C: 32, Co: 64, KH: 4, KW: 4, Stride: 2, Pad: 1},
		{N: 2, H: 8, W: 8, C: 1, Co: 20, KH: 7, KW: 7, Stride: 1, Pad: 3},
		{N: 2, H: 3, W: 4, C: 100, Co: 41, KH: 3, KW: 3, Stride: 1, Pad: 1},
		{N: 7, H: 4, W: 8, C: 32, Co: 64, KH: 4, KW: 4, Stride: 2, Pad: 1, Fast: true},
		{N: 2, H: 9, W: 13, C: 32, Co: 32, KH: 4, KW: 4, Stride: 2, Pad: 1, Fast: true},
		{N: 7, H: 2, W: 6, C: 32, Co: 64, KH: 3, KW: 3, Stride: 1, Pad: 1, Fast: true},
		{N: 2, H: 8, W: 6, C: 64, Co: 32, KH: 3, KW: 3, Stride: 1, Pad: 0, Fast: true},
		{N: 5, H: 8, W: 8, C: 24, Co: 40, KH: 4, KW: 4, Stride: 2, Pad: 1, Fast: true},
		{N: 5, H: 4, W: 6, C: 48, Co: 80, KH: 3, KW: 3, Stride: 1, Pad: 1, Fast: true},
		{N: 5, H: 4, W: 6, C: 8, Co: 24, KH: 3, KW: 3, Stride: 1, Pad: 1, Fast: true},
		{N: 5, H: 3, W: 3, C: 16, Co: 16, KH: 3, KW: 3, Stride: 3, Pad: 0},
	}
	eachClass(t, func(t *testing.T, k class) {
		for _, atEnd := range []bool{false, true} {
			t.Run(fmt.Sprintf("end=%v", atEnd), func(t *testing.T) {
				g := guarded{t, atEnd, rand.New(rand.NewPCG(13, 14))}
				for _, s := range shapes {
					x, w, y := g.floats(s.InSize()), g.floats(s.WeightSize()), g.floats(s.OutSize())
					for _, accumulate := range []bool{false, true} {
						ep := Epilogue{Bias: g.floats(s.Co), Accumulate: accumulate, Act: ActLeakyReLU}
						k.forward(s, x, w, y, ep)
						ep.Bias = g.floats(s.C)
						k.backData(s, y, w, x, ep)
						k.backWeights(s, x, y, w, accumulate)
						k.backData(s, y, w, x, Epilogue{})
					}
				}
				boundsGemm(g, k)
				boundsVector(g, k)
			})
		}
	})
}

func boundsGemm(g guarded, k class) {
	for _, z := range [][3]int{{1, 1, 1}, {5, 1, 33}, {3, 40, 7}, {13, 17, 5}, {50, 33, 31}, {12, 64, 16}} {
		m, n, depth := z[0], z[1], z[2]
		a, b, c, bias := g.floats(m*depth), g.floats(n*depth), g.floats(m*n), g.floats(n)
		for trans := range 4 {
			lda, ldb := depth, n
			if trans&1 != 0 {
				lda = m
			}
			if trans&2 != 0 {
				ldb = depth
			}
			k.gemm(trans&1 != 0, trans&2 != 0, m, n, depth, a, lda, b, ldb, c, n, Epilogue{Bias: bias, Accumulate: trans == 1})
		}
	}
}

func boundsVector(g guarded, k class) {
	for _, n := range []int{1, 5, 16, 17, 31, 64, 100, 257} {
		of := [5][]float32{g.floats(n), g.floats(n), g.floats(n), g.floats(n), g.floats(n)}
		for op := opAdd; op <= opAdamEMA; op++ {
			k.each(op, scalars{0.5, 0.5, 0.5, 0.5, 0.5, 0.5, 0.5, 0.5, 0.5, 0.5}, of)
		}
		for op := opSumSquares; op <= opSumAbsDiff; op++ {
			k.reduce(op, of[0], of[1])
		}
	}
	for _, z := range [][2]int{{1, 1}, {70, 1}, {9, 3}, {65, 17}, {3, 64}, {5, 100}} {
		rows, c := z[0], z[1]
		x, y, d := g.floats(rows*c), g.floats(rows*c), g.floats(rows*c)
		p := [6][]float32{}
		for i := range p {
			p[i] = g.floats(c)
		}
		k.sumColumns(p[0], x, false)
		k.moments(p[0], p[1], x)
		k.actGradSums(ActLeakyReLU, 0.2, d, x, y, p[0], false)
		k.scaleShift(d, x, p[0], p[1], ActReLU, 0)
		k.normGradSums(p[0], p[1], y, x, p[2], p[3], p[4], p[5], 0)
		k.normGrad(d, y, x, p[2], p[3], p[4], p[5], 0)
		k.transpose(d, rows, x, c, rows, c)
	}
}
