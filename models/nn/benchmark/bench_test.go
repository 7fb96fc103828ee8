package benchmark_test

import (
	"testing"

	"wavemill/models/nn/benchmark"
)

// The benchmarks bear the names of the peer script, for benchstat.
func BenchmarkReference(b *testing.B) {
	for _, name := range benchmark.Names() {
		b.Run(name, func(b *testing.B) {
			w, err := benchmark.New(name)
			if err != nil {
				b.Fatal(err)
			}
			if err := w.Step(); err != nil { // warm up
				b.Fatal(err)
			}
			b.ReportAllocs()
			b.ResetTimer()
			for range b.N {
				if err := w.Step(); err != nil {
					b.Fatal(err)
				}
			}
			b.ReportMetric(w.FLOPs*float64(b.N)/float64(b.Elapsed().Nanoseconds()), "GFLOPS")
		})
	}
}
