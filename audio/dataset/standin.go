package dataset

import (
	"cmp"
	"context"
	"errors"
	"slices"
	"strings"

	"wavemill/audio"
	"wavemill/audio/codec"
	"wavemill/audio/fingerprint"
)

// This file holds the place of the real Holdout and Load until they are merged.

// Recording is a decoded recording.
type Recording struct {
	Item
	Clip      audio.Clip
	Truncated bool
	Err       error
	Digest    string
	Print     fingerprint.Print
}

// Load decodes items.
func Load(ctx context.Context, items []Item, onProgress func(int)) ([]Recording, error) {
	out := make([]Recording, len(items))
	for i, it := range items {
		if ctx.Err() != nil {
			return nil, ctx.Err()
		}
		clip, info, err := codec.DecodeFile(ctx, it.Path)
		if err == nil && clip.Frames() == 0 {
			err = errors.New("there is no sound in it")
		}
		if err != nil {
			clip = audio.Clip{}
		}
		clip.Label, clip.Source = it.Label, it.Name
		out[i] = Recording{Item: it, Clip: clip, Truncated: info.Truncated, Err: err}
		if err == nil {
			out[i].Digest, out[i].Print = fingerprint.Digest(clip), fingerprint.Of(clip)
		}
		if onProgress != nil {
			onProgress(i + 1)
		}
	}
	return out, nil
}

// Identity is what a split goes by.
type Identity struct {
	Source, Label, Group, Digest string
	Print                        fingerprint.Print
}

// Holdout is the rule of a split.
type Holdout struct {
	Share, Validation float64
	Seed              uint64
	Group             string
	Out               []string
}

// Parts are the parts of a split.
type Parts struct {
	Train, Validation, HeldOut []int
	UnknownGroup               []bool
}

// Split parts recordings.
func (h Holdout) Split(ids []Identity) (Parts, error) {
	side := make([]int, len(ids))
	for i, id := range ids {
		key := id.Digest
		if h.Group != "" && id.Group != "" {
			key = id.Group
		}
		u := uniform(h.Seed, key)
		switch {
		case u < h.Share || slices.Contains(h.Out, h.Group+"="+id.Group):
			side[i] = 2
		case u < h.Share+(1-h.Share)*h.Validation:
			side[i] = 1
		}
	}
	for want := 2; want > 0; want-- {
		share := []float64{0, h.Validation, h.Share}[want]
		if share == 0 || h.Group != "" {
			continue
		}
		of := map[string][]int{}
		for i, id := range ids {
			of[id.Label] = append(of[id.Label], i)
		}
		for _, all := range of {
			if len(all) < 3 || slices.ContainsFunc(all, func(i int) bool { return side[i] == want }) {
				continue
			}
			slices.SortFunc(all, func(a, b int) int { return strings.Compare(ids[a].Digest, ids[b].Digest) })
			free := slices.IndexFunc(all, func(i int) bool { return side[i] == 0 })
			side[all[free]] = want
		}
	}
	var p Parts
	for i, s := range side {
		switch s {
		case 0:
			p.Train = append(p.Train, i)
		case 1:
			p.Validation = append(p.Validation, i)
		default:
			p.HeldOut = append(p.HeldOut, i)
		}
	}
	return p, nil
}

// A Matcher finds recordings that are the same as known ones.
type Matcher struct{ at map[string]int }

// NewMatcher knows ids.
func NewMatcher(ids []Identity) *Matcher {
	m := &Matcher{map[string]int{}}
	for i, id := range ids {
		m.at[cmp.Or(id.Digest, id.Source)] = i
	}
	return m
}

// Contains finds a copy of id.
func (m *Matcher) Contains(id Identity) (int, bool) {
	i, ok := m.at[cmp.Or(id.Digest, id.Source)]
	return i, ok
}

// Clips returns the clips.
func Clips(all []Recording) []audio.Clip {
	out := make([]audio.Clip, len(all))
	for i, r := range all {
		out[i] = r.Clip
	}
	return out
}
