package shape

import (
	"slices"
	"strings"

	"wavemill/models/nn"
)

// separator joins the labels of a set, as in audio/dataset.
const separator = "+"

// WithSets returns the shape of a model whose labels are sets of labels, such as "bass+pluck". The rows of its
// embeddings are the single labels, sorted.
func (s Shape) WithSets(labels []string) Shape {
	var single []string
	for _, label := range labels {
		single = append(single, strings.Split(label, separator)...)
	}
	slices.Sort(single)
	single = slices.Compact(single)
	s.Sets = &nn.Sets{Rows: len(single)}
	for _, label := range labels {
		var rows []int
		for part := range strings.SplitSeq(label, separator) {
			at, _ := slices.BinarySearch(single, part)
			rows = append(rows, at)
		}
		s.Sets.Of = append(s.Sets.Of, rows)
	}
	return s
}

// Embedding adds the vectors of labels [B], [B, width]: that of a set is the mean of those of its labels.
func (s Shape) Embedding(n *nn.Graph, layer string, labels *nn.Tensor, width int, options ...nn.Option) *nn.Tensor {
	return n.Embedding(layer, labels, s.Labels, width, append(options, nn.InSets(s.Sets))...)
}
