package metric

import (
	"errors"
	"fmt"
)

// ErrNoPairs is returned by DiversityTerms where no label has two clips.
var ErrNoPairs = errors.New("metric: no label has two clips")

// DiversityTerms returns, of each label with two clips or more, in the order of their first clips, the mean Euclidean
// distance of each clip to the others of its label. The diversity is the mean over the labels of the means of their terms.
// Divided by that of real clips it shows collapse: below 0.3, a model makes a few clips per label again and again.
//
// Resampling the clips of a label, the change of its mean
// distance is to first order twice the change of the mean of its terms (Hoeffding, 1948).
func DiversityTerms(features [][]float64, labels []int) ([][]float64, error) {
	if _, err := table("features", features, 2); err != nil {
		return nil, err
	}
	if len(labels) != len(features) {
		return nil, fmt.Errorf("metric: %d labels for %d clips", len(labels), len(features))
	}
	var order []int
	byLabel := map[int][][]float64{}
	for i, l := range labels {
		if byLabel[l] == nil {
			order = append(order, l)
		}
		byLabel[l] = append(byLabel[l], features[i])
	}
	var terms [][]float64
	for _, l := range order {
		rows := byLabel[l]
		if len(rows) < 2 {
			continue
		}
		of := make([]float64, len(rows))
		for i, a := range rows {
			for j, b := range rows[:i] {
				d := euclid(a, b) / float64(len(rows)-1)
				of[i] += d
				of[j] += d
			}
		}
		terms = append(terms, of)
	}
	if len(terms) == 0 {
		return nil, ErrNoPairs
	}
	return terms, nil
}
