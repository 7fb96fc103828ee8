// Package metric computes figures of generated data, as pure functions of predictions and features.
//
// Shapes: probabilities and logits are [n][k], n clips by k labels; features are [n][d]. Every function checks that
// its tables are rectangular, not empty and finite, and returns an error that says where they are not. None keeps or
// changes what it is given; all are safe for concurrent use. What is random takes a seed.
//
// How to read them: accuracy, Fréchet and kernel distance, NDB and the two-sample test compare with real data
// directly. The inception scores measure mostly how confident the classifier is: read them as a ratio to those of
// real clips under the same, calibrated classifier.
package metric

import (
	"fmt"
	"math"
)

// table checks that x is rectangular, finite and has at least rows rows. It returns the number of columns.
func table(name string, x [][]float64, rows int) (columns int, err error) {
	if len(x) < rows {
		return 0, fmt.Errorf("metric: %s has %d rows, at least %d are needed", name, len(x), rows)
	}
	columns = len(x[0])
	if columns == 0 {
		return 0, fmt.Errorf("metric: %s has no columns", name)
	}
	for i, row := range x {
		if len(row) != columns {
			return 0, fmt.Errorf("metric: row %d of %s has %d values, row 0 has %d", i, name, len(row), columns)
		}
		for j, v := range row {
			if math.IsNaN(v) || math.IsInf(v, 0) {
				return 0, fmt.Errorf("metric: row %d of %s has %v in column %d", i, name, v, j)
			}
		}
	}
	return columns, nil
}

// pair checks two tables of equal width.
func pair(nameX string, x [][]float64, nameY string, y [][]float64, rows int) (columns int, err error) {
	columns, err = table(nameX, x, rows)
	if err != nil {
		return 0, err
	}
	other, err := table(nameY, y, rows)
	if err != nil {
		return 0, err
	}
	if other != columns {
		return 0, fmt.Errorf("metric: %s has %d columns, %s has %d", nameX, columns, nameY, other)
	}
	return columns, nil
}

// classes checks that there is one label in [0, k) for each of n rows.
func classes(name string, labels []int, n, k int) error {
	if len(labels) != n {
		return fmt.Errorf("metric: %d %s for %d clips", len(labels), name, n)
	}
	for i, l := range labels {
		if l < 0 || l >= k {
			return fmt.Errorf("metric: %s of clip %d is %d, outside 0 to %d", name, i, l, k-1)
		}
	}
	return nil
}
