package metric

import (
	"errors"
	"math"

	"gonum.org/v1/gonum/mat"
)

// KernelResampled returns the unbiased estimate of the squared maximum mean discrepancy between two sets of features under
// the cubic kernel (x·y/d + 1)³, known as the kernel inception distance. Its expectation does not depend on the number of
// clips and is 0 for equal distributions, so that it may be slightly negative. The whole sets are used, which has less
// variance than the usual mean over subsets of them. Source: Bińkowski et al., Demystifying MMD GANs, 2018.
//
// It also returns the estimates on resamples of x: counts[r][i] says how often resample r holds row i of x.
// A row is never compared with its own copies, so that duplicates in a resample do not bias the estimate. Memory is a
// block of 256 rows of the kernel matrix; time is one multiplication of the counts by that matrix: 200 resamples of 2,000
// rows take about a second.
func KernelResampled(x, y, counts [][]float64) (value float64, resampled []float64, err error) {
	d, err := pair("x", x, "y", y, 2)
	if err != nil {
		return 0, nil, err
	}
	return discrepancy(dense(x, d), dense(y, d), counts, func(product, _, _ float64) float64 {
		v := product/float64(d) + 1
		return v * v * v
	})
}

// A kernel is the likeness of two rows, given their inner product and their squared lengths.
type kernel func(product, xx, yy float64) float64

// discrepancy is the unbiased estimate of the squared maximum mean discrepancy, also on resamples of x.
func discrepancy(x, y *mat.Dense, counts [][]float64, k kernel) (value float64, resampled []float64, err error) {
	n, _ := x.Dims()
	m, _ := y.Dims()
	wx, wy := weights(counts, n), weights(nil, m)
	xx := kernelSums(x, x, k, wx, wx)
	yy := kernelSums(y, y, k, wy, wy)[0] / pairs(wy, 0)
	xy := kernelSums(x, y, k, wx, wy)
	for r := range xx {
		v := xx[r]/pairs(wx, r) + yy - 2*xy[r]/(rowSum(wx, r)*float64(m))
		if math.IsNaN(v) || math.IsInf(v, 0) {
			return 0, nil, errors.New("metric: the features are too large: their products overflow")
		}
		xx[r] = v
	}
	return xx[0], xx[1:], nil
}

// weights are a row of ones, for the set itself, and below it the counts of each resample.
func weights(counts [][]float64, n int) *mat.Dense {
	w := mat.NewDense(len(counts)+1, n, nil)
	for i := range n {
		w.Set(0, i, 1)
	}
	for r, row := range counts {
		w.SetRow(r+1, row)
	}
	return w
}

func rowSum(w *mat.Dense, r int) float64 {
	var s float64
	for _, v := range w.RawRowView(r) {
		s += v
	}
	return s
}

// pairs is the number of ordered pairs of different rows in resample r.
func pairs(w *mat.Dense, r int) float64 {
	var s, squares float64
	for _, v := range w.RawRowView(r) {
		s += v
		squares += v * v
	}
	return math.Max(s*s-squares, 1)
}

// kernelSums returns for each row r of wx Σ wx[r][i] wy[r][j] k(x_i, y_j), without i = j where x is y. A wy of one row
// serves every r.
func kernelSums(x, y *mat.Dense, k kernel, wx, wy *mat.Dense) []float64 {
	const block = 256 // rows of x at a time
	n, d := x.Dims()
	m, _ := y.Dims()
	lengthsX, lengthsY := squaredLengths(x), squaredLengths(y)
	resamples, _ := wx.Dims()
	rowsY, _ := wy.Dims()
	same := x == y
	total := mat.NewDense(resamples, m, nil)
	for lo := 0; lo < n; lo += block {
		hi := min(lo+block, n)
		var values, part mat.Dense
		values.Mul(x.Slice(lo, hi, 0, d), y.T())
		for i := range hi - lo {
			row := values.RawRowView(i)
			for j, v := range row {
				row[j] = k(v, lengthsX[lo+i], lengthsY[j])
			}
			if same {
				row[lo+i] = 0
			}
		}
		part.Mul(wx.Slice(0, resamples, lo, hi), &values)
		total.Add(total, &part)
	}
	sums := make([]float64, resamples)
	for r := range sums {
		sums[r] = dot(total.RawRowView(r), wy.RawRowView(min(r, rowsY-1)))
	}
	return sums
}

func squaredLengths(x *mat.Dense) []float64 {
	n, _ := x.Dims()
	out := make([]float64, n)
	for i := range out {
		out[i] = norm2(x.RawRowView(i))
	}
	return out
}
