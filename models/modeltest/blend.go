package modeltest

import (
	"context"
	"errors"
	"fmt"
	"math"
	"slices"

	"wavemill/models"
)

// Blends checks the promises of a generator that is a models.Blender; others pass.
func Blends(a Architecture) error {
	g, err := a.open()
	if err != nil {
		return err
	}
	b, ok := g.(models.Blender)
	if !ok {
		return nil
	}
	if err := blendEnds(b, len(a.Labels)); err != nil {
		return err
	}
	last := len(a.Labels) - 1
	mean, err := b.LabelMean(last)
	if err != nil {
		return err
	}
	if len(mean) != b.Latent() {
		return fmt.Errorf("the mean of label %d has %d values, want %d", last, len(mean), b.Latent())
	}
	if again, err := b.LabelMean(last); err != nil {
		return err
	} else if !slices.Equal(again, mean) {
		return fmt.Errorf("the mean of label %d changes", last)
	}
	return blendRefuses(b, len(a.Labels))
}

// blendEnds compares clips at weights 0 and 1 with those of Generate, and a clip with itself when it is made alone.
func blendEnds(g models.Blender, labels int) error {
	const count = 11
	ctx := context.Background()
	r := models.Series(make([]int, count), 10, 0.8)
	other := make([]int, count)
	for i := range count {
		r.Labels[i], other[i] = i%labels, (i+1)%labels
	}
	want, err := g.Generate(ctx, r)
	if err != nil {
		return err
	}
	z, err := g.Draw(r)
	if err != nil {
		return err
	}
	if len(z) != count*g.Latent() {
		return fmt.Errorf("%d latents drawn for %d clips of %d", len(z), count, g.Latent())
	}
	noise := models.Request{Seeds: r.Seeds, Temperature: r.Temperature}
	for weight, ends := range map[float64][2][]int{0: {r.Labels, other}, 1: {other, r.Labels}} {
		b, err := g.Blend(ctx, z, ends[0], ends[1], slices.Repeat([]float64{weight}, count), noise)
		if err != nil {
			return err
		}
		if !slices.Equal(b.Data, want.Data) || !slices.Equal(b.Labels, r.Labels) {
			return fmt.Errorf("a weight of %g does not give the clips of Generate", weight)
		}
	}
	whole, err := g.Blend(ctx, z, r.Labels, other, slices.Repeat([]float64{0.5}, count), noise)
	if err != nil {
		return err
	}
	one, err := g.Blend(ctx, z[5*g.Latent():6*g.Latent()], r.Labels[5:6], other[5:6], []float64{0.5}, models.Request{Seeds: r.Seeds[5:6], Temperature: 0.8})
	if err != nil {
		return err
	}
	if !slices.Equal(one.Data, whole.Clip(5)) {
		return errors.New("clip 5 of a blend differs when it is made alone")
	}
	return nil
}

// blendRefuses checks that arguments that do not fit are errors.
func blendRefuses(g models.Blender, labels int) error {
	ctx := context.Background()
	z, zero := make([]float32, g.Latent()), []int{0}
	seeded := models.Request{Seeds: []uint64{1}}
	blend := func(z []float32, a, b []int, weight float64, r models.Request) func() error {
		return func() error { _, err := g.Blend(ctx, z, a, b, []float64{weight}, r); return err }
	}
	for what, f := range map[string]func() error{
		"a NaN weight":           blend(z, zero, zero, math.NaN(), seeded),
		"a weight above 1":       blend(z, zero, zero, 1.1, seeded),
		"a label too high":       blend(z, zero, []int{labels}, 0, seeded),
		"a negative label":       blend(z, []int{-1}, zero, 0, seeded),
		"too few labels":         blend(z, nil, zero, 0, seeded),
		"too few latents":        blend(z[1:], zero, zero, 0, seeded),
		"no seeds":               blend(z, zero, zero, 0, models.Request{}),
		"too many seeds":         blend(z, zero, zero, 0, models.Request{Seeds: []uint64{1, 2}}),
		"a cold temperature":     blend(z, zero, zero, 0, models.Request{Seeds: []uint64{1}, Temperature: -1}),
		"draws of no label":      func() error { _, err := g.Draw(models.Series([]int{labels}, 1, 0)); return err },
		"the mean of no label":   func() error { _, err := g.LabelMean(labels); return err },
		"the mean of a -1 label": func() error { _, err := g.LabelMean(-1); return err },
	} {
		if err := refused(f); err != nil {
			return fmt.Errorf("blend: %s: %w", what, err)
		}
	}
	stopped, cancel := context.WithCancel(ctx)
	cancel()
	switch _, err := g.Blend(stopped, z, zero, zero, []float64{0}, seeded); {
	case err == nil:
		return errors.New("a cancelled blend is answered")
	case !errors.Is(err, context.Canceled):
		return fmt.Errorf("a cancelled blend returns another error than the context's: %w", err)
	}
	return nil
}
