package compiled_test

import (
	"testing"

	"wavemill/models/internal/compiled"
	"wavemill/models/nn"
)

func TestGet(t *testing.T) {
	for name, c := range map[string]*compiled.Cache{"shared memory": compiled.New(), "zero value": {}} {
		p := nn.NewParams(1)
		built := 0
		get := func(graph string, batch int) *nn.Machine {
			t.Helper()
			m, err := c.Get(graph, batch, nn.Train, p, func(n *nn.Graph) *nn.Tensor {
				built++
				y := n.Output("y", n.Dense("layer", n.Input("x", batch, 2), 1))
				if graph == "predict" {
					return nil
				}
				return n.Loss("loss", n.Mean(y))
			})
			if err != nil {
				t.Fatal(err)
			}
			return m
		}
		first := get("train", 3)
		if get("train", 3) != first || get("train", 4) == first || get("predict", 3) == first || built != 3 {
			t.Errorf("%s: %d graphs were built for 3 names and batch sizes", name, built)
		}
		if err := first.Run(nn.Scalar("x", 1)); err != nil || len(first.Gradient("layer/w")) != 2 {
			t.Errorf("%s: gradient %v, error %v", name, first.Gradient("layer/w"), err)
		}
		if g := get("predict", 3).Gradient("layer/w"); len(g) > 0 {
			t.Errorf("%s: a graph without a loss has the gradient %v", name, g)
		}
	}
}

func TestGetReportsMistakes(t *testing.T) {
	c := compiled.New()
	bad := func(n *nn.Graph) *nn.Tensor { return n.Add(n.Input("a", 1, 2), n.Input("b", 1, 3)) }
	for range 2 {
		if _, err := c.Get("bad", 1, nn.Train, nn.NewParams(1), bad); err == nil {
			t.Error("shapes that do not fit: no error")
		}
	}
}
