package monitor

import (
	"errors"
	"math"

	"gonum.org/v1/gonum/mat"

	"wavemill/models"
)

// Sizes of the features.
const (
	grid       = 16 // cells along each axis, at most
	components = 32 // principal components kept, at most
)

// featuresOf returns for every clip the mean of each cell of a grid over its spectrogram, and the deviation within
// it. The means are the coarse shape; the deviations tell grain from blur.
func featuresOf(b models.Batch) [][]float64 {
	rows, columns := min(grid, b.T), min(grid, b.F)
	out := make([][]float64, b.B)
	for i := range out {
		x := b.Clip(i)
		f := make([]float64, 0, 2*rows*columns)
		for r := range rows {
			for c := range columns {
				mean, deviation := cell(x, b.F, r*b.T/rows, (r+1)*b.T/rows, c*b.F/columns, (c+1)*b.F/columns)
				f = append(f, mean, deviation)
			}
		}
		out[i] = f
	}
	return out
}

// cell returns mean and standard deviation of the values of frames t0 to t1 and bins f0 to f1.
func cell(x []float32, bins, t0, t1, f0, f1 int) (mean, deviation float64) {
	var sum, squares float64
	for t := t0; t < t1; t++ {
		for _, v := range x[t*bins+f0 : t*bins+f1] {
			sum += float64(v)
			squares += float64(v) * float64(v)
		}
	}
	n := float64((t1 - t0) * (f1 - f0))
	mean = sum / n
	return mean, math.Sqrt(max(squares/n-mean*mean, 0))
}

// A basis is the principal components of recordings' features.
type basis struct {
	mean []float64
	axes *mat.Dense // [features, components]
}

// newBasis finds the principal components that the number of clips allows: a quarter of it, at most 32.
func newBasis(features [][]float64) (*basis, error) {
	n, d := len(features), len(features[0])
	b := &basis{mean: means(features)}
	centred := mat.NewDense(n, d, nil)
	for i, f := range features {
		for j, v := range f {
			centred.Set(i, j, v-b.mean[j])
		}
	}
	// Of the covariance and the matrix of inner products, which have the same eigenvalues, the smaller is taken apart.
	var square mat.SymDense
	if n < d {
		square.SymOuterK(1, centred)
	} else {
		square.SymOuterK(1, centred.T())
	}
	var eigen mat.EigenSym
	if !eigen.Factorize(&square, true) {
		return nil, errors.New("the recordings' principal components cannot be found")
	}
	var vectors mat.Dense
	eigen.VectorsTo(&vectors)
	k := varying(eigen.Values(nil), n, min(components, max(1, n/4), d))
	if k == 0 {
		return nil, errEqual
	}
	_, all := vectors.Dims()
	b.axes = mat.NewDense(d, k, nil)
	chosen := vectors.Slice(0, all, all-k, all) // values come in ascending order
	if n >= d {
		b.axes.Copy(chosen)
		return b, nil
	}
	b.axes.Mul(centred.T(), chosen)
	for j := range k {
		norm := mat.Norm(b.axes.ColView(j), 2)
		for i := range d {
			b.axes.Set(i, j, b.axes.At(i, j)/norm)
		}
	}
	return b, nil
}

// errEqual is the error of newBasis where the recordings have no principal components.
var errEqual = errors.New("the recordings are equal")

// leastVariance is the variance of a component below which it is rounding: features are means of float32 values in
// [-1, 1], which are exact to some 1e-7.
const leastVariance = 1e-12

// varying returns how many of the k largest eigenvalues, which come in ascending order, are those of components along which
// n clips differ.
func varying(values []float64, n, k int) int {
	for k > 0 && !(values[len(values)-k] > leastVariance*float64(n)) {
		k--
	}
	return k
}

// project returns the components of each clip's features.
func (b *basis) project(features [][]float64) [][]float64 {
	_, k := b.axes.Dims()
	out := make([][]float64, len(features))
	for i, f := range features {
		out[i] = make([]float64, k)
		for j, v := range f {
			row := b.axes.RawRowView(j)
			for c := range out[i] {
				out[i][c] += (v - b.mean[j]) * row[c]
			}
		}
	}
	return out
}

func means(x [][]float64) []float64 {
	m := make([]float64, len(x[0]))
	for _, row := range x {
		for j, v := range row {
			m[j] += v / float64(len(x))
		}
	}
	return m
}
