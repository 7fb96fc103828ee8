package audio

import "github.com/tphakala/simd/f32"

// squares is the sum of the squares of x.
func squares(x []float32) float64 { return float64(f32.SumOfSquares(x)) }
