package vae

import (
	"slices"
	"testing"

	"wavemill/models"
)

func opened(t testing.TB, c models.Checkpoint) *Generator {
	t.Helper()
	return open(t, c).(*Generator)
}

// TestBlend checks that there is something between the ends; modeltest compares these with Generate.
func TestBlend(t *testing.T) {
	g := opened(t, trained(t, small, 40))
	r := models.Series([]int{0, 1, 2}, 10, 0.8)
	z, err := g.Draw(r)
	if err != nil {
		t.Fatal(err)
	}
	at := func(weight float64) []float32 {
		t.Helper()
		out, err := g.Blend(t.Context(), z, r.Labels, []int{1, 2, 0}, slices.Repeat([]float64{weight}, 3), models.Request{Seeds: r.Seeds, Temperature: 0.8})
		if err != nil {
			t.Fatal(err)
		}
		return out.Data
	}
	if half := at(0.5); slices.Equal(half, at(0)) || slices.Equal(half, at(1)) {
		t.Error("half way is one of the ends")
	}
}
