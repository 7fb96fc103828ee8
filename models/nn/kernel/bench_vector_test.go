package kernel

import (
	"fmt"
	"math/rand/v2"
	"testing"
	"time"
)

// BenchmarkVector times the memory-bound operations on the largest activations of
// the reference networks; GB/s counts every operand once.
func BenchmarkVector(b *testing.B) {
	const rows, c = 64 * 32 * 32, 32
	rng := rand.New(rand.NewPCG(1, 1))
	x, y, d, e := randoms(rng, rows*c), randoms(rng, rows*c), make([]float32, rows*c), make([]float32, rows*c)
	p := [6][]float32{}
	for i := range p {
		p[i] = randoms(rng, c)
	}
	for _, threads := range []int{1, 2} {
		for _, k := range supported() {
			for _, o := range []struct {
				name    string
				streams int
				f       func()
			}{
				{"add", 3, func() { k.each(opAdd, scalars{}, [5][]float32{d, x, y}) }},
				{"leaky", 2, func() { k.each(opLeaky, scalars{0.2}, [5][]float32{d, x}) }},
				{"tanh", 2, func() { k.each(opTanh, scalars{}, [5][]float32{d, x}) }},
				{"sigmoid", 2, func() { k.each(opSigmoid, scalars{}, [5][]float32{d, x}) }},
				{"silu-grad", 3, func() { k.each(opSiLUGrad, scalars{}, [5][]float32{d, x, y}) }},
				{"sum-squares", 1, func() { k.reduce(opSumSquares, x, nil) }},
				{"act-grad-sums", 3, func() { k.actGradSums(ActLeakyReLU, 0.2, d, x, y, p[0], false) }},
				{"moments", 1, func() { k.moments(p[0], p[1], x) }},
				{"scale-shift-relu", 2, func() { k.scaleShift(d, x, p[0], p[1], ActReLU, 0) }},
				{"norm-grad-sums", 2, func() { k.normGradSums(p[0], p[1], y, x, p[2], p[3], p[4], p[5], 0) }},
				{"norm-grad", 3, func() { k.normGrad(d, y, x, p[2], p[3], p[4], p[5], 0) }},
				{"adam", 7, func() {
					k.adam(AdamStep{LearningRate: 1e-9, Beta1: 0.5, Beta2: 0.999, Epsilon: 1e-8, Step: 1}, d, x, e, y, nil)
				}},
			} {
				b.Run(fmt.Sprintf("%s/%s/threads=%d", k, o.name, threads), func(b *testing.B) {
					SetThreads(threads)
					defer SetThreads(0)
					clear(e)
					best := time.Duration(1 << 62)
					b.ReportAllocs()
					for b.Loop() {
						start := time.Now()
						o.f()
						best = min(best, time.Since(start))
					}
					b.ReportMetric(float64(best.Nanoseconds())/1e3, "best-µs")
					b.ReportMetric(float64(4*rows*c*o.streams)/float64(best.Nanoseconds()), "GB/s")
				})
			}
		}
	}
}
