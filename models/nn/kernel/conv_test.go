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
		if s.Validate() == nil && (!short || s.FLOPs() < 4e6) {
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
	return grid
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
	grid := convGrid(testing.Short())
	if len(grid) < 400 {
		t.Fatalf("the grid has %d shapes only", len(grid))
	}
	eachClass(t, func(t *testing.T, k class) {
		rng := rand.New(rand.NewPCG(1, 2))
		for i, s := range grid {
			x, w, y := randoms(rng, s.InSize()), randoms(rng, s.WeightSize()), randoms(rng, s.OutSize())
			eps := epilogues(rng, s.Co)
			ep := eps[i%len(eps)]
			v := naiveForward(s, x, w)
			got := slices.Clone(y)
			k.forward(s, x, w, got, ep)
			v.finish(y, s.Co, ep)
			report(t, s, "forward", ep, v.check(got))

			eps = epilogues(rng, s.C)
			ep = eps[i%len(eps)]
			v = naiveBackData(s, y, w)
			got = slices.Clone(x)
			k.backData(s, y, w, got, ep)
			v.finish(x, s.C, ep)
			report(t, s, "back-data", ep, v.check(got))

			ep = Epilogue{Accumulate: i%2 == 1}
			v = naiveBackWeights(s, x, y)
			got = slices.Clone(w)
			k.backWeights(s, x, y, got, ep.Accumulate)
			v.finish(w, s.Co, ep)
			report(t, s, "back-weights", ep, v.check(got))
		}
	})
}

func report(t *testing.T, s Conv, what string, ep Epilogue, err error) {
	t.Helper()
	if err != nil {
		ep.Bias = ep.Bias[:min(1, len(ep.Bias))]
		t.Errorf("%v: %s, %+v: %v", s, what, ep, err)
	}
}

func TestGemm(t *testing.T) {
	eachClass(t, func(t *testing.T, k class) {
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
			{64, 65, 4200},
			{97, 31, 5},
			{200, 16, 40},
			{37, 48, 8200},
		} {
			for trans := range 4 {
				m, n, depth := z[0], z[1], z[2]
				ta, tb := trans&1 != 0, trans&2 != 0
				lda, ldb, ldc := depth+i%3, n+i%2, n+i%4
				if ta {
					lda = m + i%3
				}
				if tb {
					ldb = depth + i%2
				}
				a, b, c := randoms(rng, max(m, depth)*lda), randoms(rng, max(n, depth)*ldb), randoms(rng, m*ldc)
				eps := epilogues(rng, n)
				ep := eps[(i+trans)%len(eps)]
				got := slices.Clone(c)
				k.gemm(ta, tb, m, n, depth, a, lda, b, ldb, got, ldc, ep)
				if err := checkProduct(ta, tb, m, n, depth, a, lda, b, ldb, c, got, ldc, ep); err != nil {
					ep.Bias = nil
					t.Errorf("m=%d n=%d k=%d transA=%v transB=%v %+v: %v", m, n, depth, ta, tb, ep, err)
				}
			}
		}
	})
}

func checkProduct(ta, tb bool, m, n, depth int, a []float32, lda int, b []float32, ldb int, c, got []float32, ldc int, ep Epilogue) error {
	v := newNaive(m * n)
	var before, after []float32
	for i := range m {
		for j := range n {
			for p := range depth {
				ai, bi := i*lda+p, p*ldb+j
				if ta {
					ai = p*lda + i
				}
				if tb {
					bi = j*ldb + p
				}
				v.add(i*n+j, a[ai], b[bi])
			}
		}
		before = append(before, c[i*ldc:i*ldc+n]...)
		after = append(after, got[i*ldc:i*ldc+n]...)
		for j := i*ldc + n; j < (i+1)*ldc; j++ {
			if c[j] != got[j] {
				return fmt.Errorf("element %d, between the rows of C, was written", j)
			}
		}
	}
	v.finish(before, n, ep)
	return v.check(after)
}
