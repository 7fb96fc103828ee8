package main

import (
	"context"

	"wavemill/audio/dataset"
	"wavemill/models"
	"wavemill/models/augment"
)

// topupSplit reads the recordings of --data and --test, and divides them for the filter and the proof.
func (a *app) topupSplit(ctx context.Context, o topupOptions, c models.Checkpoint) ([]dataset.Recording, augment.Split, error) {
	recordings, err := a.load(ctx, o.data, o.labels, holdoutFlags{})
	if err != nil {
		return nil, augment.Split{}, err
	}
	s := augment.HoldOut(c, recordings, holdoutFlags{}.rule(c.Seed))
	if len(o.test) > 0 {
		test, err := a.load(ctx, o.test, o.labels, holdoutFlags{})
		if err != nil {
			return nil, augment.Split{}, err
		}
		s = augment.TestOn(c, recordings, test)
		if s.Dropped > 0 {
			a.note("%d of %d recordings of --test are left out: the model has seen them or near copies of them, or they are near copies of recordings in --data", s.Dropped, len(test))
		}
	}
	if !s.Trusted && o.proof {
		a.note("warning: the checkpoint does not record which recordings it was trained on: it may have seen the recordings of the proof, and the accuracies are not to be trusted")
	}
	return recordings, s, nil
}
