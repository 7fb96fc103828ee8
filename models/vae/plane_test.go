package vae

import (
	"math"
	"math/rand/v2"
	"slices"
	"strings"
	"testing"
)

// TestPlaneFindsTheLargestVariation hides two directions of large variance among five.
func TestPlaneFindsTheLargestVariation(t *testing.T) {
	rng := rand.New(rand.NewPCG(1, 1))
	first, second := []float64{0.6, 0, -0.8, 0, 0}, []float64{0, 1, 0, 0, 0}
	var z []float32
	for range 4000 {
		a, b := 5*rng.NormFloat64(), 3*rng.NormFloat64()
		for i := range 5 {
			z = append(z, float32(float64(i)+a*first[i]+b*second[i]+0.1*rng.NormFloat64()))
		}
	}
	p, err := NewPlane(z, 5)
	if err != nil {
		t.Fatal(err)
	}
	if !p.Principal || math.Abs(p.Explained[0]-25./34) > 0.03 || math.Abs(p.Explained[1]-9./34) > 0.03 {
		t.Errorf("principal %v, explained %v", p.Principal, p.Explained)
	}
	for i, want := range [][]float64{{-0.6, 0, 0.8, 0, 0}, second} {
		for j, v := range p.Axes[i] {
			if math.Abs(v-want[j]) > 0.03 {
				t.Errorf("axis %d is %.3f, want %v", i, p.Axes[i], want)
				break
			}
		}
	}
	if x, y := p.Project([]float32{0, 1, 2, 3, 4}); math.Hypot(x, y) > 0.3 {
		t.Errorf("the mean lies at %.2f, %.2f", x, y)
	}
	moved := p.Move(z[:5], 2, -1)
	if x, y := p.Project(moved); math.Abs(x-2) > 1e-5 || math.Abs(y+1) > 1e-5 {
		t.Errorf("moved to %.5f, %.5f, want 2, -1", x, y)
	}
	if d := float64(moved[4] - z[4]); math.Abs(d) > 0.2 {
		t.Errorf("a latent across the plane moved by %.3f", d)
	}
	again, err := NewPlane(z, 5)
	if err != nil || !slices.Equal(again.Axes[0], p.Axes[0]) {
		t.Errorf("the same latents give another plane, error %v", err)
	}
}

func TestPlaneOfTwoLatentsIsTheSpace(t *testing.T) {
	p, err := NewPlane([]float32{1, 2, 3, 5, 4, 1}, 2)
	if err != nil || p.Principal {
		t.Fatalf("principal %v, error %v", p.Principal, err)
	}
	if x, y := p.Project([]float32{-3, 7}); x != -3 || y != 7 {
		t.Errorf("%g, %g", x, y)
	}
	if z := p.Move([]float32{1, 1}, 0.5, -2); z[0] != 0.5 || z[1] != -2 {
		t.Errorf("%v", z)
	}
	if sum := p.Explained[0] + p.Explained[1]; math.Abs(sum-1) > 1e-9 {
		t.Errorf("explained %v", p.Explained)
	}
}

func TestPlaneRefuses(t *testing.T) {
	nan := float32(math.NaN())
	for _, c := range []struct {
		z      []float32
		latent int
		want   string
	}{
		{[]float32{1, 2, 3}, 1, "2 or more"},
		{[]float32{1, 2}, 2, "two clips"},
		{[]float32{1, 2, 3}, 2, "two clips"},
		{nil, 4, "two clips"},
		{[]float32{1, 2, 1, 2}, 2, "variance of the latents is 0 or not finite"},
		{[]float32{nan, 2, 1, 2}, 2, "variance of the latents is 0 or not finite"},
	} {
		if _, err := NewPlane(c.z, c.latent); err == nil || !strings.Contains(err.Error(), c.want) {
			t.Errorf("%v of %d: error %v, want one with %q", c.z, c.latent, err, c.want)
		}
	}
}
