package fft

import (
	"fmt"
	"math"
	"math/cmplx"
	"math/rand/v2"
	"slices"
	"testing"

	"gonum.org/v1/gonum/dsp/fourier"

	"wavemill/internal/cpu"
)

func noise(n int, seed uint64) []float32 {
	rng := rand.New(rand.NewPCG(seed, 1))
	x := make([]float32, n)
	for i := range x {
		x[i] = float32(rng.NormFloat64())
	}
	return x
}

// forClasses runs a test on all kernels of this machine.
func forClasses(t *testing.T, f func(t *testing.T, k kernels)) {
	for _, k := range available() {
		t.Run(k.class, func(t *testing.T) { f(t, k) })
	}
}

var lengths = []int{2, 3, 5, 8, 16, 30, 32, 64, 100, 128, 256, 400, 512, 1024, 2048, 4096, 8192, 441, 1 << 15}

func TestForwardAgreesWithGonum(t *testing.T) {
	forClasses(t, func(t *testing.T, k kernels) {
		for _, n := range lengths {
			b, err := newBatch(k, n, nil, nil)
			if err != nil {
				t.Fatal(err)
			}
			r := newReal(b)
			count := k.lanes + 3
			x := noise(n*count, uint64(n))
			got := make([]complex64, count*r.Bins())
			r.Forward(got, x)
			oracle, wide := fourier.NewFFT(n), make([]float64, n)
			for i := range count {
				for j := range wide {
					wide[j] = float64(x[i*n+j])
				}
				var diff, norm float64
				for j, want := range oracle.Coefficients(nil, wide) {
					d := cmplx.Abs(complex128(got[i*r.Bins()+j]) - want)
					diff, norm = diff+d*d, norm+real(want)*real(want)+imag(want)*imag(want)
				}
				if e := math.Sqrt(diff / norm); !(e < 4e-7) {
					t.Fatalf("n=%d signal %d: relative error %g", n, i, e)
				}
			}
		}
	})
}

func TestInverseUndoesForward(t *testing.T) {
	forClasses(t, func(t *testing.T, k kernels) {
		for _, n := range lengths {
			b, err := newBatch(k, n, nil, nil)
			if err != nil {
				t.Fatal(err)
			}
			x, back := noise(n*k.lanes, uint64(n)), make([]float32, n*k.lanes)
			b.Inverse(back, n, b.Forward(x, n))
			for i := range x {
				if d := math.Abs(float64(x[i] - back[i])); !(d < 4e-6) {
					t.Fatalf("n=%d: sample %d is %g, was %g", n, i, back[i], x[i])
				}
			}
		}
	})
}

func BenchmarkRealForward(b *testing.B) {
	for _, k := range available() {
		for _, n := range []int{256, 512, 1024, 2048, 4096} {
			b.Run(fmt.Sprintf("%s/%d", k.class, n), func(b *testing.B) {
				batch, err := newBatch(k, n, nil, nil)
				if err != nil {
					b.Fatal(err)
				}
				r := newReal(batch)
				const count = 256
				x, s := noise(n*count, 1), make([]complex64, count*r.Bins())
				b.ReportAllocs()
				b.ResetTimer()
				for range b.N {
					r.Forward(s, x)
				}
				b.ReportMetric(float64(b.Elapsed().Nanoseconds())/float64(b.N*count), "ns/transform")
			})
		}
	}
}

// BenchmarkBatchForward transforms overlapping frames, as a spectrogram does.
func BenchmarkBatchForward(b *testing.B) {
	for _, k := range available() {
		for _, n := range []int{256, 512, 1024, 2048, 4096} {
			b.Run(fmt.Sprintf("%s/%d", k.class, n), func(b *testing.B) {
				batch, err := newBatch(k, n, nil, nil)
				if err != nil {
					b.Fatal(err)
				}
				x := noise(n*k.lanes, 1)
				b.ResetTimer()
				for range b.N {
					batch.Forward(x, n/4)
				}
				b.ReportMetric(float64(b.Elapsed().Nanoseconds())/float64(b.N*k.lanes), "ns/transform")
			})
		}
	}
}

func TestLevelIsTheLogarithm(t *testing.T) {
	forClasses(t, func(t *testing.T, k kernels) {
		b, err := newBatch(k, 32, nil, nil)
		if err != nil {
			t.Fatal(err)
		}
		const rows = 4096
		x, y := b.Rows(rows), b.Rows(rows)
		for i := range x {
			x[i] = float32(math.Exp(-80 + 160*float64(i)/float64(len(x))))
		}
		b.Level(y, x, rows, NewLevels(0, 1, 0, -100, 100))
		for i, v := range x {
			want := math.Log(float64(v))
			if d := math.Abs(float64(y[i]) - want); !(d <= 2.4e-7*math.Max(1, math.Abs(want))) {
				t.Fatalf("ln %g = %g, want %g", v, y[i], want)
			}
		}
		b.Level(y, x, rows, NewLevels(1e-3, 0.5, 2, -1, 1))
		for i, v := range x {
			want := math.Max(-1, math.Min(1, 0.5*math.Log(float64(v)+1e-3)+2))
			if d := math.Abs(float64(y[i]) - want); !(d <= 1e-6) {
				t.Fatalf("level of %g is %g, want %g", v, y[i], want)
			}
		}
	})
}

// TestKernelsOfEveryClass fails if a class of package cpu has no kernels here, which current would hide.
func TestKernelsOfEveryClass(t *testing.T) {
	var got []string
	for _, k := range available() {
		got = append(got, k.class)
	}
	var want []string
	for _, c := range cpu.Supported() {
		want = append(want, c.String())
	}
	if !slices.Equal(got, want) {
		t.Errorf("kernels of the classes %v, but the processor supports %v", got, want)
	}
	if got := current().class; got != cpu.Current().String() {
		t.Errorf("kernels of class %s in use, want %s", got, cpu.Current())
	}
}

func TestLengthsAndWindowsThatAreRefused(t *testing.T) {
	for _, n := range []int{-1, 0, 1, MaxLen + 1} {
		if _, err := NewReal(n); err == nil {
			t.Errorf("a transform of %d samples was planned", n)
		}
	}
	if _, err := NewBatch(64, make([]float64, 63), nil); err == nil {
		t.Error("a window of 63 samples for 64 was taken")
	}
}

// TestRowOperations checks what works on rows against plain arithmetic, on all kernels.
func TestRowOperations(t *testing.T) {
	forClasses(t, func(t *testing.T, k kernels) {
		b, err := newBatch(k, 64, nil, nil)
		if err != nil {
			t.Fatal(err)
		}
		lanes, bins := b.Lanes(), b.Bins()
		s, previous := b.Rows(2*bins), b.Rows(2*bins)
		magnitude, absolute := b.Rows(bins), b.Rows(bins)
		copy(s, noise(len(s), 1))
		copy(previous, noise(len(previous), 2))
		for i, v := range noise(len(magnitude), 3) {
			magnitude[i] = max(v, -v)
		}
		before, last := append([]float32{}, s...), append([]float32{}, previous...)
		at := func(x []float32, bin, lane int) complex128 {
			return complex(float64(x[2*bin*lanes+lane]), float64(x[(2*bin+1)*lanes+lane]))
		}
		near := func(what string, got float32, want float64) {
			t.Helper()
			if math.Abs(float64(got)-want) > 2e-6*(1+math.Abs(want)) {
				t.Fatalf("%s: %g, want %g", what, got, want)
			}
		}
		b.Magnitude(absolute, s)
		for i := range absolute {
			near("magnitude", absolute[i], cmplx.Abs(at(before, i/lanes, i%lanes)))
		}
		b.Power(absolute, s)
		for i := range absolute {
			near("power", absolute[i], math.Pow(cmplx.Abs(at(before, i/lanes, i%lanes)), 2))
		}
		b.Project(s, previous, magnitude, 0.5)
		for bin := range bins {
			for lane := range lanes {
				moved := at(before, bin, lane) - 0.5*at(last, bin, lane)
				want := moved * complex(float64(magnitude[bin*lanes+lane])/cmplx.Abs(moved), 0)
				near("projected", s[2*bin*lanes+lane], real(want))
				near("projected", s[(2*bin+1)*lanes+lane], imag(want))
				near("previous", previous[2*bin*lanes+lane], real(at(before, bin, lane)))
			}
		}
		f := b.NewFilters([]int{0, 5, 9}, [][]float32{{1, 2}, {}, {0.5, 0.25, 4}})
		out := b.Rows(3)
		b.Apply(out, magnitude, f)
		for lane := range lanes {
			m := func(bin int) float64 { return float64(magnitude[bin*lanes+lane]) }
			near("filter 0", out[lane], m(0)+2*m(1))
			near("filter 1", out[lanes+lane], 0)
			near("filter 2", out[2*lanes+lane], 0.5*m(9)+0.25*m(10)+4*m(11))
		}
		for _, n := range []int{2, 6, 16, 18, 64, 66} {
			src, dst, rows := noise(lanes*n, uint64(n)), make([]float32, lanes*n), b.Rows(n)
			b.Gather(rows, src, n, n)
			b.Scatter(dst, n, rows, n)
			for i := range src {
				if src[i] != dst[i] || rows[i%n*lanes+i/n] != src[i] {
					t.Fatalf("%d rows: value %d did not come back", n, i)
				}
			}
		}
	})
}

// TestProjectOfNothing keeps silent bins finite.
func TestProjectOfNothing(t *testing.T) {
	forClasses(t, func(t *testing.T, k kernels) {
		b, err := newBatch(k, 32, nil, nil)
		if err != nil {
			t.Fatal(err)
		}
		s, previous, magnitude := b.Rows(2*b.Bins()), b.Rows(2*b.Bins()), b.Rows(b.Bins())
		for i := range magnitude {
			magnitude[i] = 1
		}
		b.Project(s, previous, magnitude, 0.5)
		for i, v := range s {
			if v != 0 {
				t.Fatalf("value %d is %g", i, v)
			}
		}
	})
}
