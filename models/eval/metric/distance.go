package metric

import (
	"errors"
	"math"

	"gonum.org/v1/gonum/mat"
	"gonum.org/v1/gonum/stat"
)

// Frechet is the squared Fréchet (2-Wasserstein) distance between the normal distributions fitted to two sets of
// features, |mx - my|² + tr(Sx + Sy - 2 (Sx Sy)^½), with unbiased covariances. It shrinks with the number of clips in
// the smaller set: compare only figures from sets of equal sizes.
//
// The trace of the root is that of (Sx^½ Sy Sx^½)^½, a symmetric positive semi-definite matrix, so that singular
// covariances (fewer clips than features) need no ridge and no complex numbers.
//
// Source: Heusel et al., GANs Trained by a Two Time-Scale Update Rule, 2017; Dowson and Landau, 1982.
func Frechet(x, y [][]float64) (float64, error) {
	d, err := pair("x", x, "y", y, 2)
	if err != nil {
		return 0, err
	}
	mx, sx := gaussian(x, d)
	my, sy := gaussian(y, d)
	root, err := sqrtPSD(sx)
	if err != nil {
		return 0, err
	}
	var half, product mat.Dense
	half.Mul(root, sy)
	product.Mul(&half, root)
	inner := mat.NewSymDense(d, nil)
	for i := range d {
		for j := i; j < d; j++ {
			inner.SetSym(i, j, (product.At(i, j)+product.At(j, i))/2)
		}
	}
	values, err := eigenvalues(inner)
	if err != nil {
		return 0, err
	}
	total := mat.Trace(sx) + mat.Trace(sy)
	for _, v := range values {
		total -= 2 * math.Sqrt(math.Max(v, 0))
	}
	for i := range mx {
		total += (mx[i] - my[i]) * (mx[i] - my[i])
	}
	return math.Max(total, 0), nil
}

// gaussian returns the mean and the unbiased covariance of the rows.
func gaussian(x [][]float64, d int) ([]float64, *mat.SymDense) {
	m := dense(x, d)
	mean := make([]float64, d)
	for j := range d {
		mean[j] = stat.Mean(mat.Col(nil, j, m), nil)
	}
	cov := mat.NewSymDense(d, nil)
	stat.CovarianceMatrix(cov, m, nil)
	return mean, cov
}

func dense(x [][]float64, d int) *mat.Dense {
	m := mat.NewDense(len(x), d, nil)
	for i, row := range x {
		m.SetRow(i, row)
	}
	return m
}

var errEigen = errors.New("metric: the eigenvalues of a covariance matrix did not converge")

func eigenvalues(s *mat.SymDense) ([]float64, error) {
	var e mat.EigenSym
	if !e.Factorize(s, false) {
		return nil, errEigen
	}
	return e.Values(nil), nil
}

// sqrtPSD returns the symmetric root of a positive semi-definite matrix; eigenvalues below zero are rounding errors.
func sqrtPSD(s *mat.SymDense) (*mat.Dense, error) {
	var e mat.EigenSym
	if !e.Factorize(s, true) {
		return nil, errEigen
	}
	var v, scaled, root mat.Dense
	e.VectorsTo(&v)
	scaled.CloneFrom(&v)
	for j, value := range e.Values(nil) {
		r := math.Sqrt(math.Max(value, 0))
		for i := range s.SymmetricDim() {
			scaled.Set(i, j, scaled.At(i, j)*r)
		}
	}
	root.Mul(&scaled, v.T())
	return &root, nil
}

// Kernel is the unbiased estimate of the squared maximum mean discrepancy between two sets of features under the
// cubic kernel (x·y/d + 1)³, known as the kernel inception distance. Its expectation does not depend on the number of
// clips and is 0 for equal distributions, so that it may be slightly negative. The whole sets are used, which has less
// variance than the usual mean over subsets of them.
//
// Source: Bińkowski et al., Demystifying MMD GANs, 2018.
func Kernel(x, y [][]float64) (float64, error) {
	d, err := pair("x", x, "y", y, 2)
	if err != nil {
		return 0, err
	}
	mx, my := dense(x, d), dense(y, d)
	xx, xxDiagonal := kernelSums(mx, mx, d)
	yy, yyDiagonal := kernelSums(my, my, d)
	xy, _ := kernelSums(mx, my, d)
	n, m := float64(len(x)), float64(len(y))
	return (xx-xxDiagonal)/(n*(n-1)) + (yy-yyDiagonal)/(m*(m-1)) - 2*xy/(n*m), nil
}

// kernelSums returns the sum of the kernel over all pairs, and over those of equal index.
func kernelSums(x, y *mat.Dense, d int) (sum, diagonal float64) {
	var g mat.Dense
	g.Mul(x, y.T())
	rows, columns := g.Dims()
	for i := range rows {
		for j, v := range g.RawRowView(i)[:columns] {
			k := v/float64(d) + 1
			k = k * k * k
			sum += k
			if i == j {
				diagonal += k
			}
		}
	}
	return sum, diagonal
}
