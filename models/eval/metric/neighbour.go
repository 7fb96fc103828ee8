package metric

import (
	"fmt"
	"math"
	"slices"

	"gonum.org/v1/gonum/mat"
)

// Nearest returns, for each row of x, the index of the row of y at the smallest Euclidean distance (of equals the
// first), and that distance.
func Nearest(x, y [][]float64) (index []int, distance []float64, err error) {
	if _, err := pair("x", x, "y", y, 1); err != nil {
		return nil, nil, err
	}
	index, distance = nearest(x, y, false)
	return index, distance, nil
}

// Spacing returns the distance from each row of x to the nearest other row.
func Spacing(x [][]float64) ([]float64, error) {
	if _, err := table("x", x, 2); err != nil {
		return nil, err
	}
	_, distance := nearest(x, x, true)
	return distance, nil
}

// nearest is Nearest; with others, x is y and a row is not its own neighbour.
func nearest(x, y [][]float64, others bool) (index []int, distance []float64) {
	const block = 256 // rows of x at a time: a few MB of products
	d := len(x[0])
	index, distance = make([]int, len(x)), make([]float64, len(x))
	my, squares := dense(y, d), make([]float64, len(y))
	for j, row := range y {
		squares[j] = dot(row, row)
	}
	for lo := 0; lo < len(x); lo += block {
		part := x[lo:min(lo+block, len(x))]
		var g mat.Dense
		g.Mul(dense(part, d), my.T())
		for i := range part {
			// The products only rank; the distance of the winner is computed without their cancellation.
			best := math.Inf(1)
			for j, v := range g.RawRowView(i) {
				if s := squares[j] - 2*v; s < best && (!others || lo+i != j) {
					best, index[lo+i] = s, j
				}
			}
			distance[lo+i] = euclid(part[i], y[index[lo+i]])
		}
	}
	return index, distance
}

func dot(x, y []float64) float64 {
	var s float64
	for i, v := range x {
		s += v * y[i]
	}
	return s
}

func euclid(x, y []float64) float64 {
	var s float64
	for i, v := range x {
		s += (v - y[i]) * (v - y[i])
	}
	return math.Sqrt(s)
}

// TwoSampleHits are the cases of a leave-one-out 1-nearest-neighbour classifier of real and generated features: 1 for each
// row whose nearest neighbour is of its own kind, else 0. The mean of each half, its accuracy, is 0.5 when the sets cannot
// be distinguished. A higher mean of the real half says that parts of the real set are missing in the generated one. Below
// 0.5, generated clips sit on top of real ones. The sets must be of equal size.
//
// Source: Lopez-Paz and Oquab, Revisiting Classifier Two-Sample Tests, 2017; Xu et al., An empirical study on
// evaluation metrics of generative adversarial networks, 2018.
func TwoSampleHits(real, generated [][]float64) (ofReal, ofGenerated []float64, err error) {
	if _, err := pair("the real set", real, "the generated set", generated, 2); err != nil {
		return nil, nil, err
	}
	n := len(real)
	if len(generated) != n {
		return nil, nil, fmt.Errorf("metric: two-sample test of %d real and %d generated clips: the numbers must be equal", n, len(generated))
	}
	all := slices.Concat(real, generated)
	index, _ := nearest(all, all, true)
	hits := make([]float64, 2*n)
	for i, j := range index {
		if i/n == j/n {
			hits[i] = 1
		}
	}
	return hits[:n], hits[n:], nil
}
