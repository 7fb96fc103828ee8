package audio

import (
	"math"

	"github.com/tphakala/simd/f32"
)

// Peak is the largest absolute sample value over all channels, 0 for an empty clip. It is the
// sample peak, not the true (inter-sample) peak.
func (c Clip) Peak() float64 {
	if len(c.Samples) == 0 {
		return 0
	}
	return float64(f32.MaxAbs(c.Samples))
}

// RMS is the root of the mean square over all samples of all channels, 0 for an empty clip.
func (c Clip) RMS() float64 {
	if len(c.Samples) == 0 {
		return 0
	}
	return math.Sqrt(sumOfSquares(c.Samples) / float64(len(c.Samples)))
}

// sumOfSquares adds in blocks of float32 and across blocks in float64, so that its relative error
// stays near 1e-6 however long x is.
func sumOfSquares(x []float32) float64 {
	const block = 1024
	var sum float64
	for len(x) > block {
		sum += squares(x[:block])
		x = x[block:]
	}
	return sum + squares(x)
}

// Decibels is 20*log10(v), the level of an amplitude relative to full scale; -Inf for 0.
func Decibels(v float64) float64 {
	return 20 * math.Log10(v)
}

// Amplitude is the inverse of Decibels: 10^(db/20).
func Amplitude(db float64) float64 {
	return math.Pow(10, db/20)
}
