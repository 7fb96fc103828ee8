package kernel

import "math"

// Sum returns the sum of x.
func Sum(x []float32) float64 {
	var s float64
	for _, v := range x {
		s += float64(v)
	}
	return s
}

// SumSquares returns the sum of x².
func SumSquares(x []float32) float64 {
	var s float64
	for _, v := range x {
		s += float64(v) * float64(v)
	}
	return s
}

// Dot returns the sum of x*y.
func Dot(x, y []float32) float64 {
	same("Dot", len(x), len(y))
	var s float64
	for i, v := range x {
		s += float64(v) * float64(y[i])
	}
	return s
}

// SumSquaredDiff returns the sum of (x-y)².
func SumSquaredDiff(x, y []float32) float64 {
	same("SumSquaredDiff", len(x), len(y))
	var s float64
	for i, v := range x {
		d := float64(v - y[i])
		s += d * d
	}
	return s
}

// SumAbsDiff returns the sum of |x-y|.
func SumAbsDiff(x, y []float32) float64 {
	same("SumAbsDiff", len(x), len(y))
	var s float64
	for i, v := range x {
		s += math.Abs(float64(v - y[i]))
	}
	return s
}

// MaxAbs returns the largest |x|, 0 for an empty slice, and NaN if x holds one.
func MaxAbs(x []float32) float32 {
	var m float32
	for _, v := range x {
		if v != v {
			return v
		}
		m = max(m, v, -v)
	}
	return m
}
