package main

import (
	"context"
	"errors"

	"wavemill/audio/dataset"
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
