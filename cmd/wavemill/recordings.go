package main

import (
	"context"
	"errors"

	"github.com/spf13/cobra"

	"wavemill/audio/dataset"
)

// holdoutFlags are the flags that decide which recordings a training does not use.
type holdoutFlags struct {
	group string   // field that names the group of a recording
	out   []string // groups to hold out whole, as FIELD=VALUE
}

func (h *holdoutFlags) add(cmd *cobra.Command) {
	f := cmd.Flags()
	f.StringVar(&h.group, "group", "", "what names a group, such as a speaker: a field of the --labels pattern, a column of its table, or folder; whole groups are held out")
	f.StringArrayVar(&h.out, "hold-out", nil, "hold out the recordings of a group, such as speaker=theo; may be repeated")
}

// check reports a wrong flag. --hold-out names the field that --group may leave out.
func (h *holdoutFlags) check() (err error) {
	if h.group, err = dataset.GroupField(h.group, h.out); err != nil {
		return usagef("--%w", err)
	}
	return nil
}

// given reports whether a flag was given.
func (h holdoutFlags) given() bool { return h.group != "" || len(h.out) > 0 }

// rule is the split that the flags and a seed make.
func (h holdoutFlags) rule(seed uint64) dataset.Holdout {
	r := dataset.DefaultHoldout(seed)
	r.Group, r.Out = h.group, h.out
	return r
}

// load scans and decodes recordings. Files that cannot be decoded are noted and left out, those in folders of except are left out.
func (a *app) load(ctx context.Context, roots []string, labels string, h holdoutFlags, except ...string) ([]dataset.Recording, error) {
	set, err := a.scanGroups(ctx, roots, labels, h.group, except...)
	if err != nil {
		return nil, err
	}
	return a.loadItems(ctx, set.Items)
}

// loadItems decodes recordings. Files that cannot be decoded are left out.
func (a *app) loadItems(ctx context.Context, items []dataset.Item) ([]dataset.Recording, error) {
	all, err := a.decode(ctx, items)
	if err != nil {
		return nil, err
	}
	if all = dataset.Usable(all); len(all) == 0 {
		return nil, errors.New("none of the recordings can be used")
	}
	return all, nil
}

// decode decodes files in parallel, shows the progress, and notes what is wrong with them.
func (a *app) decode(ctx context.Context, items []dataset.Item) ([]dataset.Recording, error) {
	task := a.console.Start("read", int64(len(items)), "files")
	defer task.Done()
	all, err := dataset.Load(ctx, items, func(done int) { task.Set(int64(done)) })
	a.notes(dataset.Faults(all)...)
	return all, err
}
