package metric

import (
	"errors"
	"fmt"
	"math"

	"gonum.org/v1/gonum/mat"
	"gonum.org/v1/gonum/stat"
)

// Frechet is the squared Fréchet (2-Wasserstein) distance between the normal distributions fitted to two sets of
// features, |mx - my|² + tr(Sx + Sy - 2 (Sx Sy)^½), with unbiased covariances. It shrinks with the number of clips in
// the smaller set: compare only figures from sets of equal sizes.
//
// The trace of the root is that of (Sx^½ Sy Sx^½)^½, a symmetric positive semi-definite matrix, so that singular
// covariances (fewer clips than features, constant features, equal clips) need no ridge and no complex numbers. A
// result below 1e-12 of the features' squared magnitude is rounding error and returned as 0. Features whose squares
// overflow are an error.
//
// Source: Heusel et al., GANs Trained by a Two Time-Scale Update Rule, 2017; Dowson and Landau, 1982.
func Frechet(x, y [][]float64) (float64, error) {
	reference, err := NewReference(y)
	if err != nil {
		return 0, err
	}
	return reference.Frechet(x)
}

// A Reference is a normal distribution fitted to a set of features. It holds the root of its covariance, so that
// several sets are compared with one at half the cost of [Frechet]. It is safe for concurrent use.
type Reference struct {
	mean []float64
	cov  *mat.SymDense
	root *mat.Dense // symmetric root of cov
}

// NewReference fits a normal distribution to features, at least two rows.
func NewReference(features [][]float64) (*Reference, error) {
	d, err := table("the reference", features, 2)
	if err != nil {
		return nil, err
	}
	r := &Reference{}
	r.mean, r.cov = gaussian(features, d)
	if err := finite(r.mean, r.cov); err != nil {
		return nil, err
	}
	r.root, err = sqrtPSD(r.cov)
	return r, err
}

// Spread is the trace of the covariance: the mean squared distance from the mean. Where it is 0, all rows are equal and
// distances to the reference have no scale.
func (r *Reference) Spread() float64 {
	spread := mat.Trace(r.cov)
	if spread <= rounding*norm2(r.mean) {
		return 0
	}
	return spread
}

// Frechet is [Frechet] between x and the features of the reference.
func (r *Reference) Frechet(x [][]float64) (float64, error) {
	d, err := table("x", x, 2)
	if err != nil {
		return 0, err
	}
	if d != len(r.mean) {
		return 0, fmt.Errorf("metric: x has %d columns, the reference has %d", d, len(r.mean))
	}
	mean, cov := gaussian(x, d)
	if err := finite(mean, cov); err != nil {
		return 0, err
	}
	var half, product mat.Dense
	half.Mul(r.root, cov)
	product.Mul(&half, r.root)
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
	total := mat.Trace(cov) + mat.Trace(r.cov)
	magnitude := total + norm2(mean) + norm2(r.mean)
	for _, v := range values {
		total -= 2 * math.Sqrt(math.Max(v, 0))
	}
	for i := range mean {
		total += (mean[i] - r.mean[i]) * (mean[i] - r.mean[i])
	}
	if total <= rounding*magnitude {
		return 0, nil
	}
	return total, nil
}

// rounding is the relative size below which a sum of squares is rounding error.
const rounding = 1e-12

// norm2 is the squared length of x.
func norm2(x []float64) float64 { return dot(x, x) }

// finite refuses moments that have overflowed, on which the eigenvalue routines would fail.
func finite(mean []float64, cov *mat.SymDense) error {
	sum := norm2(mean)
	for i := range cov.SymmetricDim() {
		for j := range i + 1 {
			sum += math.Abs(cov.At(i, j))
		}
	}
	if math.IsNaN(sum) || math.IsInf(sum, 0) {
		return errors.New("metric: the features are too large: their squares overflow")
	}
	return nil
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
