package vae

import (
	"context"
	"math"
	"slices"
	"strings"
	"testing"

	"wavemill/models"
)

func opened(t testing.TB, c models.Checkpoint) *Generator {
	t.Helper()
	return open(t, c).(*Generator)
}

// TestBlend checks the ends of the way against Generate, and that there is something between them.
func TestBlend(t *testing.T) {
	g := opened(t, trained(t, small, 40))
	const count = 11 // a machine of eight and three of one
	a, b := make([]int, count), make([]int, count)
	for i := range count {
		a[i], b[i] = i%3, (i+1)%3
	}
	r := models.Series(a, 10, 0.8)
	want, err := g.Generate(t.Context(), r)
	if err != nil {
		t.Fatal(err)
	}
	z, err := g.Draw(r)
	if err != nil || len(z) != count*g.Latent() {
		t.Fatalf("%d latents, error %v", len(z), err)
	}
	blend := func(z []float32, a, b []int, w float64) models.Batch {
		t.Helper()
		out, err := g.Blend(t.Context(), z, a, b, slices.Repeat([]float64{w}, count), models.Request{Seeds: r.Seeds, Temperature: 0.8})
		if err != nil {
			t.Fatal(err)
		}
		return out
	}
	if got := blend(z, a, b, 0); !slices.Equal(got.Data, want.Data) || !slices.Equal(got.Labels, a) {
		t.Error("a weight of 0 does not give what Generate does")
	}
	if got := blend(z, b, a, 1); !slices.Equal(got.Data, want.Data) || !slices.Equal(got.Labels, a) {
		t.Error("a weight of 1 does not give what Generate does under the second label")
	}
	half := blend(z, a, b, 0.5)
	if slices.Equal(half.Data, want.Data) || slices.Equal(half.Data, blend(z, a, b, 1).Data) {
		t.Error("half way is one of the ends")
	}
	one, err := g.Blend(t.Context(), z[5*g.Latent():6*g.Latent()], a[5:6], b[5:6], []float64{0.5}, models.Request{Seeds: r.Seeds[5:6], Temperature: 0.8})
	if err != nil || !slices.Equal(one.Data, half.Clip(5)) {
		t.Errorf("clip 8 of the series differs when it is made alone (error %v)", err)
	}
}

func TestBlendRefuses(t *testing.T) {
	g := opened(t, trained(t, small, 1))
	z := make([]float32, g.Latent())
	seeded := models.Request{Seeds: []uint64{1}}
	for name, f := range map[string]func() error{
		"between 0 and 1": func() error {
			_, err := g.Blend(t.Context(), z, []int{0}, []int{1}, []float64{math.NaN()}, seeded)
			return err
		},
		"label 3": func() error {
			_, err := g.Blend(t.Context(), z, []int{0}, []int{3}, []float64{0}, seeded)
			return err
		},
		"label -1": func() error {
			_, err := g.Blend(t.Context(), z, []int{-1}, []int{0}, []float64{0}, seeded)
			return err
		},
		"0 and 1 labels": func() error {
			_, err := g.Blend(t.Context(), z, nil, []int{0}, []float64{0}, seeded)
			return err
		},
		"1 latents": func() error {
			_, err := g.Blend(t.Context(), z[:1], []int{0}, []int{0}, []float64{0}, seeded)
			return err
		},
		"temperature": func() error {
			_, err := g.Blend(t.Context(), z, []int{0}, []int{0}, []float64{0}, models.Request{Seeds: []uint64{1}, Temperature: -1})
			return err
		},
		"canceled": func() error {
			ctx, cancel := context.WithCancel(t.Context())
			cancel()
			_, err := g.Blend(ctx, z, []int{0}, []int{0}, []float64{0}, seeded)
			return err
		},
		"2 seeds": func() error {
			_, err := g.Blend(t.Context(), z, []int{0}, []int{0}, []float64{0}, models.Request{Seeds: []uint64{1, 2}})
			return err
		},
		"label 8": func() error {
			_, err := g.LabelMean(8)
			return err
		},
		"label 9": func() error {
			_, err := g.Draw(models.Series([]int{9}, 0, 0))
			return err
		},
	} {
		if err := f(); err == nil || !strings.Contains(err.Error(), name) {
			t.Errorf("%s: error %v", name, err)
		}
	}
}
