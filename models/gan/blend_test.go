package gan

import (
	"math/rand/v2"
	"slices"
	"testing"

	"wavemill/models"
)

// made returns the checkpoint of a few steps.
func made(t *testing.T, config string, n int) models.Checkpoint {
	t.Helper()
	l := learner(t, config)
	steps(t, l, n, rand.New(rand.NewPCG(2, 2)))
	c, err := l.Checkpoint()
	if err != nil {
		t.Fatal(err)
	}
	return c
}

// TestBlend checks that there is something between the ends, but in an unconditional model; modeltest compares these with
// Generate.
func TestBlend(t *testing.T) {
	for _, config := range []string{`{"channels": 4}`, `{"channels": 4, "unconditional": true}`} {
		g, err := open(made(t, config, 3))
		if err != nil {
			t.Fatal(err)
		}
		r := models.Series([]int{0, 1, 0}, 10, 0.8)
		want, err := g.Generate(t.Context(), r)
		if err != nil {
			t.Fatal(err)
		}
		z, err := g.Draw(r)
		if err != nil {
			t.Fatal(err)
		}
		got, err := g.Blend(t.Context(), z, r.Labels, []int{1, 0, 1}, []float64{0.5, 0.5, 0.5}, models.Request{Seeds: r.Seeds, Temperature: 0.8})
		if err != nil {
			t.Fatal(err)
		}
		if same := slices.Equal(got.Data, want.Data); same != g.config.Unconditional {
			t.Errorf("%s: half way equals the beginning: %t", config, same)
		}
	}
}
