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
	"wavemill/models/sampling"
)

// references reads and encodes the clips of --like.
func (g *generation) references(ctx context.Context) ([]sampling.Reference, error) {
	out := make([]sampling.Reference, len(g.o.likes))
	for i, path := range g.o.likes {
		given := ""
		if len(g.labels) > 0 {
			given = g.labels[min(i, len(g.labels)-1)]
		}
		var err error
		if out[i], err = g.reference(ctx, path, given); err != nil {
			return nil, fmt.Errorf("--like %s: %w", path, err)
		}
	}
	return out, nil
}

// reference reads and encodes one clip. An empty label is found by labelOf.
func (g *generation) reference(ctx context.Context, path, label string) (sampling.Reference, error) {
	data, err := os.ReadFile(path)
	if err != nil {
		return sampling.Reference{}, err
	}
	sound, info, err := codec.Decode(ctx, filepath.Base(path), data)
	if err != nil {
		return sampling.Reference{}, err
	}
	if label == "" {
		if label, err = g.labelOf(ctx, path, sound, info.Tags["INAM"]); err != nil {
			return sampling.Reference{}, err
		}
	}
	source, notes, err := g.sampler.Encode(ctx, sound, label)
	if err != nil {
		return sampling.Reference{}, err
	}
	changes := info.Notes
	notes.Trimmed, notes.Padded = 0, 0 // These lose nothing.
	if s := notes.String(); s != "" {
		changes = append(changes, s)
	}
	if len(changes) > 0 {
		g.note("%s: %s", path, strings.Join(changes, "; "))
	}
	digest := sha256.Sum256(data)
	source.File, source.SHA256 = filepath.Base(path), hex.EncodeToString(digest[:])
	return sampling.Reference{Label: label, Like: source}, nil
}

// labelOf finds the label of a clip: the first label of the model among the file's title, the name up to the first "_",
// the whole name and the folder; otherwise the one that the filter's classifier predicts.
func (g *generation) labelOf(ctx context.Context, path string, sound audio.Clip, title string) (string, error) {
	name := filepath.Base(path)
	stem := strings.TrimSuffix(name, filepath.Ext(name))
	prefix, _, _ := strings.Cut(stem, "_")
	abs, err := filepath.Abs(path)
	if err != nil {
		return "", err
	}
	for _, label := range []string{title, prefix, stem, filepath.Base(filepath.Dir(abs))} {
		if i := slices.IndexFunc(g.sampler.Labels, func(known string) bool {
			return label != "" && (label == known || label == dataset.FileSlug(known))
		}); i >= 0 {
			g.note("%s: taken for %q by its name", path, g.sampler.Labels[i])
			return g.sampler.Labels[i], nil
		}
	}
	if g.filter == nil {
		return "", usagef("neither its title nor its name contains a label of the model: name it with --label (%s), or give a classifier with --judge", abridge(g.sampler.Labels, 12))
	}
	c := g.filter.Classifier()
	p, err := c.Predict(ctx, []audio.Clip{sound})
	if err != nil {
		return "", err
	}
	index, probability := p.Label(0)
	label := c.Labels()[index]
	if !slices.Contains(g.sampler.Labels, label) {
		return "", usagef("the classifier predicts %q, which the model does not know: name the label with --label", label)
	}
	g.note("%s: the classifier predicts %q (%.0f %%)", path, label, 100*probability)
	return label, nil
}
