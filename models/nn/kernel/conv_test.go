package kernel

import (
	"fmt"
	"math/rand/v2"
	"slices"
	"testing"
)

// convGrid is the grid of shapes: odd sizes, one channel, seventeen, images of
// one pixel, batches of one, strides and paddings, and the panels' edges.
func convGrid(short bool) []Conv {
	var grid []Conv
	add := func(s Conv) {
		if s.Validate() == nil && (!short || s.FLOPs() < 3e5) {
			grid = append(grid, s)
		}
	}
	for _, size := range [][2]int{{1, 1}, {2, 3}, {5, 4}, {7, 7}} {
		for _, k := range [][2]int{{1, 1}, {3, 3}, {4, 4}, {2, 5}, {7, 7}} {
			for _, stride := range []int{1, 2, 3} {
				for _, pad := range []int{0, 1, 3} {
					for _, ch := range [][2]int{{1, 1}, {1, 32}, {3, 17}, {17, 3}, {8, 5}, {16, 33}} {
						n := 1 + (size[0]+k[0]+stride+pad+ch[0])%3
						add(Conv{N: n, H: size[0], W: size[1], C: ch[0], Co: ch[1], KH: k[0], KW: k[1], Stride: stride, Pad: pad})
					}
				}
			}
		}
	}
	for _, n := range []int{1, 5, 13} {
		add(Conv{N: n, H: 16, W: 16, C: 1, Co: 32, KH: 4, KW: 4, Stride: 2, Pad: 1})
		add(Conv{N: n, H: 8, W: 8, C: 32, Co: 64, KH: 4, KW: 4, Stride: 2, Pad: 1})
		add(Conv{N: n, H: 9, W: 11, C: 17, Co: 40, KH: 3, KW: 3, Stride: 1, Pad: 1})
		add(Conv{N: n, H: 16, W: 16, C: 32, Co: 1, KH: 4, KW: 4, Stride: 2, Pad: 1})
		add(Conv{N: n, H: 4, W: 4, C: 64, Co: 100, KH: 4, KW: 4, Stride: 1, Pad: 0})
	}
	add(Conv{N: 70, H: 4, W: 4, C: 8, Co: 8, KH: 3, KW: 3, Stride: 1, Pad: 1})
	// Channels enough for the gradient of the weights to go tap by tap.
	add(Conv{N: 1, H: 1, W: 1, C: 100, Co: 20, KH: 7, KW: 7, Stride: 1, Pad: 3})
	add(Conv{N: 40, H: 3, W: 4, C: 100, Co: 40, KH: 3, KW: 3, Stride: 1, Pad: 1})
	add(Conv{N: 9, H: 6, W: 8, C: 96, Co: 24, KH: 4, KW: 4, Stride: 2, Pad: 1})
	add(Conv{N: 2, H: 5, W: 5, C: 130, Co: 70, KH: 1, KW: 1, Stride: 1})
	add(Conv{N: 1, H: 2, W: 210, C: 96, Co: 5, KH: 1, KW: 3, Stride: 1})
	return grid
}

// TestFastConv compares the algorithm with fewer multiplications, with sizes that
// its tiles cover and sizes that they do not.
func TestFastConv(t *testing.T) {
	rng := rand.New(rand.NewPCG(15, 16))
	for i, s := range []Conv{
		{N: 1, H: 4, W: 4, C: 32, Co: 32, Pad: 1},
		{N: 5, H: 8, W: 8, C: 32, Co: 64, Pad: 1},
		{N: 3, H: 16, W: 8, C: 64, Co: 32, Pad: 1},
		{N: 2, H: 9, W: 13, C: 32, Co: 32, Pad: 1},
		{N: 7, H: 6, W: 10, C: 32, Co: 32, Pad: 0},
		{N: 2, H: 7, W: 7, C: 32, Co: 32, Pad: 2},
		{N: 40, H: 4, W: 8, C: 64, Co: 96, Pad: 1},
		{N: 70, H: 16, W: 16, C: 32, Co: 32, Pad: 1},
		{N: 4, H: 48, W: 48, C: 32, Co: 32, Pad: 1}, // an image of more tiles than a block, and a batch of fewer images than its room
		{N: 1, H: 2, W: 4, C: 32, Co: 32, KH: 3, Pad: 1},
		{N: 5, H: 6, W: 8, C: 32, Co: 64, KH: 3, Pad: 1},
		{N: 3, H: 12, W: 4, C: 64, Co: 32, KH: 3, Pad: 1},
		{N: 2, H: 6, W: 8, C: 32, Co: 32, KH: 3, Pad: 0},
		{N: 3, H: 8, W: 10, C: 32, Co: 96, KH: 3, Pad: 2},
		{N: 34, H: 6, W: 8, C: 64, Co: 64, KH: 3, Pad: 1},
		{N: 6, H: 30, W: 34, C: 32, Co: 32, KH: 3, Pad: 1},
		{N: 3, H: 8, W: 12, C: 48, Co: 80, Pad: 1},
		{N: 5, H: 12, W: 8, C: 16, Co: 48, Pad: 1},
		{N: 2, H: 6, W: 8, C: 80, Co: 16, KH: 3, Pad: 1},
		{N: 3, H: 8, W: 4, C: 48, Co: 112, KH: 3, Pad: 1},
		{N: 3, H: 8, W: 12, C: 24, Co: 40, Pad: 1}, // of half a panel with AVX2 only
		{N: 3, H: 8, W: 8, C: 8, Co: 24, Pad: 1},
		{N: 4, H: 6, W: 8, C: 24, Co: 8, KH: 3, Pad: 1},
		{N: 4, H: 6, W: 8, C: 40, Co: 56, KH: 3, Pad: 1},
	} {
		if s.KH == 3 {
			s.KW, s.Stride, s.Fast = 3, 1, true
		} else {
			s.KH, s.KW, s.Stride, s.Fast = 4, 4, 2, true
		}
		for _, k := range supported() {
			if lanes := k.tileCols() / 2; k != classGo && s.C%lanes == 0 && s.Co%lanes == 0 && !k.fast(s) {
				t.Errorf("%v: %v does not take it", k, s)
			}
		}
		if s.FLOPs() > 1e8 && (testing.Short() || raceEnabled) {
			continue
		}
		checkPasses(t, s, rng, i)
	}
}

// checkPasses compares the three passes with their definitions.
func checkPasses(t *testing.T, s Conv, rng *rand.Rand, i int) {
	t.Helper()
	x, w, y := randoms(rng, s.InSize()), randoms(rng, s.WeightSize()), randoms(rng, s.OutSize())
	ep := epilogues(rng, s.Co)[i%7]
	check(t, s, "forward", ep, s.Co, y, naiveForward(s, x, w), func(k class, got []float32) { k.forward(s, x, w, got, ep) })
	ep = epilogues(rng, s.C)[i%7]
	if s.Fast {
		ep = Epilogue{}
	}
	check(t, s, "back-data", ep, s.C, x, naiveBackData(s, y, w), func(k class, got []float32) { k.backData(s, y, w, got, ep) })
	ep = Epilogue{Accumulate: i%2 == 1}
	check(t, s, "back-weights", ep, s.Co, w, naiveBackWeights(s, x, y), func(k class, got []float32) { k.backWeights(s, x, y, got, ep.Accumulate) })
}

func epilogues(rng *rand.Rand, columns int) []Epilogue {
	bias := randoms(rng, columns)
	return []Epilogue{
		{},
		{Bias: bias, Act: ActLeakyReLU, Slope: 0.2},
		{Bias: bias, Accumulate: true},
		{Accumulate: true, Act: ActReLU},
		{Bias: bias, Act: ActTanh},
		{Act: ActSigmoid},
		{Act: ActSiLU},
	}
}

func TestConv(t *testing.T) {
	grid := convGrid(testing.Short() || raceEnabled)
	if len(grid) < 300 {
		t.Fatalf("the grid has %d shapes only", len(grid))
	}
	rng := rand.New(rand.NewPCG(1, 2))
	for i, s := range grid {
		checkPasses(t, s, rng, i)
	}
}

// check runs f of every class on a copy of dst and compares with the sums in v.
func check(t *testing.T, s fmt.Stringer, what string, ep Epilogue, columns int, dst []float32, v naive, f func(k class, got []float32)) {
	t.Helper()
	v.finish(dst, columns, ep)
	if c, ok := s.(Conv); ok && c.Fast {
		v.level()
	}
	for _, k := range supported() {
		got := slices.Clone(dst)
		f(k, got)
		if err := v.check(got); err != nil {
			ep.Bias = ep.Bias[:min(1, len(ep.Bias))]
			t.Errorf("%v: %v: %s, %+v: %v", k, s, what, ep, err)
		}
	}
}

// testProduct is a test case of Gemm.
type testProduct struct {
	m, n, k       int
	ta, tb        bool
	lda, ldb, ldc int
}

func (p testProduct) String() string {
	return fmt.Sprintf("m=%d n=%d k=%d transA=%v transB=%v", p.m, p.n, p.k, p.ta, p.tb)
}

func TestGemm(t *testing.T) {
	rng := rand.New(rand.NewPCG(3, 4))
	for i, z := range [][3]int{
		{1, 1, 1},
		{1, 1, 100},
		{1, 70, 33},
		{5, 1, 7},
		{3, 17, 0},
		{12, 32, 64},
		{13, 33, 17},
		{64, 1, 300},
		{100, 100, 100},
		{7, 130, 9},
		{30, 35, 4200},
		{97, 31, 5},
		{200, 16, 40},
		{7, 18, 8200},
	} {
		for trans := range 4 {
			p := testProduct{z[0], z[1], z[2], trans&1 != 0, trans&2 != 0, z[2] + i%3, z[1] + i%2, z[1] + i%4}
			if p.ta {
				p.lda = p.m + i%3
			}
			if p.tb {
				p.ldb = p.k + i%2
			}
			p.run(t, rng, i+trans)
		}
	}
}

// run compares with the definition. The rows of C lie apart, and what is between
// them must not change.
func (p testProduct) run(t *testing.T, rng *rand.Rand, i int) {
	rowsA, rowsB := p.m, p.k
	if p.ta {
		rowsA = p.k
	}
	if p.tb {
		rowsB = p.n
	}
	a, b, c := randoms(rng, rowsA*p.lda), randoms(rng, rowsB*p.ldb), randoms(rng, p.m*p.ldc)
	ep := epilogues(rng, p.n)[i%7]
	v := newNaive(p.m * p.n)
	var before []float32
	for r := range p.m {
		for j := range p.n {
			for q := range p.k {
				ai, bi := r*p.lda+q, q*p.ldb+j
				if p.ta {
					ai = q*p.lda + r
				}
				if p.tb {
					bi = j*p.ldb + q
				}
				v.add(r*p.n+j, a[ai], b[bi])
			}
		}
		before = append(before, c[r*p.ldc:r*p.ldc+p.n]...)
	}
	check(t, p, "gemm", ep, p.n, before, v, func(k class, got []float32) {
		d := slices.Clone(c)
		k.gemm(p.ta, p.tb, p.m, p.n, p.k, a, p.lda, b, p.ldb, d, p.ldc, ep)
		for r := range p.m {
			copy(got[r*p.n:], d[r*p.ldc:r*p.ldc+p.n])
			if row := r * p.ldc; !slices.Equal(d[row+p.n:row+p.ldc], c[row+p.n:row+p.ldc]) {
				t.Errorf("%v: %v: what lies between the rows of C was written", k, p)
			}
		}
	})
}
