package metric

import (
	"errors"
	"fmt"
)

// ErrNoPairs is returned by Diversity where no label has two clips.
var ErrNoPairs = errors.New("metric: no label has two clips")

// Diversity is the mean Euclidean distance between two different clips of one label, averaged over the labels that
// have at least two clips. Divided by that of real clips it shows collapse: below 0.3, a model makes a few clips per
// label again and again.
func Diversity(features [][]float64, labels []int) (float64, error) {
	terms, err := DiversityTerms(features, labels)
	if err != nil {
		return 0, err
	}
	means := make([]float64, len(terms))
	for i, of := range terms {
		means[i] = mean(of)
	}
	return mean(means), nil
}

// DiversityTerms are the terms of [Diversity]: of each label with two clips or more, in the order of their first clips,
// the mean distance of each clip to the others of its label. Resampling the clips of a label, the change of its mean
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
