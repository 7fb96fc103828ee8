package kernel

import (
	"errors"
	"fmt"
	"math/rand/v2"
	"os"
	"slices"
	"sync"
	"sync/atomic"
	"testing"

	"go.uber.org/goleak"
)

// TestMain checks that StopWorkers leaves no goroutine behind.
func TestMain(m *testing.M) {
	code := m.Run()
	StopWorkers()
	if err := goleak.Find(); code == 0 && err != nil {
		fmt.Fprintln(os.Stderr, err)
		code = 1
	}
	os.Exit(code)
}

func withThreads(t *testing.T, n int) {
	t.Helper()
	SetThreads(n)
	t.Cleanup(func() { SetThreads(0) })
}

func TestParallelCoversOnce(t *testing.T) {
	withThreads(t, 5)
	for _, n := range []int{0, 1, 2, 7, 100, 1001} {
		for _, grain := range []int{0, 1, 3, 50, 2000} {
			seen := make([]atomic.Int32, n)
			Parallel(n, grain, func(lo, hi int) {
				if g := max(grain, 1); lo%g != 0 || hi-lo > g || hi > n {
					t.Errorf("n=%d grain=%d: range [%d,%d)", n, grain, lo, hi)
				}
				for i := lo; i < hi; i++ {
					seen[i].Add(1)
				}
			})
			for i := range seen {
				if c := seen[i].Load(); c != 1 {
					t.Fatalf("n=%d grain=%d: item %d was done %d times", n, grain, i, c)
				}
			}
		}
	}
}

func TestParallelNests(t *testing.T) {
	withThreads(t, 4)
	var sum atomic.Int64
	Parallel(20, 1, func(lo, _ int) {
		Parallel(20, 3, func(a, b int) {
			for i := a; i < b; i++ {
				sum.Add(int64(lo*20 + i))
			}
		})
	})
	if want := int64(400 * 399 / 2); sum.Load() != want {
		t.Errorf("sum %d, want %d", sum.Load(), want)
	}
}

func TestParallelPanics(t *testing.T) {
	withThreads(t, 4)
	boom := errors.New("boom")
	for item := range 8 {
		func() {
			defer func() {
				r := recover()
				if err, _ := r.(error); !errors.Is(err, boom) {
					t.Errorf("recovered %v, want the panic of item %d", r, item)
				}
			}()
			Parallel(8, 1, func(lo, _ int) {
				if lo == item {
					panic(boom)
				}
			})
		}()
	}
	TestParallelCoversOnce(t) // the workers have survived
}

func TestStopWorkers(t *testing.T) {
	withThreads(t, 3)
	for range 20 {
		var n atomic.Int64
		Parallel(100, 1, func(lo, hi int) { n.Add(int64(hi - lo)) })
		StopWorkers()
		if n.Load() != 100 {
			t.Fatalf("%d of 100 items done", n.Load())
		}
	}
}

// sample runs one of every kind of operation and returns all results.
func sample(k class, seed uint64) [][]float32 {
	rng := rand.New(rand.NewPCG(seed, 12))
	var out [][]float32
	keep := func(v []float32) []float32 {
		out = append(out, v)
		return v
	}
	for _, s := range []Conv{
		{N: 9, H: 16, W: 16, C: 16, Co: 40, KH: 4, KW: 4, Stride: 2, Pad: 1},
		{N: 33, H: 16, W: 16, C: 1, Co: 32, KH: 4, KW: 4, Stride: 2, Pad: 1},
		{N: 11, H: 16, W: 16, C: 32, Co: 64, KH: 4, KW: 4, Stride: 2, Pad: 1, Fast: true},
		{N: 11, H: 12, W: 8, C: 32, Co: 64, KH: 3, KW: 3, Stride: 1, Pad: 1, Fast: true},
		{N: 9, H: 6, W: 8, C: 96, Co: 40, KH: 4, KW: 4, Stride: 2, Pad: 1},
		{N: 5, H: 8, W: 8, C: 48, Co: 80, KH: 4, KW: 4, Stride: 2, Pad: 1, Fast: true},
		{N: 3, H: 12, W: 9, C: 24, Co: 64, KH: 3, KW: 3, Stride: 1, Pad: 1},
	} {
		x, w, y := randoms(rng, s.InSize()), randoms(rng, s.WeightSize()), randoms(rng, s.OutSize())
		k.backData(s, y, w, keep(make([]float32, len(x))), Epilogue{})
		k.backWeights(s, x, y, keep(make([]float32, len(w))), false)
		k.forward(s, x, w, keep(y), Epilogue{Bias: w[:s.Co], Act: ActLeakyReLU, Slope: 0.2})
	}
	const m, n, depth = 150, 130, 170
	a, b := randoms(rng, m*depth), randoms(rng, depth*n)
	k.gemm(false, true, m, n, depth, a, depth, b, depth, keep(make([]float32, m*n)), n, Epilogue{})
	const rows, c = 3000, 24
	x, y := randoms(rng, rows*c), randoms(rng, rows*c)
	k.each(opTanh, scalars{}, [5][]float32{keep(make([]float32, rows*c)), x})
	k.sumColumns(keep(make([]float32, c)), x, false)
	k.moments(keep(make([]float32, c)), keep(make([]float32, c)), x)
	keep([]float32{float32(k.reduce(opDot, x, y))})
	k.adam(AdamStep{LearningRate: 1e-3, Beta1: 0.9, Beta2: 0.999, Epsilon: 1e-8, Step: 1}, keep(x), y, make([]float32, rows*c), make([]float32, rows*c), nil)
	return out
}

func equal(a, b [][]float32) bool { return slices.EqualFunc(a, b, slices.Equal[[]float32]) }

// TestThreads holds every operation to the same bits whatever the number of
// threads, and from run to run.
func TestThreads(t *testing.T) {
	eachClass(t, func(t *testing.T, k class) {
		withThreads(t, 1)
		want := sample(k, 1)
		for _, n := range []int{1, 2, 3, 7} {
			SetThreads(n)
			for range 2 {
				if !equal(sample(k, 1), want) {
					t.Fatalf("%d threads give other results than one", n)
				}
			}
		}
		if equal(sample(k, 2), want) {
			t.Error("other operands give the same results")
		}
	})
}

// TestConcurrentCallers runs the operations from several goroutines at once.
func TestConcurrentCallers(t *testing.T) {
	withThreads(t, 3)
	k := current()
	want := sample(k, 1)
	var wg sync.WaitGroup
	for range 4 {
		wg.Go(func() {
			for range 3 {
				if !equal(sample(k, 1), want) {
					t.Error("beside others the results differ")
				}
			}
		})
	}
	wg.Wait()
}

// TestBatch holds an image to the same bytes alone and in a batch.
func TestBatch(t *testing.T) {
	eachClass(t, func(t *testing.T, k class) {
		for _, s := range []Conv{
			{H: 16, W: 16, C: 1, Co: 32, KH: 4, KW: 4, Stride: 2, Pad: 1},
			{H: 8, W: 8, C: 64, Co: 40, KH: 4, KW: 4, Stride: 2, Pad: 1},
			{H: 8, W: 8, C: 64, Co: 64, KH: 4, KW: 4, Stride: 2, Pad: 1, Fast: true},
			{H: 8, W: 6, C: 64, Co: 64, KH: 3, KW: 3, Stride: 1, Pad: 1, Fast: true},
			{H: 4, W: 6, C: 24, Co: 40, KH: 3, KW: 3, Stride: 1, Pad: 1, Fast: true},
			{H: 5, W: 7, C: 17, Co: 3, KH: 3, KW: 3, Stride: 1, Pad: 1},
		} {
			rng := rand.New(rand.NewPCG(17, 18))
			s.N = 21
			x, w, y := randoms(rng, s.InSize()), randoms(rng, s.WeightSize()), randoms(rng, s.OutSize())
			dx, out := make([]float32, len(x)), make([]float32, len(y))
			k.forward(s, x, w, out, Epilogue{})
			k.backData(s, y, w, dx, Epilogue{})
			one := s
			one.N = 1
			nx, ny := one.InSize(), one.OutSize()
			for i := range s.N {
				a, b := make([]float32, ny), make([]float32, nx)
				k.forward(one, x[i*nx:(i+1)*nx], w, a, Epilogue{})
				k.backData(one, y[i*ny:(i+1)*ny], w, b, Epilogue{})
				if !slices.Equal(a, out[i*ny:(i+1)*ny]) || !slices.Equal(b, dx[i*nx:(i+1)*nx]) {
					t.Fatalf("%v: image %d differs alone", s, i)
				}
			}
		}
	})
}

// TestAllocations holds the operations to none once their buffers exist.
func TestAllocations(t *testing.T) {
	if raceEnabled {
		t.Skip("the race detector allocates")
	}
	eachClass(t, func(t *testing.T, k class) {
		s := Conv{N: 16, H: 16, W: 16, C: 16, Co: 40, KH: 4, KW: 4, Stride: 2, Pad: 1}
		x, w, y := make([]float32, s.InSize()), make([]float32, s.WeightSize()), make([]float32, s.OutSize())
		v := make([]float32, 64)
		fast := Conv{N: 9, H: 8, W: 8, C: 32, Co: 32, KH: 4, KW: 4, Stride: 2, Pad: 1, Fast: true}
		fx, fw, fy := make([]float32, fast.InSize()), make([]float32, fast.WeightSize()), make([]float32, fast.OutSize())
		many := Conv{N: 2, H: 3, W: 4, C: 96, Co: 40, KH: 3, KW: 3, Stride: 1, Pad: 1}
		mx, mw, my := make([]float32, many.InSize()), make([]float32, many.WeightSize()), make([]float32, many.OutSize())
		three := Conv{N: 9, H: 8, W: 8, C: 32, Co: 32, KH: 3, KW: 3, Stride: 1, Pad: 1, Fast: true}
		tw, tx := make([]float32, three.WeightSize()), make([]float32, three.InSize())
		for name, f := range map[string]func(){
			"forward":   func() { k.forward(s, x, w, y, Epilogue{Bias: w[:s.Co], Act: ActTanh}) },
			"back-data": func() { k.backData(s, y, w, x, Epilogue{}) },
			"fast": func() {
				k.forward(fast, fx, fw, fy, Epilogue{})
				k.backData(fast, fy, fw, fx, Epilogue{})
				k.backWeights(fast, fx, fy, fw, false)
			},
			"fast 3x3": func() {
				k.forward(three, fx, tw, tx, Epilogue{})
				k.backData(three, fx, tw, tx, Epilogue{})
				k.backWeights(three, fx, tx, tw, false)
			},
			"back-weights": func() { k.backWeights(s, x, y, w, true) },
			"tap by tap":   func() { k.backWeights(many, mx, my, mw, true) },
			"gemm":         func() { k.gemm(false, true, 64, 64, 128, x, 128, w, 128, y, 64, Epilogue{}) },
			"tanh":         func() { k.each(opTanh, scalars{}, [5][]float32{x, x}) },
			"sum squares":  func() { k.reduce(opSumSquares, x, nil) },
			"sum columns":  func() { k.sumColumns(v[:16], x, false) },
			"moments":      func() { k.moments(v[:16], v[16:32], x) },
			"conv":         func() { ConvBackward(s, x, w, y, y, ActLeakyReLU, 0.2, nil, w, v[:40], false) },
		} {
			f()
			if n := testing.AllocsPerRun(20, f); n > 0 {
				t.Errorf("%s: %v allocations a run", name, n)
			}
		}
	})
}
