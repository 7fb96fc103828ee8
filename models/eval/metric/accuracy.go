package metric

import "errors"

// Confusion counts how often clips of each label (row) were heard as each label (column), [k][k].
func Confusion(labels, heard []int, k int) ([][]int, error) {
	if err := classes("labels", labels, len(labels), k); err != nil {
		return nil, err
	}
	if err := classes("predictions", heard, len(labels), k); err != nil {
		return nil, err
	}
	c := make([][]int, k)
	for i := range c {
		c[i] = make([]int, k)
	}
	for i, l := range labels {
		c[l][heard[i]]++
	}
	return c, nil
}

// Accuracy is the share of clips whose label was heard: for generated clips, the label that was asked for.
func Accuracy(labels, heard []int) (float64, error) {
	if len(labels) == 0 || len(labels) != len(heard) {
		return 0, errors.New("metric: accuracy needs one prediction per label, and at least one")
	}
	right := 0
	for i, l := range labels {
		if heard[i] == l {
			right++
		}
	}
	return float64(right) / float64(len(labels)), nil
}
