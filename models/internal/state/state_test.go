package state_test

import (
	"reflect"
	"slices"
	"strings"
	"testing"

	"wavemill/models"
	"wavemill/models/internal/state"
	"wavemill/models/nn"
)

// network returns a trained network of two layers with names as in a checkpoint.
func network(t *testing.T, average float64, steps int) state.Optimised {
	t.Helper()
	p := nn.NewParams(1)
	n := nn.NewGraph(nn.Train, p)
	loss := n.Mean(n.Dense("second", n.Dense("first", n.Input("x", 2, 3), 2), 1))
	m, err := n.Compile(nn.Minimise(n.Loss("loss", loss)))
	if err != nil {
		t.Fatal(err)
	}
	o := state.Optimised{
		Params: p, Adam: nn.NewAdam(p, nn.AdamConfig{Schedule: nn.Schedule{Rate: 0.1}, EMA: average}),
		Model: "model/", Weights: "optimizer/weights/", Optimizer: "optimizer/adam/", Elsewhere: map[string]string{"second/w": "place"},
	}
	for range steps {
		if err := m.Run(nn.Scalar("x", 0.5)); err != nil {
			t.Fatal(err)
		}
		if err := o.Adam.Step(m); err != nil {
			t.Fatal(err)
		}
	}
	return o
}

func tensors(o state.Optimised) []models.Tensor {
	return append(o.ModelTensors(), o.TrainingTensors()...)
}

func TestOptimised(t *testing.T) {
	for _, average := range []float64{0, 0.9} {
		from, to := network(t, average, 5), network(t, average, 1)
		saved := tensors(from)
		names := map[string]bool{}
		for _, x := range saved {
			if names[x.Name] {
				t.Errorf("tensor %s is there twice", x.Name)
			}
			names[x.Name] = true
			if strings.Contains(x.Name, "ema/") {
				t.Errorf("average %g: the averaged weights are written again as %s", average, x.Name)
			}
		}
		if !names["place"] || names["model/second/w"] || !names["model/first/w"] {
			t.Errorf("names %v", names)
		}
		if average == 0 {
			continue // nothing averaged: the optimiser's state holds no averages to read
		}
		if err := to.Restore(models.Checkpoint{Tensors: saved}); err != nil {
			t.Fatal(err)
		}
		if !reflect.DeepEqual(tensors(to), saved) {
			t.Error("a restored network differs from the one that was saved")
		}
		if err := to.Restore(models.Checkpoint{}); err == nil {
			t.Error("no tensors: no error")
		}
	}
}

func TestTensors(t *testing.T) {
	a := []models.Tensor{{Name: "a/x", Shape: []int{1}, Data: []float32{1}}, {Name: "b/x", Shape: []int{}, Data: []float32{2}}}
	if got := state.Tensors(state.Arrays(a)); !reflect.DeepEqual(got, a) {
		t.Errorf("there and back: %v", got)
	}
	r := state.Renamed(a, "a/", "c/")
	if r[0].Name != "c/x" || r[1].Name != "b/x" || a[0].Name != "a/x" || !slices.Equal(r[0].Data, a[0].Data) {
		t.Errorf("renamed %v of %v", r, a)
	}
	if !state.Has(a, "b/") || state.Has(a, "x") {
		t.Error("prefixes are not found, or found elsewhere")
	}
}
