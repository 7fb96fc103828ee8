package main

import (
	"context"
	"slices"
	"time"

	"wavemill/audio"
	"wavemill/audio/dataset"
	"wavemill/audio/fingerprint"
	"wavemill/models"
	"wavemill/models/frontend"
	"wavemill/models/training"
)

// recording is a labelled file that has been decoded.
//
// It and all below stand in for dataset.Recording until the demo uses that.
type recording struct {
	item      dataset.Item
	clip      audio.Clip
	truncated bool
	err       error // why it cannot be used; clip is then empty
	digest    string
	print     fingerprint.Print
}

// decodeAll decodes files and returns them in order, with those that cannot be used.
func (a *app) decodeAll(ctx context.Context, items []dataset.Item) ([]recording, error) {
	all, err := a.decode(ctx, items)
	if err != nil {
		return nil, err
	}
	out := make([]recording, len(all))
	for i, r := range all {
		out[i] = recording{r.Item, r.Clip, r.Truncated, r.Err, r.Digest, r.Print}
	}
	return out, nil
}

// decoded returns r as package dataset has it.
func (r recording) decoded() dataset.Recording {
	d := dataset.Recording{Item: r.item, Clip: r.clip, Truncated: r.truncated, Err: r.err, Digest: r.digest, Print: r.print}
	if d.Digest == "" {
		d.Digest, d.Print = fingerprint.Digest(r.clip), fingerprint.Of(r.clip)
	}
	return d
}

func decodedAll(recordings []recording) []dataset.Recording {
	out := make([]dataset.Recording, len(recordings))
	for i, r := range recordings {
		out[i] = r.decoded()
	}
	return out
}

// good returns the recordings that can be used.
func good(all []recording) []recording {
	return slices.DeleteFunc(slices.Clone(all), func(r recording) bool { return r.err != nil })
}

// planFrontEnd plans the front end for recordings of any rate and length.
func planFrontEnd(recordings []recording) models.FrontEnd {
	return frontend.PlanFor(clipsOf(recordings))
}

// split holds out recordings as a training of the same seed does without a group.
func split(recordings []recording, seed uint64) (train, held []recording) {
	parts, err := training.Divide(dataset.Identities(decodedAll(recordings)), holdoutFlags{}.rule(seed), nil)
	if err != nil {
		return recordings, nil
	}
	isHeld := make([]bool, len(recordings))
	for _, i := range parts.HeldOut {
		isHeld[i] = true
	}
	for i, r := range recordings {
		if isHeld[i] {
			held = append(held, r)
		} else {
			train = append(train, r)
		}
	}
	return train, held
}

// labelNames returns the labels of recordings, sorted.
func labelNames(recordings []recording) []string {
	names := make([]string, 0, len(recordings))
	for _, r := range recordings {
		names = append(names, r.item.Label)
	}
	slices.Sort(names)
	return slices.Compact(names)
}

// showPlan is notePlan for recordings of the demo.
func (a *app) showPlan(ctx context.Context, o frontOptions, fe models.FrontEnd, recordings []recording, budget time.Duration) error {
	return a.notePlan(ctx, o, fe, decodedAll(recordings), budget)
}

// ceilingFast and trainingWatch are earlier names, which the demo uses.
const ceilingFast = training.CeilingFast

type trainingWatch = trainingProgress
