package metric

import "errors"

// Confusion counts how often clips of each label (row) were assigned each label (column), [k][k].
func Confusion(labels, assigned []int, k int) ([][]int, error) {
	if err := classes("labels", labels, len(labels), k); err != nil {
		return nil, err
	}
	if err := classes("predictions", assigned, len(labels), k); err != nil {
		return nil, err
	}
	c := make([][]int, k)
	for i := range c {
		c[i] = make([]int, k)
	}
	for i, l := range labels {
		c[l][assigned[i]]++
	}
	return c, nil
}

// Accuracy is the share of clips that were assigned their label: for generated clips, the requested one.
func Accuracy(labels, assigned []int) (float64, error) {
	if len(labels) == 0 || len(labels) != len(assigned) {
		return 0, errors.New("metric: accuracy needs one prediction per label, and at least one")
	}
	right := 0
	for i, l := range labels {
		if assigned[i] == l {
			right++
		}
	}
	return float64(right) / float64(len(labels)), nil
}
