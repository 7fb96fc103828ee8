package stats

import "math"

// AboutMean returns x less the mean of the width values about each, of fewer at the ends. width is odd and positive.
func AboutMean(x []float64, width int) []float64 {
	sums := make([]float64, len(x)+1)
	for i, v := range x {
		sums[i+1] = sums[i] + v
	}
	out := make([]float64, len(x))
	for i, v := range x {
		lo, hi := max(0, i-width/2), min(len(x), i+width/2+1)
		out[i] = v - (sums[hi]-sums[lo])/float64(hi-lo)
	}
	return out
}

// Correlation is Pearson's of two series of one length, 0 where one is constant or empty.
func Correlation(a, b []float64) float64 {
	var meanA, meanB float64
	for i := range a {
		meanA += a[i] / float64(len(a))
		meanB += b[i] / float64(len(a))
	}
	var aa, bb, ab float64
	for i := range a {
		da, db := a[i]-meanA, b[i]-meanB
		aa, bb, ab = aa+da*da, bb+db*db, ab+da*db
	}
	if aa == 0 || bb == 0 {
		return 0
	}
	return ab / math.Sqrt(aa*bb)
}
