package nn

import (
	"slices"
	"testing"
)

func TestTranslate(t *testing.T) {
	n := NewGraph(Eval, NewParams(1))
	x := n.Input("x", 3, 2, 3, 1)
	n.Output("y", n.Translate(x, n.Input("by", 3, 2), 9))
	m, err := n.Compile()
	if err != nil {
		t.Fatal(err)
	}
	images := []float32{1, 2, 3, 4, 5, 6, 1, 2, 3, 4, 5, 6, 1, 2, 3, 4, 5, 6}
	if err := m.Run(Values("x", images), Values("by", []float32{1, 0, 0, -1, -1, 7})); err != nil {
		t.Fatal(err)
	}
	want := []float32{9, 9, 9, 1, 2, 3, 2, 3, 9, 5, 6, 9, 9, 9, 9, 9, 9, 9}
	if got := m.Output("y"); !slices.Equal(got, want) {
		t.Errorf("got %v, want %v", got, want)
	}
}

func TestTranslateGradient(t *testing.T) {
	checkGradients(t, func(n *Graph) *Tensor {
		x := n.Differentiable(n.Input("x", 2, 4, 3, 2))
		y := n.Translate(x, n.Input("by", 2, 2), -1)
		return n.MSE(y, n.Input("target", 2, 4, 3, 2))
	}, Values("by", []float32{1, -1, -2, 1}))
}

func TestTranslateShapes(t *testing.T) {
	n := NewGraph(Eval, NewParams(1))
	n.Translate(n.Input("x", 2, 4, 3, 2), n.Input("by", 3, 2), 0)
	if n.Err() == nil {
		t.Error("offsets of another batch size were taken")
	}
}
