package audio

import (
	"github.com/tphakala/simd/f32"

	"wavemill/internal/cpu"
)

// dotOf returns the dot product of a class. The only class here is cpu.Go, whose results may differ
// between architectures, so the SIMD instructions of package f32 (NEON) are used.
func dotOf(cpu.Class) func(a, b []float32) float32 { return f32.DotProduct }

// squares is the sum of the squares of x.
func squares(x []float32) float64 { return float64(f32.SumOfSquares(x)) }
