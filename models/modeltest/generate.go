package modeltest

import (
	"context"
	"errors"
	"fmt"
	"math"
	"slices"

	"wavemill/models"
)

// Generates checks the promises of a generator.
func Generates(a Architecture) error {
	g, err := a.open()
	if err != nil {
		return err
	}
	ctx := context.Background()
	r := models.Series(make([]int, 11), 7, 0)
	for i := range r.Labels {
		r.Labels[i] = i % len(a.Labels)
	}
	whole, err := g.Generate(ctx, r)
	if err != nil {
		return fmt.Errorf("generating: %w", err)
	}
	if err := whole.Validate(len(a.Labels)); err != nil {
		return fmt.Errorf("generated: %w", err)
	}
	if whole.B != len(r.Labels) || whole.T != a.Batch.T || whole.F != a.Batch.F || !slices.Equal(whole.Labels, r.Labels) {
		return fmt.Errorf("generated a batch [%d, %d, %d] of labels %v for %v of [%d, %d]", whole.B, whole.T, whole.F, whole.Labels, r.Labels, a.Batch.T, a.Batch.F)
	}
	for i, v := range whole.Data {
		if !(v >= -1 && v <= 1) {
			return fmt.Errorf("generated value %d is %v, not in [-1, 1]", i, v)
		}
	}
	if err := independent(g, r, whole); err != nil {
		return err
	}
	if b, err := g.Generate(ctx, models.Series(r.Labels, 1007, 0)); err != nil {
		return err
	} else if slices.Equal(b.Data, whole.Data) {
		return errors.New("another seed generates the same clips")
	}
	return concurrent(g, r, whole)
}

// independent checks that a clip depends on its label and its seed alone.
func independent(g models.Generator, r models.Request, whole models.Batch) error {
	for _, piece := range [][2]int{{0, 11}, {0, 1}, {4, 5}, {1, 4}, {8, 11}} {
		b, err := g.Generate(context.Background(), r.Slice(piece[0], piece[1]))
		if err != nil {
			return err
		}
		for i := range b.B {
			if !slices.Equal(b.Clip(i), whole.Clip(piece[0]+i)) {
				return fmt.Errorf("clip %d differs when it is generated with clips %d to %d (largest difference %g)",
					piece[0]+i, piece[0], piece[1]-1, difference(b.Clip(i), whole.Clip(piece[0]+i)))
			}
		}
	}
	return nil
}

func difference(a, b []float32) float64 {
	d := 0.0
	for i := range a {
		d = max(d, math.Abs(float64(a[i]-b[i])))
	}
	return d
}

// concurrent checks that requests at the same time do not disturb each other.
func concurrent(g models.Generator, r models.Request, whole models.Batch) error {
	results := make(chan error)
	const requests = 4
	for range requests {
		go func() {
			b, err := g.Generate(context.Background(), r)
			if err == nil && !slices.Equal(b.Data, whole.Data) {
				err = errors.New("a request gets other clips when others run at the same time")
			}
			results <- err
		}()
	}
	var errs []error
	for range requests {
		errs = append(errs, <-results)
	}
	return errors.Join(errs...)
}
