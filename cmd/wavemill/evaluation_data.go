package main

import (
	"context"
	"errors"

	"wavemill/models"
	"wavemill/models/comparison"
)

// evaluationData are the recordings of an evaluation.
type evaluationData struct {
	all, test []recording
	separate  bool // whether test was given
	seed      uint64

	hash, labelSource string // of all
}

// evaluationRecordings reads the recordings of --data and --test.
func (a *app) evaluationRecordings(ctx context.Context, o evaluationFlags) (evaluationData, error) {
	d := evaluationData{seed: o.seed, separate: len(o.test) > 0}
	set, err := a.scan(ctx, o.data, o.labels)
	if err != nil {
		return d, err
	}
	d.hash, d.labelSource = set.Hash(), set.LabelSource
	if d.all, err = a.decoded(ctx, set.Items); err != nil {
		return d, err
	}
	if d.separate {
		d.test, err = a.recordings(ctx, o.test, o.labels)
	}
	return d, err
}

// data splits them: what no checkpoint has seen is held out. It also returns the recordings that may be learnt from.
func (d evaluationData) data(checkpoints []models.Checkpoint) (comparison.Data, []recording, error) {
	seed := d.seed
	for _, c := range checkpoints {
		seed = c.Seed
	}
	train, held := split(d.all, seed)
	if d.separate {
		train, held = d.all, d.test
	}
	if len(held) == 0 {
		return comparison.Data{}, nil, errors.New("no label has two recordings that can be used: none can be held out to evaluate with; give others with --test DIR")
	}
	out := comparison.Data{Learn: clipsOf(train), HeldOut: clipsOf(held)}
	for _, r := range held {
		out.Sources = append(out.Sources, comparison.HeldOut{Source: r.item.Name, Label: r.item.Label})
	}
	return out, train, nil
}
