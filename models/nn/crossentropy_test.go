package nn

import (
	"math"
	"strings"
	"testing"
)

func TestCrossEntropyGradient(t *testing.T) {
	checkGradients(t, func(n *Graph) *Tensor {
		x := n.Differentiable(n.Input("x", 4, 3))
		return n.CrossEntropy(n.Dense("d", x, 5), n.Input("targets", 4, 5))
	})
}

func TestCrossEntropyValue(t *testing.T) {
	n := NewGraph(Train, NewParams(1))
	n.Loss("loss", n.CrossEntropy(n.Input("x", 2, 3), n.Input("t", 2, 3)))
	m, err := n.Compile()
	if err != nil {
		t.Fatal(err)
	}
	// Row 1: uniform, ln 3. Row 2: logits of 1000 and 0 do not overflow, and the target has the 1000.
	if err := m.Run(Values("x", []float32{2, 2, 2, 1000, 0, 0}), Values("t", []float32{0, 0.5, 0.5, 1, 0, 0})); err != nil {
		t.Fatal(err)
	}
	if got, want := m.Loss("loss"), math.Log(3)/2; math.Abs(got-want) > 1e-6 {
		t.Errorf("cross-entropy %g, want %g", got, want)
	}
	n = NewGraph(Train, NewParams(1))
	n.CrossEntropy(n.Input("x", 2, 3), n.Input("t", 2))
	if err := n.Err(); err == nil || !strings.Contains(err.Error(), "[2 3] and [2]") {
		t.Errorf("unequal shapes: %v", err)
	}
}
