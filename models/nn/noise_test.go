package nn

import (
	"math"
	"slices"
	"testing"
)

func TestNoise(t *testing.T) {
	n := NewGraph(Train, NewParams(1))
	n.Output("a", n.NormalNoise("a", 1<<16+1))
	n.Output("b", n.NormalNoise("b", 1<<16+1))
	n.Output("dropped", n.Dropout("drop", n.Input("one", 1<<16), 0.25))
	m, err := n.Compile()
	if err != nil {
		t.Fatal(err)
	}
	run := func(seed uint64) {
		t.Helper()
		if err := m.Run(Scalar("one", 1), Seed(seed)); err != nil {
			t.Fatal(err)
		}
	}
	run(1)
	a, dropped := slices.Clone(m.Output("a")), slices.Clone(m.Output("dropped"))
	if slices.Equal(a, m.Output("b")) {
		t.Error("two names give the same noise")
	}
	var moments [5]float64
	for _, v := range a {
		for k := range moments {
			moments[k] += math.Pow(float64(v), float64(k)) / float64(len(a))
		}
	}
	// Standard errors at 65,537 values: 0.004, 0.006, 0.015, 0.04; five of them are allowed.
	for k, want := range map[int][2]float64{1: {0, 0.02}, 2: {1, 0.03}, 3: {0, 0.08}, 4: {3, 0.2}} {
		if math.Abs(moments[k]-want[0]) > want[1] {
			t.Errorf("moment %d is %g, want %g", k, moments[k], want[0])
		}
	}
	correlation := 0.0
	for i := 1; i < len(a); i++ {
		correlation += float64(a[i]) * float64(a[i-1]) / float64(len(a))
	}
	if math.Abs(correlation) > 0.02 {
		t.Errorf("neighbours correlate by %g", correlation)
	}
	kept := 0.0
	for _, v := range dropped {
		if v != 0 && math.Abs(float64(v)-4.0/3) > 1e-6 {
			t.Fatalf("a kept value is %g, want 4/3", v)
		}
		kept += float64(v)
	}
	if kept /= float64(len(dropped)); math.Abs(kept-1) > 0.02 {
		t.Errorf("the mean after dropout is %g, want 1", kept)
	}
	run(2)
	if slices.Equal(a, m.Output("a")) {
		t.Error("two seeds give the same noise")
	}
	run(1)
	if !slices.Equal(a, m.Output("a")) || !slices.Equal(dropped, m.Output("dropped")) {
		t.Error("one seed gives different noise")
	}
}
