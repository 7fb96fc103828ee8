package modeltest

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"math"
	"slices"
	"strings"

	"wavemill/models"
)

// Refuses checks that what does not fit is an error and leaves the learner as it was.
func Refuses(a Architecture) error {
	l, err := a.New(1)
	if err != nil {
		return err
	}
	if _, err := train(a, l, newRand(1), 2); err != nil {
		return err
	}
	c, before, err := a.state(l)
	if err != nil {
		return err
	}
	for what, b := range badBatches(a.Batch, len(a.Labels)) {
		if err := refused(func() error { _, err := l.Step(context.Background(), b, newRand(1)); return err }); err != nil {
			return fmt.Errorf("step on a batch with %s: %w", what, err)
		}
		if err := refused(func() error { _, err := l.Eval(context.Background(), b); return err }); err != nil {
			return fmt.Errorf("eval of a batch with %s: %w", what, err)
		}
	}
	for what, bad := range badCheckpoints(c) {
		if err := refused(func() error { return l.Restore(bad) }); err != nil {
			return fmt.Errorf("restoring a checkpoint with %s: %w", what, err)
		}
	}
	if err := refused(func() error { _, err := a.Open(badCheckpoints(c)[noTensors]); return err }); err != nil {
		return fmt.Errorf("opening a checkpoint with %s: %w", noTensors, err)
	}
	if _, after, err := a.state(l); err != nil {
		return err
	} else if !bytes.Equal(before, after) {
		return errors.New("what was refused changed the learner")
	}
	return refusesRequests(a)
}

func refusesRequests(a Architecture) error {
	g, err := a.open()
	if err != nil {
		return err
	}
	for what, r := range map[string]models.Request{
		"a label too high":  models.Series([]int{len(a.Labels)}, 1, 0),
		"a negative label":  models.Series([]int{-1}, 1, 0),
		"a NaN temperature": models.Series([]int{0}, 1, math.NaN()),
		"too few seeds":     {Labels: []int{0}},
		"too many seeds":    {Labels: []int{0}, Seeds: []uint64{1, 2}},
	} {
		if err := refused(func() error { _, err := g.Generate(context.Background(), r); return err }); err != nil {
			return fmt.Errorf("a request with %s: %w", what, err)
		}
	}
	ctx, cancel := context.WithCancel(context.Background())
	cancel()
	switch _, err := g.Generate(ctx, models.Series([]int{0}, 0, 0)); {
	case err == nil:
		return errors.New("a cancelled request is answered")
	case !errors.Is(err, context.Canceled):
		return fmt.Errorf("a cancelled request returns another error than the context's: %w", err)
	}
	return nil
}

// refused calls f, which must return an error rather than nil or a panic.
func refused(f func() error) (err error) {
	defer func() {
		if r := recover(); r != nil {
			err = fmt.Errorf("panics: %v", r)
		}
	}()
	if f() == nil {
		return errors.New("is accepted")
	}
	return nil
}

func badBatches(b models.Batch, labels int) map[string]models.Batch {
	bad := make(map[string]models.Batch)
	edit := func(what string, f func(b *models.Batch)) {
		c := b
		c.Data, c.Labels = slices.Clone(b.Data), slices.Clone(b.Labels)
		f(&c)
		bad[what] = c
	}
	edit("too few values", func(b *models.Batch) { b.Data = b.Data[1:] })
	edit("an unknown label", func(b *models.Batch) { b.Labels[0] = labels })
	edit("a negative label", func(b *models.Batch) { b.Labels[0] = -1 })
	edit("too few labels", func(b *models.Batch) { b.Labels = b.Labels[1:] })
	edit("no clips", func(b *models.Batch) { b.B, b.Data, b.Labels = 0, nil, nil })
	edit("other frames", func(b *models.Batch) { b.T *= 2; b.Data = append(b.Data, b.Data...) })
	return bad
}

const noTensors = "no tensors"

func badCheckpoints(c models.Checkpoint) map[string]models.Checkpoint {
	bad := make(map[string]models.Checkpoint)
	edit := func(what string, f func(t []models.Tensor) []models.Tensor) {
		d := c
		d.Tensors = f(slices.Clone(c.Tensors))
		bad[what] = d
	}
	weight := max(0, slices.IndexFunc(c.Tensors, func(t models.Tensor) bool {
		return len(t.Shape) > 1 && !strings.HasPrefix(t.Name, models.OptimizerPrefix)
	}))
	edit(noTensors, func([]models.Tensor) []models.Tensor { return nil })
	edit("a tensor missing", func(t []models.Tensor) []models.Tensor { return slices.Delete(t, weight, weight+1) })
	edit("a tensor of another shape", func(t []models.Tensor) []models.Tensor {
		t[weight].Shape, t[weight].Data = []int{1}, []float32{0}
		return t
	})
	edit("a tensor too short", func(t []models.Tensor) []models.Tensor { t[weight].Data = t[weight].Data[1:]; return t })
	return bad
}
