package kernel

import (
	"math"
	"math/rand/v2"
	"slices"
	"testing"
)

// channelShapes are [rows, C]: one channel, odd ones, registers and blocks, one
// row, and enough for several chunks and workers.
var channelShapes = [][2]int{
	{1, 1},
	{7, 1},
	{1000, 1},
	{40000, 1},
	{5, 3},
	{700, 3},
	{1, 17},
	{64, 17},
	{300, 17},
	{9, 16},
	{33, 32},
	{3000, 32},
	{50, 48},
	{1, 64},
	{2000, 64},
	{17, 100},
	{12, 256},
	{700, 256},
	{3, 1000},
}

func eachShape(t *testing.T, f func(t *testing.T, k class, rng *rand.Rand, rows, c int)) {
	t.Helper()
	eachClass(t, func(t *testing.T, k class) {
		for _, z := range channelShapes {
			f(t, k, rand.New(rand.NewPCG(uint64(z[0]), uint64(z[1]))), z[0], z[1])
		}
	})
}

// near reports whether got is want within e of the scale.
func near(got float32, want, scale, e float64) bool {
	return math.Abs(float64(got)-want) <= e*(math.Abs(scale)+1e-6)
}

func TestSumColumns(t *testing.T) {
	eachShape(t, func(t *testing.T, k class, rng *rand.Rand, rows, c int) {
		x, dst := randoms(rng, rows*c), randoms(rng, c)
		for _, accumulate := range []bool{false, true} {
			got := slices.Clone(dst)
			k.sumColumns(got, x, accumulate)
			for j := range c {
				var want, abs float64
				if accumulate {
					want = float64(dst[j])
				}
				for r := range rows {
					want += float64(x[r*c+j])
					abs += math.Abs(float64(x[r*c+j]))
				}
				if !near(got[j], want, abs+math.Abs(want), 1e-6) {
					t.Fatalf("[%d,%d]: column %d sums to %v, want %v", rows, c, j, got[j], want)
				}
			}
		}
	})
}

func TestActGradSums(t *testing.T) {
	eachShape(t, func(t *testing.T, k class, rng *rand.Rand, rows, c int) {
		for _, act := range []Act{ActNone, ActLeakyReLU, ActReLU, ActTanh, ActSigmoid} {
			dy, y := randoms(rng, rows*c), randoms(rng, rows*c)
			want, db := make([]float32, rows*c), make([]float32, c)
			classGo.actGrad(act, 0.2, want, dy, y)
			dx := slices.Clone(dy)
			k.actGradSums(act, 0.2, dx, dx, y, db, false)
			for j := range c {
				var sum, abs float64
				for r := range rows {
					w := float64(want[r*c+j])
					sum += w
					abs += math.Abs(w)
					if !near(dx[r*c+j], w, float64(dy[r*c+j])*4, 1e-6) {
						t.Fatalf("%v [%d,%d]: element (%d,%d) is %v, want %v", act, rows, c, r, j, dx[r*c+j], w)
					}
				}
				if !near(db[j], sum, abs, 2e-6) {
					t.Fatalf("%v [%d,%d]: column %d sums to %v, want %v", act, rows, c, j, db[j], sum)
				}
			}
		}
	})
}

// TestMoments includes columns whose mean is a thousand deviations, where sums of
// squares about zero would lose the variance altogether.
func TestMoments(t *testing.T) {
	eachShape(t, func(t *testing.T, k class, rng *rand.Rand, rows, c int) {
		for _, offset := range []float32{0, 1000} {
			x := randoms(rng, rows*c)
			for i := range x {
				x[i] += offset
			}
			mean, variance := make([]float32, c), make([]float32, c)
			k.moments(mean, variance, x)
			for j := range c {
				m, v := moments64(x, rows, c, j)
				if !near(mean[j], m, math.Abs(m)+math.Sqrt(v), 1e-6) || !near(variance[j], v, v, 1e-5) {
					t.Fatalf("[%d,%d] about %v: column %d has mean %v and variance %v, want %v and %v", rows, c, offset, j, mean[j], variance[j], m, v)
				}
			}
		}
	})
}

func moments64(x []float32, rows, c, j int) (mean, variance float64) {
	for r := range rows {
		mean += float64(x[r*c+j])
	}
	mean /= float64(rows)
	for r := range rows {
		d := float64(x[r*c+j]) - mean
		variance += d * d
	}
	return mean, variance / float64(rows)
}

func TestScaleShift(t *testing.T) {
	eachShape(t, func(t *testing.T, k class, rng *rand.Rand, rows, c int) {
		for _, act := range []Act{ActNone, ActLeakyReLU, ActReLU, ActTanh, ActSiLU} {
			x, scale, shift := randoms(rng, rows*c), randoms(rng, c), randoms(rng, c)
			y := slices.Clone(x)
			k.scaleShift(y, y, scale, shift, act, 0.2)
			for i, v := range x {
				z := float64(v)*float64(scale[i%c]) + float64(shift[i%c])
				abs := math.Abs(float64(v)*float64(scale[i%c])) + math.Abs(float64(shift[i%c]))
				if want := activate64(act, 0.2, z); !near(y[i], want, abs, 5e-7) {
					t.Fatalf("%v [%d,%d]: element %d is %v, want %v", act, rows, c, i, y[i], want)
				}
			}
		}
	})
}

// TestNorm compares both halves of the backward pass with their definitions.
func TestNorm(t *testing.T) {
	eachShape(t, func(t *testing.T, k class, rng *rand.Rand, rows, c int) {
		x, dy := randoms(rng, rows*c), randoms(rng, rows*c)
		var v [6][]float32 // mean, invStd, scale, shift, k1, k0
		for i := range v {
			v[i] = randoms(rng, c)
		}
		mean, invStd, scale, shift, k1, k0 := v[0], v[1], v[2], v[3], v[4], v[5]
		const below = 0.2
		sg, sx, dx := make([]float32, c), make([]float32, c), make([]float32, rows*c)
		k.normGradSums(sg, sx, dy, x, mean, invStd, scale, shift, below)
		k.normGrad(dx, dy, x, scale, shift, k1, k0, below)
		plain := slices.Clone(dy)
		k.normGrad(plain, plain, x, scale, shift, nil, nil, below)
		for j := range c {
			var wg, wx, ag, ax float64
			for i := j; i < rows*c; i += c {
				g := float64(dy[i])
				if !(float32(float64(x[i])*float64(scale[j])+float64(shift[j])) > 0) {
					g *= float64(float32(below))
				}
				d := (float64(x[i]) - float64(mean[j])) * float64(invStd[j])
				wg, wx, ag, ax = wg+g, wx+g*d, ag+math.Abs(g), ax+math.Abs(g*d)
				a, b := g*float64(scale[j]), float64(k1[j])*float64(x[i])+float64(k0[j])
				abs := math.Abs(a) + math.Abs(float64(k1[j])*float64(x[i])) + math.Abs(float64(k0[j]))
				if !near(dx[i], a+b, abs, 5e-7) || !near(plain[i], a, abs, 5e-7) {
					t.Fatalf("[%d,%d]: element %d is %v and %v, want %v and %v", rows, c, i, dx[i], plain[i], a+b, a)
				}
			}
			if !near(sg[j], wg, ag, 2e-6) || !near(sx[j], wx, ax, 2e-6) {
				t.Fatalf("[%d,%d]: column %d sums to %v and %v, want %v and %v", rows, c, j, sg[j], sx[j], wg, wx)
			}
		}
	})
}
