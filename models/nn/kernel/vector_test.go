package kernel

import (
	"fmt"
	"math"
	"math/rand/v2"
	"slices"
	"testing"
)

// vectorSizes are around the registers and blocks of every class, and beyond the
// size from which several workers share the slices.
var vectorSizes = []int{0, 1, 2, 7, 8, 15, 16, 17, 31, 33, 63, 64, 65, 127, 130, 1000, vectorAlone + 77}

// elementOps gives each element-wise operation by its definition in float64: d is
// the destination's old value.
var elementOps = []struct {
	op vectorOp
	s  scalars
	f  func(d, x, y float64) float64
}{
	{opAdd, scalars{}, func(_, x, y float64) float64 { return x + y }},
	{opSub, scalars{}, func(_, x, y float64) float64 { return x - y }},
	{opMul, scalars{}, func(_, x, y float64) float64 { return x * y }},
	{opScale, scalars{1.5}, func(_, x, _ float64) float64 { return 1.5 * x }},
	{opAxpy, scalars{-0.25}, func(d, x, _ float64) float64 { return d - 0.25*x }},
	{opAxpby, scalars{0.25, 0.75}, func(d, x, _ float64) float64 { return 0.25*x + 0.75*d }},
	{opLeaky, scalars{0.25}, func(_, x, _ float64) float64 { return activate64(ActLeakyReLU, 0.25, x) }},
	{opTanh, scalars{}, func(_, x, _ float64) float64 { return math.Tanh(x) }},
	{opSigmoid, scalars{}, func(_, x, _ float64) float64 { return activate64(ActSigmoid, 0, x) }},
	{opSiLU, scalars{}, func(_, x, _ float64) float64 { return activate64(ActSiLU, 0, x) }},
	{opLeakyGrad, scalars{0.25}, func(_, x, y float64) float64 {
		if y > 0 {
			return x
		}
		return 0.25 * x
	}},
	{opTanhGrad, scalars{}, func(_, x, y float64) float64 { return x * (1 - y*y) }},
	{opSigmoidGrad, scalars{}, func(_, x, y float64) float64 { return x * y * (1 - y) }},
	{opSiLUGrad, scalars{}, func(_, x, y float64) float64 {
		s := 1 / (1 + math.Exp(-y))
		return x * (s + s*y*(1-s))
	}},
}

func TestElementwise(t *testing.T) {
	eachClass(t, func(t *testing.T, k class) {
		rng := rand.New(rand.NewPCG(5, 6))
		for _, o := range elementOps {
			for _, n := range vectorSizes {
				d, x, y := randoms(rng, n), randoms(rng, n), randoms(rng, n)
				got := slices.Clone(d)
				k.each(o.op, o.s, [5][]float32{got, x, y})
				for i := range got {
					want := o.f(float64(d[i]), float64(x[i]), float64(y[i]))
					scale := max(math.Abs(want), 0.25*math.Abs(float64(d[i])), 0.25*math.Abs(float64(x[i])), 1e-3)
					if e := math.Abs(float64(got[i]) - want); !(e <= 5e-7*scale) {
						t.Fatalf("operation %d, %d elements: element %d of (%v, %v, %v) is %v, want %v", o.op, n, i, d[i], x[i], y[i], got[i], want)
					}
				}
				inPlace := slices.Clone(x)
				if o.op != opAxpy && o.op != opAxpby {
					k.each(o.op, o.s, [5][]float32{inPlace, inPlace, y})
					if !slices.Equal(inPlace, got) {
						t.Fatalf("operation %d, %d elements: in place it differs", o.op, n)
					}
				}
			}
		}
	})
}

// TestTranscendental holds the functions to a relative error over their range. The
// bound is a twenty-fifth of what the engine may lose, 1e-5.
func TestTranscendental(t *testing.T) {
	const bound = 4e-7
	var x []float32
	for v := -120.0; v <= 100; v += 0.0371 {
		x = append(x, float32(v), float32(v/97), float32(v*1e-4), float32(v*1e-9))
	}
	eachClass(t, func(t *testing.T, k class) {
		for _, o := range elementOps {
			if o.op < opTanh || o.op > opSiLU {
				continue
			}
			got := make([]float32, len(x))
			k.each(o.op, o.s, [5][]float32{got, x})
			worst := 0.0
			for i, v := range x {
				want := o.f(0, float64(v), 0)
				if math.Abs(want) > math.MaxFloat32 {
					if !math.IsInf(float64(got[i]), 1) {
						t.Fatalf("operation %d of %v is %v, want +Inf", o.op, v, got[i])
					}
					continue
				}
				// Near the smallest normal number, 1.2e-38, only the absolute error counts.
				e := max(0, math.Abs(float64(got[i])-want)-3e-37) / max(math.Abs(want), 1e-38)
				worst = max(worst, e)
				if !(e <= bound) {
					t.Fatalf("operation %d of %v is %v, want %v: relative error %.2g", o.op, v, got[i], want, e)
				}
			}
			t.Logf("operation %d: worst relative error %.2g", o.op, worst)
		}
	})
}

func TestSpecialValues(t *testing.T) {
	inf, nan := float32(math.Inf(1)), float32(math.NaN())
	x := []float32{inf, -inf, nan, 0, 1e30, -1e30}
	want := map[vectorOp][]float32{
		opTanh:    {1, -1, nan, 0, 1, -1},
		opSigmoid: {1, 0, nan, 0.5, 1, 0},
		opLeaky:   {inf, -inf, nan, 0, 1e30, -1e30 * 0.25},
	}
	scalarsOf := map[vectorOp]scalars{opLeaky: {0.25}}
	eachClass(t, func(t *testing.T, k class) {
		for op, w := range want {
			got := make([]float32, len(x))
			k.each(op, scalarsOf[op], [5][]float32{got, x})
			for i := range got {
				if got[i] != w[i] && (got[i] == got[i] || w[i] == w[i]) {
					t.Errorf("operation %d of %v is %v, want %v", op, x[i], got[i], w[i])
				}
			}
		}
	})
}

func TestReduce(t *testing.T) {
	eachClass(t, func(t *testing.T, k class) {
		rng := rand.New(rand.NewPCG(7, 8))
		for _, o := range []struct {
			op vectorOp
			f  func(x, y float64) float64
			y  bool
		}{
			{opSumSquares, func(x, _ float64) float64 { return x * x }, false},
			{opDot, func(x, y float64) float64 { return x * y }, true},
			{opSumSquaredDiff, func(x, y float64) float64 { return (x - y) * (x - y) }, true},
			{opSumAbsDiff, func(x, y float64) float64 { return math.Abs(x - y) }, true},
		} {
			for _, n := range append([]int{reduceBlock, reduceBlock + 1, 3 * vectorAlone}, vectorSizes...) {
				x, y := randoms(rng, n), randoms(rng, n)
				var want, abs float64
				for i := range x {
					v := o.f(float64(x[i]), float64(y[i]))
					want += v
					abs += math.Abs(v)
				}
				if !o.y {
					y = nil
				}
				if got := k.reduce(o.op, x, y); math.Abs(got-want) > 1e-6*abs {
					t.Errorf("operation %d of %d elements is %v, want %v", o.op, n, got, want)
				}
			}
		}
	})
}

// TestAdam compares ten steps with float64 arithmetic.
func TestAdam(t *testing.T) {
	eachClass(t, func(t *testing.T, k class) {
		for _, average := range []bool{false, true} {
			for _, n := range []int{1, 17, 100, vectorAlone + 33} {
				if err := adamCase(k, n, average); err != nil {
					t.Errorf("%d parameters, average %v: %v", n, average, err)
				}
			}
		}
	})
}

func adamCase(k class, n int, average bool) error {
	rng := rand.New(rand.NewPCG(9, uint64(n)))
	p, m, v := randoms(rng, n), make([]float32, n), make([]float32, n)
	var ema []float32
	if average {
		ema = slices.Clone(p)
	}
	wide := func(x []float32) []float64 {
		w := make([]float64, len(x))
		for i := range x {
			w[i] = float64(x[i])
		}
		return w
	}
	pp, mm, vv, ee := wide(p), wide(m), wide(v), wide(ema)
	o := AdamStep{LearningRate: 1e-2, Beta1: 0.5, Beta2: 0.999, Epsilon: 1e-8, WeightDecay: 0.1, GradScale: 0.3, EMADecay: 0.9}
	for step := range 10 {
		g := randoms(rng, n)
		o.Step = int64(step + 1)
		k.adam(o, p, g, m, v, ema)
		b1, b2 := float64(o.Beta1), float64(o.Beta2)
		c1, c2 := 1-math.Pow(b1, float64(o.Step)), 1-math.Pow(b2, float64(o.Step))
		for i := range g {
			gi := float64(g[i]) * float64(o.GradScale)
			mm[i] = b1*mm[i] + (1-b1)*gi
			vv[i] = b2*vv[i] + (1-b2)*gi*gi
			pp[i] -= float64(o.LearningRate) * (float64(o.WeightDecay)*pp[i] + mm[i]/c1/(math.Sqrt(vv[i]/c2)+float64(o.Epsilon)))
			if average {
				ee[i] = float64(o.EMADecay)*ee[i] + (1-float64(o.EMADecay))*pp[i]
			}
		}
	}
	for i := range p {
		if e := math.Abs(float64(p[i]) - pp[i]); e > 3e-6*(1+math.Abs(pp[i])) {
			return fmt.Errorf("parameter %d is %v, want %v", i, p[i], pp[i])
		}
		if average && math.Abs(float64(ema[i])-ee[i]) > 3e-6*(1+math.Abs(ee[i])) {
			return fmt.Errorf("average %d is %v, want %v", i, ema[i], ee[i])
		}
	}
	return nil
}

func TestTranspose(t *testing.T) {
	eachClass(t, func(t *testing.T, k class) {
		rng := rand.New(rand.NewPCG(10, 11))
		for _, z := range [][2]int{{1, 1}, {16, 16}, {8, 24}, {17, 33}, {40, 7}, {65, 64}} {
			rows, cols := z[0], z[1]
			src, dst := randoms(rng, rows*cols), make([]float32, rows*cols)
			k.transpose(dst, rows, src, cols, rows, cols)
			for r := range rows {
				for c := range cols {
					if dst[c*rows+r] != src[r*cols+c] {
						t.Fatalf("%dx%d: element (%d, %d) went wrong", rows, cols, r, c)
					}
				}
			}
		}
	})
}
