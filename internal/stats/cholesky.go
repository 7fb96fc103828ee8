package stats

import (
	"errors"

	"gonum.org/v1/gonum/mat"
)

// CholeskyRidge returns the lower Cholesky factor L of c + r*I, row-major [n, n] with zeros above the
// diagonal, and the ridge r that was added: the smallest of least, 10*least, 100*least and so on for which
// the sum is positive definite. A covariance of fewer rows than columns has directions without variance,
// which rounding makes slightly negative; they get the standard deviation sqrt(r). It returns an error if
// no r below 1 suffices: c has values that are not finite, or is no covariance of values near 1.
func CholeskyRidge(c mat.Symmetric, least float64) (lower []float64, ridge float64, err error) {
	if !(least > 0) {
		return nil, 0, errors.New("stats: the least ridge of a Cholesky factor must be positive")
	}
	n := c.SymmetricDim()
	ridged := mat.NewSymDense(n, nil)
	var ch mat.Cholesky
	for ridge = least; ridge < 1; ridge *= 10 {
		ridged.CopySym(c)
		for i := range n {
			ridged.SetSym(i, i, ridged.At(i, i)+ridge)
		}
		if !ch.Factorize(ridged) {
			continue
		}
		var l mat.TriDense
		ch.LTo(&l)
		lower = make([]float64, n*n)
		for i := range n {
			for j := range i + 1 {
				lower[i*n+j] = l.At(i, j)
			}
		}
		return lower, ridge, nil
	}
	return nil, 0, errors.New("stats: the covariance has no Cholesky factor: its values are not finite or far from those of a covariance")
}
