package main

import (
	"context"
	"errors"
	"runtime"
	"slices"
	"time"

	"golang.org/x/sync/errgroup"

	"wavemill/audio"
	"wavemill/audio/dataset"
	"wavemill/audio/fingerprint"
	"wavemill/audio/spectrogram"
	"wavemill/models"
	"wavemill/models/frontend"
	"wavemill/models/training"
)

// load scans and decodes recordings. Files that cannot be decoded are noted and left out.
func (a *app) load(ctx context.Context, roots []string, labels string, h holdoutFlags) ([]dataset.Recording, error) {
	set, err := a.scanGroups(ctx, roots, labels, h.group)
	if err != nil {
		return nil, err
	}
	return a.loadItems(ctx, set.Items)
}

// loadItems decodes recordings. Files that cannot be decoded are noted and left out.
func (a *app) loadItems(ctx context.Context, items []dataset.Item) ([]dataset.Recording, error) {
	all, err := a.decode(ctx, items)
	if err != nil {
		return nil, err
	}
	usable := all[:0]
	for _, r := range all {
		if r.Err != nil {
			a.note("skipped %s: %v", r.Path, r.Err)
			continue
		}
		usable = append(usable, r)
	}
	if len(usable) == 0 {
		return nil, errors.New("none of the recordings can be used")
	}
	return usable, nil
}

// decode decodes files in parallel and shows the progress.
func (a *app) decode(ctx context.Context, items []dataset.Item) ([]dataset.Recording, error) {
	task := a.console.Start("read", int64(len(items)), "files")
	defer task.Done()
	return dataset.Load(ctx, items, func(done int) { task.Set(int64(done)) })
}

// recording is a labelled file that has been decoded.
//
// It and the functions below stand in for dataset.Recording until every command uses that.
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

// clipsOf returns the clips of recordings, in order.
func clipsOf(recordings []recording) []audio.Clip {
	clips := make([]audio.Clip, len(recordings))
	for i, r := range recordings {
		clips[i] = r.clip
	}
	return clips
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

// spectrogramsOf analyzes recordings in parallel; those that the front end refuses (silence) are noted and nil.
func (a *app) spectrogramsOf(ctx context.Context, front *frontend.FrontEnd, recordings []recording) ([]*spectrogram.Spectrogram, error) {
	out := make([]*spectrogram.Spectrogram, len(recordings))
	group, working := errgroup.WithContext(ctx)
	group.SetLimit(runtime.GOMAXPROCS(0))
	for i, r := range recordings {
		if working.Err() != nil {
			break
		}
		group.Go(func() error {
			s, _, err := front.Analyze(r.clip)
			if err != nil {
				a.note("skipped %s: %v", r.item.Path, err)
			}
			out[i] = s
			return working.Err()
		})
	}
	if err := group.Wait(); err != nil {
		return nil, err
	}
	return out, ctx.Err()
}

// roundDuration rounds a duration to what a person reads.
func roundDuration(d time.Duration) time.Duration {
	switch {
	case d < time.Second:
		return d.Round(time.Millisecond)
	case d < time.Minute:
		return d.Round(100 * time.Millisecond)
	}
	return d.Round(time.Second)
}
