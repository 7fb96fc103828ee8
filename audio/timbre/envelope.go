package timbre

import "math"

// within gives the half-open range from the first to the last value of |x| above db relative to the largest. x has a value
// that is not zero.
func within(x []float64, db float64) (lo, hi int) {
	threshold := largest(x) * math.Pow(10, db/20)
	for lo, hi = 0, len(x); lo < hi && math.Abs(x[lo]) <= threshold; {
		lo++
	}
	for hi > lo && math.Abs(x[hi-1]) <= threshold {
		hi--
	}
	return lo, hi
}

func largest(x []float64) float64 {
	var most float64
	for _, v := range x {
		most = max(most, math.Abs(v))
	}
	return most
}

// envelope is the root mean square over windows of so many ms about each sample of x; outside x there is silence.
func envelope(x []float64, ms float64) []float64 {
	width := max(1, int(rate*ms/1000))
	sums := make([]float64, len(x)+1)
	for i, v := range x {
		sums[i+1] = sums[i] + v*v
	}
	ahead := (width - 1) / 2
	out := make([]float64, len(x))
	for i := range out {
		hi, lo := min(len(x), i+ahead+1), max(0, i+ahead+1-width)
		out[i] = math.Sqrt((sums[hi] - sums[lo]) / float64(width))
	}
	return out
}

// aboutTrend takes the cubic polynomial that is nearest in the least squares from evenly spaced levels, in place.
func aboutTrend(levels []float64) {
	n := len(levels)
	before, current := make([]float64, n), make([]float64, n)
	for i := range current {
		current[i] = 1
	}
	// Polynomials that are orthogonal on the grid, by their recurrence; the even ones have no odd part.
	previousNorm := 1.0
	for degree := 0; degree <= 3 && degree < n; degree++ {
		var norm, along float64
		for i, p := range current {
			norm += p * p
			along += p * levels[i]
		}
		for i, p := range current {
			levels[i] -= along / norm * p
			before[i], current[i] = p, position(i, n)*p-norm/previousNorm*before[i]
		}
		previousNorm = norm
	}
}

// position of point i of n in [-1, 1].
func position(i, n int) float64 { return 2*float64(i)/float64(max(n-1, 1)) - 1 }

// deviation is the root of the mean square about the mean, NaN without values.
func deviation(x []float64) float64 {
	var sum, squares float64
	for _, v := range x {
		sum += v
	}
	mean := sum / float64(len(x))
	for _, v := range x {
		squares += (v - mean) * (v - mean)
	}
	return math.Sqrt(squares / float64(len(x)))
}

// attack is Measures.Attack of a clip without the silence about it.
func attack(y []float64) float64 {
	e := envelope(y, 1)
	peak := 0
	for i, v := range e {
		if v > e[peak] {
			peak = i
		}
	}
	start := peak
	for start > 0 && e[start] >= 0.1*e[peak] {
		start--
	}
	high := start
	for e[high] < 0.9*e[peak] {
		high++
	}
	return float64(high-start) / rate * 1000
}
