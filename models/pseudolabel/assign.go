package pseudolabel

import (
	"errors"
	"slices"
)

// A graph joins clips with their neighbours. The first clips are labelled.
type graph struct {
	clips  []int    // what the caller calls them
	names  []string // labels of the first clips
	labels []string // sorted, each once
	at     []int    // of each labelled clip, its label as an index of labels
	edges  [][]edge
}

// index numbers the labels.
func (g *graph) index() error {
	g.labels = slices.Compact(slices.Sorted(slices.Values(g.names)))
	switch {
	case len(g.labels) < 2:
		return errors.New("pseudolabel: the labelled recordings have fewer than two labels; labels cannot be assigned by them")
	case len(g.clips) == len(g.names):
		return errors.New("pseudolabel: there are no unlabelled recordings that can be used")
	}
	for _, name := range g.names {
		l, _ := slices.BinarySearch(g.labels, name)
		g.at = append(g.at, l)
	}
	return nil
}

// mostColumns bounds the work of the check, which hides a part of the labels at a time.
const mostColumns = 128

// assign returns the probabilities of the labels for each unlabelled clip, the shares that labels are expected to have, and for
// how many of the labelled clips whose
// label could be hidden it was found again.
func (g *graph) assign() (rows [][]float64, shares []float64, checked, right int) {
	counts, fold := make([]int, len(g.labels)), make([]int, len(g.at))
	for i, l := range g.at {
		fold[i] = counts[l] // for now, which of its label's it is
		counts[l]++
	}
	folds := max(min(slices.Max(counts), 10, mostColumns/len(g.labels)), 2)
	columns := folds * len(g.labels)
	start := make([]float32, len(g.edges)*columns)
	for i, l := range g.at {
		fold[i] %= folds
		start[i*columns+fold[i]*len(g.labels)+l] = 1
	}
	reached := spread(g.edges, start, columns)
	rows = g.without(reached, folds, -1)[len(g.at):]
	for hidden := range folds {
		some := g.without(reached, folds, hidden)
		for i, l := range g.at {
			if fold[i] == hidden && counts[l] > 1 {
				checked++
				if found, _ := best(some[i]); found == l {
					right++
				}
			}
		}
	}
	return rows, expected(counts), checked, right
}

// without returns the probabilities of the labels for every clip, by what the labelled clips outside one fold spread.
func (g *graph) without(reached []float32, folds, hidden int) [][]float64 {
	labels := len(g.labels)
	counts := make([]int, labels)
	for _, l := range g.at {
		counts[l]++
	}
	rows := make([][]float64, len(g.edges))
	for i := range rows {
		rows[i] = make([]float64, labels)
		of := reached[i*folds*labels : (i+1)*folds*labels]
		for f := range folds {
			for l := range labels {
				if f != hidden {
					rows[i][l] += float64(of[f*labels+l]) / float64(counts[l])
				}
			}
		}
	}
	balance(rows, expected(counts))
	return rows
}
