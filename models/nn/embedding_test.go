package nn

import (
	"slices"
	"testing"
)

// TestEmbeddingOfSets: the vector of a set is the mean of its rows, that of one row is the row, bit for bit.
func TestEmbeddingOfSets(t *testing.T) {
	p := NewParams(1)
	n := NewGraph(Eval, p)
	n.Output("e", n.Embedding("label", n.Input("labels", 3), 3, 2, InSets(&Sets{Rows: 2, Of: [][]int{{1}, {0, 1}, {0}}})))
	m, err := n.Compile()
	if err != nil {
		t.Fatal(err)
	}
	if err := m.Run(Labels("labels", []int{0, 1, 2})); err != nil {
		t.Fatal(err)
	}
	w := p.Lookup("label/w").Data()
	want := []float32{w[2], w[3], (w[0] + w[2]) / 2, (w[1] + w[3]) / 2, w[0], w[1]}
	if got := m.Output("e"); len(w) != 4 || !slices.Equal(got, want) {
		t.Errorf("%v, want %v", got, want)
	}
	n = NewGraph(Eval, NewParams(1))
	if n.Embedding("label", n.Input("labels", 3), 4, 2, InSets(&Sets{Rows: 2, Of: [][]int{{1}}})); n.Err() == nil {
		t.Error("sets of another number of classes were taken")
	}
}
