package fft

import (
	"fmt"
	"math"
	"math/cmplx"
	"math/rand/v2"
	"testing"

	"gonum.org/v1/gonum/dsp/fourier"
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
			r := newReal(b)
			count := 2*k.lanes + 1
			x, back, s := noise(n*count, uint64(n)), make([]float32, n*count), make([]complex64, count*r.Bins())
			r.Forward(s, x)
			r.Inverse(back, s)
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
