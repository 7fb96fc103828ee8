package main

import (
	"context"
	"crypto/sha256"
	"encoding/hex"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strings"

	"wavemill/audio"
	"wavemill/audio/codec"
	"wavemill/audio/dataset"
	"wavemill/operators/generate"
)

// A likeClip is a clip given with --like.
type likeClip struct {
	*generate.Source
	label string
	stem  string // of its file's name, fit for other files' names
}

// sources reads the clips given with --like and has them encoded.
func (g *generation) sources(ctx context.Context) ([]likeClip, error) {
	out := make([]likeClip, len(g.o.likes))
	for i, path := range g.o.likes {
		given := ""
		if len(g.labels) > 0 {
			given = g.labels[min(i, len(g.labels)-1)]
		}
		var err error
		if out[i], err = g.source(ctx, path, given); err != nil {
			return nil, fmt.Errorf("--like %s: %w", path, err)
		}
	}
	return out, nil
}

// source reads one clip. Without a given label, the file says it, or the judge.
func (g *generation) source(ctx context.Context, path, label string) (likeClip, error) {
	data, err := os.ReadFile(path)
	if err != nil {
		return likeClip{}, err
	}
	sound, info, err := codec.Decode(ctx, filepath.Base(path), data)
	if err != nil {
		return likeClip{}, err
	}
	if label == "" {
		if label, err = g.labelOf(ctx, path, sound, info.Tags["INAM"]); err != nil {
			return likeClip{}, err
		}
	}
	source, notes, err := g.maker.Encode(ctx, sound, label)
	if err != nil {
		return likeClip{}, err
	}
	said := info.Notes
	notes.Trimmed, notes.Padded = 0, 0 // nothing is lost by them
	if s := notes.String(); s != "" {
		said = append(said, s)
	}
	if len(said) > 0 {
		g.note("%s: %s", path, strings.Join(said, "; "))
	}
	digest := sha256.Sum256(data)
	source.File, source.SHA256 = filepath.Base(path), hex.EncodeToString(digest[:])
	name := filepath.Base(path)
	return likeClip{Source: source, label: label, stem: dataset.FileSlug(strings.TrimSuffix(name, filepath.Ext(name)))}, nil
}

// labelOf finds out which label a clip has: what its title, its name or its folder says, else what a judge hears.
func (g *generation) labelOf(ctx context.Context, path string, sound audio.Clip, title string) (string, error) {
	name := filepath.Base(path)
	stem := strings.TrimSuffix(name, filepath.Ext(name))
	prefix, _, _ := strings.Cut(stem, "_")
	abs, err := filepath.Abs(path)
	if err != nil {
		return "", err
	}
	for _, label := range []string{title, prefix, stem, filepath.Base(filepath.Dir(abs))} {
		if i := slices.IndexFunc(g.maker.Labels, func(known string) bool {
			return label != "" && (label == known || label == dataset.FileSlug(known))
		}); i >= 0 {
			g.note("%s: taken for %q by its name", path, g.maker.Labels[i])
			return g.maker.Labels[i], nil
		}
	}
	if g.sieve == nil {
		return "", usagef("neither title nor name say which label it has: name it with --label (%s), or let a --judge listen", abridge(g.maker.Labels, 12))
	}
	c := g.sieve.Classifier()
	p, err := c.Predict(ctx, []audio.Clip{sound})
	if err != nil {
		return "", err
	}
	heard, sure := p.Label(0)
	label := c.Labels()[heard]
	if !slices.Contains(g.maker.Labels, label) {
		return "", usagef("the judge hears %q, which the model does not know: name the label with --label", label)
	}
	g.note("%s: the judge hears %q (%.0f %%)", path, label, 100*sure)
	return label, nil
}
