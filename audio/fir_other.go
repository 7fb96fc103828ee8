//go:build !amd64

package audio

import (
	"github.com/tphakala/simd/f32"

	"wavemill/internal/cpu"
)

// firs lists the kernels that the class can run: none, which leaves dot products.
func firs(cpu.Class) []fir { return nil }

// dotOf returns the dot product of a class. The only class here is cpu.Go, whose results may differ
// between architectures, so the SIMD instructions of package f32 (NEON) are used.
func dotOf(cpu.Class) func(a, b []float32) float32 { return f32.DotProduct }
