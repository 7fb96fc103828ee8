package metric

import (
	"errors"
	"math"

	"wavemill/internal/stats"
)

const (
	// audioKernelScale is the factor by which the distance is published, so that it is read without leading zeros.
	audioKernelScale = 100
	// bandwidthRows is how many rows the bandwidth is taken from at most, spread evenly.
	bandwidthRows = 1000
)

// ErrNoSpread says that the rows of a reference are all equal, so that distances to it have no scale.
var ErrNoSpread = errors.New("metric: all rows of the reference are equal")

// AudioKernelResampled is the kernel audio distance between features and those of a reference y: 100 times the unbiased
// estimate of the squared maximum mean discrepancy under the kernel exp(-|a-b|²/2s²), whose bandwidth s is the median
// distance between rows of y. Like KernelResampled it does not depend on the number of clips in the mean, and it also
// returns the estimates on resamples of x. It is at most 200, and the kernel sees differences beyond the third moments,
// which that of KernelResampled does not. Source: Chung et al., KAD: No More FAD! An Effective and Efficient Evaluation
// Metric for Audio Generation, 2025 (arXiv 2502.15602).
func AudioKernelResampled(x, y, counts [][]float64) (value float64, resampled []float64, err error) {
	d, err := pair("x", x, "y", y, 2)
	if err != nil {
		return 0, nil, err
	}
	s := bandwidth(y)
	if s == 0 {
		return 0, nil, ErrNoSpread
	}
	value, resampled, err = discrepancy(dense(x, d), dense(y, d), counts, func(product, xx, yy float64) float64 {
		return math.Exp(-max(xx+yy-2*product, 0) / (2 * s * s))
	})
	for i := range resampled {
		resampled[i] *= audioKernelScale
	}
	return audioKernelScale * value, resampled, err
}

// bandwidth is the median distance between different rows.
func bandwidth(y [][]float64) float64 {
	n := min(len(y), bandwidthRows)
	rows := make([][]float64, n)
	for i := range rows {
		rows[i] = y[i*len(y)/n]
	}
	distances := make([]float64, 0, n*(n-1)/2)
	for i, a := range rows {
		for _, b := range rows[:i] {
			var squared float64
			for k := range a {
				squared += (a[k] - b[k]) * (a[k] - b[k])
			}
			distances = append(distances, math.Sqrt(squared))
		}
	}
	return stats.Median(distances)
}
