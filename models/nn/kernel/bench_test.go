package kernel

import (
	"fmt"
	"math/rand/v2"
	"testing"
	"time"
)

// The layers of the reference networks at batch 64; a transposed layer is the
// back-data of the geometry of the same line.
var layers = []struct {
	name string
	conv Conv
}{
	{"1-32", Conv{N: 64, H: 64, W: 64, C: 1, Co: 32, KH: 4, KW: 4, Stride: 2, Pad: 1}},
	{"32-64", Conv{N: 64, H: 32, W: 32, C: 32, Co: 64, KH: 4, KW: 4, Stride: 2, Pad: 1}},
	{"64-128", Conv{N: 64, H: 16, W: 16, C: 64, Co: 128, KH: 4, KW: 4, Stride: 2, Pad: 1}},
	{"128-256", Conv{N: 64, H: 8, W: 8, C: 128, Co: 256, KH: 4, KW: 4, Stride: 2, Pad: 1}},
	{"32-64-fast", Conv{N: 64, H: 32, W: 32, C: 32, Co: 64, KH: 4, KW: 4, Stride: 2, Pad: 1, Fast: true}},
	{"64-128-fast", Conv{N: 64, H: 16, W: 16, C: 64, Co: 128, KH: 4, KW: 4, Stride: 2, Pad: 1, Fast: true}},
	{"128-256-fast", Conv{N: 64, H: 8, W: 8, C: 128, Co: 256, KH: 4, KW: 4, Stride: 2, Pad: 1, Fast: true}},
	{"24-48-fast", Conv{N: 16, H: 24, W: 32, C: 24, Co: 48, KH: 4, KW: 4, Stride: 2, Pad: 1, Fast: true}},
	{"48-96-fast", Conv{N: 16, H: 12, W: 16, C: 48, Co: 96, KH: 4, KW: 4, Stride: 2, Pad: 1, Fast: true}},
	{"96-192-fast", Conv{N: 16, H: 6, W: 8, C: 96, Co: 192, KH: 4, KW: 4, Stride: 2, Pad: 1, Fast: true}},
	{"3x3-32-64", Conv{N: 32, H: 32, W: 32, C: 32, Co: 64, KH: 3, KW: 3, Stride: 1, Pad: 1}},
	{"3x3-16-32-fast", Conv{N: 16, H: 24, W: 32, C: 16, Co: 32, KH: 3, KW: 3, Stride: 1, Pad: 1, Fast: true}},
	{"3x3-32-64-fast", Conv{N: 16, H: 12, W: 16, C: 32, Co: 64, KH: 3, KW: 3, Stride: 1, Pad: 1, Fast: true}},
	{"3x3-64-128-fast", Conv{N: 16, H: 12, W: 16, C: 64, Co: 128, KH: 3, KW: 3, Stride: 1, Pad: 1, Fast: true}},
	{"3x3-64-128-small-fast", Conv{N: 16, H: 6, W: 8, C: 64, Co: 128, KH: 3, KW: 3, Stride: 1, Pad: 1, Fast: true}},
	{"3x3-128-256-fast", Conv{N: 16, H: 6, W: 8, C: 128, Co: 256, KH: 3, KW: 3, Stride: 1, Pad: 1, Fast: true}},
	{"3x3-128-256-small-fast", Conv{N: 16, H: 3, W: 4, C: 128, Co: 256, KH: 3, KW: 3, Stride: 1, Pad: 1, Fast: true}},
}

// BenchmarkConv times each layer's three passes. GFLOPS counts nominal
// operations (Conv.FLOPs); %peak is their share of the multiply-add loop, timed
// just before; real% leaves out the products with padding, which are not done.
func BenchmarkConv(b *testing.B) {
	rng := rand.New(rand.NewPCG(1, 1))
	for _, threads := range []int{1, 2} {
		for _, k := range supported() {
			for _, l := range layers {
				s := l.conv
				x, w, y := randoms(rng, s.InSize()), randoms(rng, s.WeightSize()), randoms(rng, s.OutSize())
				bias := randoms(rng, s.Co)
				for _, pass := range []struct {
					name string
					f    func()
				}{
					{"forward", func() { k.forward(s, x, w, y, Epilogue{Bias: bias, Act: ActLeakyReLU, Slope: 0.2}) }},
					{"back-data", func() { k.backData(s, y, w, x, Epilogue{}) }},
					{"back-weights", func() { k.backWeights(s, x, y, w, false) }},
				} {
					name := fmt.Sprintf("%s/%s/%s/threads=%d", k, l.name, pass.name, threads)
					b.Run(name, func(b *testing.B) { benchFLOPs(b, k, threads, s.FLOPs(), realFLOPs(s), pass.f) })
				}
			}
		}
	}
}

func BenchmarkGemm(b *testing.B) {
	rng := rand.New(rand.NewPCG(1, 1))
	for _, threads := range []int{1, 2} {
		for _, k := range supported() {
			for _, z := range [][3]int{{512, 512, 512}, {1024, 1024, 1024}, {64, 4096, 144}, {64, 144, 4096}, {64, 64, 4096}, {64, 1, 4096}} {
				m, n, depth := z[0], z[1], z[2]
				x, y, c := randoms(rng, m*depth), randoms(rng, n*depth), randoms(rng, m*n)
				flops := 2 * float64(m) * float64(n) * float64(depth)
				for _, v := range []struct {
					name   string
					ta, tb bool
				}{{"NN", false, false}, {"NT", false, true}, {"TN", true, false}} {
					lda, ldb := depth, n
					if v.ta {
						lda = m
					}
					if v.tb {
						ldb = depth
					}
					name := fmt.Sprintf("%s/%dx%dx%d/%s/threads=%d", k, m, n, depth, v.name, threads)
					b.Run(name, func(b *testing.B) {
						benchFLOPs(b, k, threads, flops, flops, func() { k.gemm(v.ta, v.tb, m, n, depth, x, lda, y, ldb, c, n, Epilogue{}) })
					})
				}
			}
		}
	}
}

// realFLOPs leaves out the taps that fall on padding.
func realFLOPs(s Conv) float64 {
	taps := func(in, out, k int) (n int) {
		for _, p := range forwardSpans(in, out, k, s.Stride, s.Pad) {
			n += p.num * (p.hi - p.lo)
		}
		return n
	}
	return 2 * float64(s.N*s.C*s.Co) * float64(taps(s.H, s.OutH(), s.KH)*taps(s.W, s.OutW(), s.KW))
}

// benchFLOPs reports the best of b.N runs, because other work disturbs the mean.
func benchFLOPs(b *testing.B, k class, threads int, flops, real float64, f func()) {
	SetThreads(threads)
	defer SetThreads(0)
	peak := k.peak(5*time.Millisecond) * float64(threads)
	f()
	best := time.Duration(1 << 62)
	b.ReportAllocs()
	for b.Loop() {
		start := time.Now()
		f()
		best = min(best, time.Since(start))
	}
	ns := float64(best.Nanoseconds())
	b.ReportMetric(ns/1e3, "best-µs")
	b.ReportMetric(flops/ns, "GFLOPS")
	b.ReportMetric(100*flops/ns/peak, "%peak")
	b.ReportMetric(100*real/ns/peak, "real%peak")
}
