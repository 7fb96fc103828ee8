package main

import (
	"context"

	"wavemill/models"
	"wavemill/models/augment"
)

// topupSplit reads the recordings of --data and --test and divides them for the filter and the proof.
func (a *app) topupSplit(ctx context.Context, o topupOptions, c models.Checkpoint) ([]augment.Recording, augment.Split, error) {
	all, err := a.recordings(ctx, o.data, o.labels)
	if err != nil {
		return nil, augment.Split{}, err
	}
	recordings := augmentRecordings(all)
	guard := augment.Guard{Unseen: func(rs []augment.Recording) ([]int, bool, error) { return unseen(c, rs, len(o.test) > 0) }}
	var s augment.Split
	if len(o.test) > 0 {
		test, err := a.recordings(ctx, o.test, o.labels)
		if err != nil {
			return nil, augment.Split{}, err
		}
		s, err = augment.TestOn(recordings, augmentRecordings(test), guard)
		if err != nil {
			return nil, augment.Split{}, err
		}
		if s.Dropped > 0 {
			a.note("%d of %d recordings of --test are left out: the model has seen them, or they are copies of recordings in --data", s.Dropped, len(test))
		}
	} else if s, err = augment.HoldOut(recordings, guard); err != nil {
		return nil, augment.Split{}, err
	}
	if !s.Trusted && o.proof {
		a.note("warning: the checkpoint does not record which recordings it was trained on: it may have seen the recordings of the proof, and the accuracies are not to be trusted")
	}
	return recordings, s, nil
}

// augmentRecordings converts recordings.
func augmentRecordings(all []recording) []augment.Recording {
	out := make([]augment.Recording, len(all))
	for i, r := range all {
		out[i] = augment.Recording{Path: r.item.Path, Clip: r.clip}
	}
	return out
}

// unseen returns which recordings a checkpoint has not seen, as far as its seed says: the checkpoint does not record them.
func unseen(c models.Checkpoint, rs []augment.Recording, separate bool) (indices []int, trusted bool, err error) {
	of := make([]recording, len(rs))
	at := map[string]int{}
	for i, r := range rs {
		of[i].item.Path, of[i].item.Name, of[i].item.Label = r.Path, r.Clip.Source, r.Clip.Label
		at[r.Clip.Source] = i
	}
	_, held := split(of, c.Seed)
	if separate {
		held = of
	}
	for _, r := range held {
		indices = append(indices, at[r.item.Name])
	}
	return indices, false, nil
}
