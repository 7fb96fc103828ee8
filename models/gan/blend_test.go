package gan

import (
	"context"
	"math"
	"math/rand/v2"
	"slices"
	"strings"
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

func TestBlendBeginsAndEndsAsGenerate(t *testing.T) {
	for _, config := range []string{`{"channels": 4}`, `{"channels": 4, "unconditional": true}`} {
		opened, err := Open(made(t, config, 3))
		if err != nil {
			t.Fatal(err)
		}
		g := opened.(*Generator)
		const count = 11 // a machine of eight and three of one
		r := models.Series(make([]int, count), 10, 0.8)
		other := make([]int, count)
		for i := range count {
			r.Labels[i], other[i] = i%2, 1-i%2
		}
		want, err := g.Generate(t.Context(), r)
		if err != nil {
			t.Fatal(err)
		}
		z, err := g.Draw(r)
		if err != nil || len(z) != count*g.Latent() {
			t.Fatalf("%d latents, error %v", len(z), err)
		}
		blend := func(a, b []int, w float64) models.Batch {
			t.Helper()
			out, err := g.Blend(t.Context(), z, a, b, slices.Repeat([]float64{w}, count), models.Request{Seeds: r.Seeds, Temperature: 0.8})
			if err != nil {
				t.Fatal(err)
			}
			return out
		}
		if got := blend(r.Labels, other, 0); !slices.Equal(got.Data, want.Data) || !slices.Equal(got.Labels, r.Labels) {
			t.Errorf("%s: a weight of 0 does not give what Generate does", config)
		}
		if got := blend(other, r.Labels, 1); !slices.Equal(got.Data, want.Data) || !slices.Equal(got.Labels, r.Labels) {
			t.Errorf("%s: a weight of 1 does not give what Generate does under the second label", config)
		}
		if same := slices.Equal(blend(r.Labels, other, 0.5).Data, want.Data); same != g.config.Unconditional {
			t.Errorf("%s: half way equals the beginning: %t", config, same)
		}
	}
}

func TestBlendRefuses(t *testing.T) {
	opened, err := Open(made(t, `{"channels": 4}`, 1))
	if err != nil {
		t.Fatal(err)
	}
	g := opened.(*Generator)
	z := make([]float32, g.Latent())
	seeded := models.Request{Seeds: []uint64{1}}
	stopped, cancel := context.WithCancel(t.Context())
	cancel()
	for want, f := range map[string]func() error{
		"between 0 and 1": func() error {
			_, err := g.Blend(t.Context(), z, []int{0}, []int{1}, []float64{math.NaN()}, seeded)
			return err
		},
		"label 2": func() error {
			_, err := g.Blend(t.Context(), z, []int{0}, []int{2}, []float64{0}, seeded)
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
		"canceled": func() error {
			_, err := g.Blend(stopped, z, []int{0}, []int{0}, []float64{0}, seeded)
			return err
		},
		"0 seeds": func() error {
			_, err := g.Blend(t.Context(), z, []int{0}, []int{0}, []float64{0}, models.Request{})
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
		if err := f(); err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("error %v, want one with %q", err, want)
		}
	}
}

// TestScore asks a discriminator that has played for a while: recordings get more than noise does, under their own
// label more than under the other.
func TestScore(t *testing.T) {
	c := made(t, `{"channels": 8, "discriminator_rate": 0.002}`, 60)
	d, err := OpenDiscriminator(c)
	if err != nil {
		t.Fatal(err)
	}
	score := func(x models.Batch) []float64 {
		t.Helper()
		s, err := d.Score(t.Context(), x)
		if err != nil || len(s) != x.B {
			t.Fatalf("%d scores of %d clips, error %v", len(s), x.B, err)
		}
		return s
	}
	mean := func(x []float64) (m float64) {
		for _, v := range x {
			m += v / float64(len(x))
		}
		return m
	}
	x := bars(11)
	real := score(x)
	if one := score(x.Select(models.Batch{}, []int{5})); one[0] != real[5] {
		t.Errorf("clip 5 alone scores %v, among others %v", one[0], real[5])
	}
	swapped, noise := bars(11), bars(11)
	for i, l := range swapped.Labels {
		swapped.Labels[i] = 1 - l
	}
	rng := rand.New(rand.NewPCG(3, 3))
	for i := range noise.Data {
		noise.Data[i] = float32(2*rng.Float64() - 1)
	}
	if r, s, n := mean(real), mean(score(swapped)), mean(score(noise)); r <= s || r <= n {
		t.Errorf("recordings score %.3f, under the wrong label %.3f, noise %.3f", r, s, n)
	}
	x.F--
	x.Data = x.Data[:x.B*x.T*x.F]
	if _, err := d.Score(t.Context(), x); err == nil || !strings.Contains(err.Error(), "[32, 15]") {
		t.Errorf("clips of another shape: %v", err)
	}
	c.Arch = "vae"
	if _, err := OpenDiscriminator(c); err == nil {
		t.Error("a VAE has a discriminator")
	}
}
