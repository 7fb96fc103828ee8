package main

import (
	"context"
	"errors"
	"fmt"
	"runtime"
	"slices"

	"golang.org/x/sync/errgroup"

	"wavemill/audio"
	"wavemill/audio/codec"
	"wavemill/audio/dataset"
	"wavemill/audio/spectrogram"
	"wavemill/models"
	"wavemill/models/frontend"
)

// recording is a labelled file that has been decoded.
type recording struct {
	item      dataset.Item
	clip      audio.Clip
	truncated bool
	err       error // why it cannot be used; clip is then empty
}

// decodeAll decodes files side by side and returns them in order. A file that cannot be used is no error here: it
// carries its own.
func (a *app) decodeAll(ctx context.Context, items []dataset.Item) ([]recording, error) {
	task := a.console.Start("read", int64(len(items)), "files")
	defer task.Done()
	out := make([]recording, len(items))
	group, working := errgroup.WithContext(ctx)
	group.SetLimit(runtime.GOMAXPROCS(0))
	for i, item := range items {
		if working.Err() != nil {
			break
		}
		group.Go(func() error {
			clip, info, err := codec.DecodeFile(working, item.Path)
			if working.Err() != nil {
				return working.Err()
			}
			if err == nil {
				err = usable(clip)
			}
			if err != nil {
				clip = audio.Clip{}
			}
			clip.Label, clip.Source = item.Label, item.Name
			out[i] = recording{item, clip, info.Truncated, err}
			task.Add(1)
			return nil
		})
	}
	if err := group.Wait(); err != nil {
		return nil, err
	}
	return out, ctx.Err()
}

// usable reports what makes a decoded clip unfit to learn from, or nil.
func usable(c audio.Clip) error {
	if c.Frames() == 0 {
		return errors.New("there is no sound in it")
	}
	return nil
}

// good returns the recordings that can be used.
func good(all []recording) []recording {
	return slices.DeleteFunc(slices.Clone(all), func(r recording) bool { return r.err != nil })
}

// planFrontEnd plans the front end for recordings of every rate and length.
func planFrontEnd(recordings []recording) models.FrontEnd {
	clips := make([]audio.Clip, len(recordings))
	for i, r := range recordings {
		clips[i] = r.clip
	}
	return frontend.PlanFor(clips)
}

// split parts recordings into those to learn from and those to judge by: a tenth, by the hash of speaker or name, but
// at least one of each label that has two.
func split(recordings []recording, seed uint64) (train, held []recording) {
	items := make([]dataset.Item, len(recordings))
	byName := make(map[string]int, len(recordings))
	for i, r := range recordings {
		// The group is left out: with a handful of speakers, a tenth by speaker would be none or a half.
		items[i] = dataset.Item{Path: r.item.Path, Name: r.item.Name, Label: r.item.Label}
		byName[r.item.Name] = i
	}
	parts := dataset.Split(items, seed, 0.9, 0.1)
	isHeld := make([]bool, len(recordings))
	heldOf, all := map[string]int{}, map[string]int{}
	for _, item := range parts[1] {
		isHeld[byName[item.Name]] = true
		heldOf[item.Label]++
	}
	for _, item := range items {
		all[item.Label]++
	}
	for i, item := range items {
		switch label := item.Label; {
		case !isHeld[i] && heldOf[label] == 0 && all[label] >= 2:
			isHeld[i] = true
			heldOf[label]++
		case isHeld[i] && heldOf[label] == all[label]:
			isHeld[i] = false
			heldOf[label]--
		}
		if isHeld[i] {
			held = append(held, recordings[i])
		} else {
			train = append(train, recordings[i])
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

// analyze turns recordings into a batch, in order; those the front end refuses (silence) are named and left out.
func (a *app) analyze(ctx context.Context, fe models.FrontEnd, labels []string, recordings []recording) (models.Batch, error) {
	front, err := frontend.New(fe)
	if err != nil {
		return models.Batch{}, err
	}
	specs, err := a.spectrogramsOf(ctx, front, recordings)
	if err != nil {
		return models.Batch{}, err
	}
	kept := make([]*spectrogram.Spectrogram, 0, len(specs))
	var indices []int
	for i, s := range specs {
		if s == nil {
			continue
		}
		at, ok := slices.BinarySearch(labels, recordings[i].item.Label)
		if !ok {
			return models.Batch{}, fmt.Errorf("%s: the model does not know the label %q; it knows %s", recordings[i].item.Path, recordings[i].item.Label, abridge(labels, 12))
		}
		kept, indices = append(kept, s), append(indices, at)
	}
	if len(kept) == 0 {
		return models.Batch{}, nil
	}
	return front.Batch(kept, indices)
}

// spectrogramsOf analyzes recordings side by side; those the front end refuses (silence) are named and nil.
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
