package stats

import (
	"math"
	"slices"
)

// sortedQuantile returns the p-quantile of values in ascending order, 0 <= p <= 1: the value at position
// p*(n-1), interpolated linearly between neighbours. This is type 7 of Hyndman and Fan, "Sample quantiles
// in statistical packages", 1996, the default of NumPy and R. gonum's stat.Quantile offers types 1 and 4
// only, by which the median of two values is the lower one. It returns NaN if there is no value or p lies
// outside its range. Values must not be NaN.
func sortedQuantile(sorted []float64, p float64) float64 {
	if len(sorted) == 0 || !(p >= 0 && p <= 1) {
		return math.NaN()
	}
	at := p * float64(len(sorted)-1)
	low := int(at)
	high := min(low+1, len(sorted)-1)
	return sorted[low] + (at-float64(low))*(sorted[high]-sorted[low])
}

// Quantile returns the p-quantile of x in any order, see sortedQuantile.
func Quantile(x []float64, p float64) float64 {
	return sortedQuantile(slices.Sorted(slices.Values(x)), p)
}

// Quantiles returns a quantile of x for each p, see sortedQuantile. It sorts once.
func Quantiles(x []float64, p ...float64) []float64 {
	sorted := slices.Sorted(slices.Values(x))
	out := make([]float64, len(p))
	for i, v := range p {
		out[i] = sortedQuantile(sorted, v)
	}
	return out
}

// Median returns the 0.5-quantile: the middle value, or the mean of the two in the middle.
func Median(x []float64) float64 { return Quantile(x, 0.5) }
