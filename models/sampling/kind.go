package sampling

import (
	"fmt"
	"path/filepath"
	"slices"
	"strconv"
	"strings"

	"wavemill/audio/dataset"
)

// DefaultStrength is how much a variation differs from its clip where nobody says: clearly another clip, and still
// similar to the given one.
const DefaultStrength = 0.4

// A Reference is what clips are interpolated between or vary: a label or, with Like, a given clip of that label.
type Reference struct {
	Label string
	Like  *Source // nil: new clips of the label
}

// A Kind is clips that differ by their seed alone.
type Kind struct {
	Provenance        // its Seed is not used
	Stem       string // of file names, before the seed
}

// At returns the provenance of the clip with the given seed.
func (k Kind) At(seed uint64) Provenance {
	p := k.Provenance
	p.Seed = seed
	return p
}

// FileName is the name of the WAV file of the clip with the given seed, without folders.
func (k Kind) FileName(seed uint64) string { return fmt.Sprintf("%s_%d.wav", k.Stem, seed) }

// FileName is the name of the WAV file of a new clip of a label, without folders.
func FileName(label string, seed uint64) string { return ofLabel(label, 0).FileName(seed) }

// Labels returns a kind of new clips for each label.
func Labels(labels []string, temperature float64) []Kind {
	kinds := make([]Kind, len(labels))
	for i, label := range labels {
		kinds[i] = ofLabel(label, temperature)
	}
	return kinds
}

func ofLabel(label string, temperature float64) Kind {
	return Kind{Provenance{Label: label, Temperature: temperature}, dataset.FileSlug(label)}
}

// Variations returns a kind of variations for each given clip.
func Variations(clips []Reference, strength, temperature float64) []Kind {
	kinds := make([]Kind, len(clips))
	for i, r := range clips {
		kinds[i] = Kind{
			Provenance{Label: r.Label, Temperature: temperature, Like: r.Like, Strength: strength},
			fmt.Sprintf("%s_like-%s_%s", dataset.FileSlug(r.Label), r.stem(), decimals(strength, -1)),
		}
	}
	return kinds
}

// Interpolations returns a kind for each weight between from (0) and to (1).
func Interpolations(from, to Reference, weights []float64, temperature float64) []Kind {
	digits := -1
	if len(weights) > 1 {
		digits = 3 // The same number in all names, so that they sort by weight.
	}
	if len(weights) > 500 {
		digits = 5
	}
	stem := interpolationStem(from, to)
	kinds := make([]Kind, len(weights))
	for i, w := range weights {
		kinds[i] = Kind{
			Provenance{Label: from.Label, Temperature: temperature, Like: from.Like, Mix: &Mix{Label: to.Label, Weight: w, Like: to.Like}},
			stem + "_" + decimals(w, digits),
		}
	}
	return kinds
}

// interpolationStem names both endpoints.
func interpolationStem(from, to Reference) string {
	labels := from.Label + "-" + to.Label
	switch {
	case from.Like != nil && to.Like != nil:
		if from.Label == to.Label {
			labels = from.Label
		}
		return fmt.Sprintf("%s_like-%s-to-%s", dataset.FileSlug(labels), from.stem(), to.stem())
	case from.Like != nil:
		return fmt.Sprintf("%s_like-%s", dataset.FileSlug(labels), from.stem())
	case to.Like != nil:
		return fmt.Sprintf("%s_to-%s", dataset.FileSlug(labels), to.stem())
	}
	return dataset.FileSlug(labels)
}

// stem is the name of a given clip's file without its extension, fit for other files' names.
func (r Reference) stem() string {
	return dataset.FileSlug(strings.TrimSuffix(r.Like.File, filepath.Ext(r.Like.File)))
}

// Weights returns n equally spaced weights from 0 to 1, both included; n is 2 or more.
func Weights(n int) []float64 {
	weights := make([]float64, n)
	for i := range weights {
		weights[i] = float64(i) / float64(n-1)
	}
	return weights
}

// decimals writes a number with so many digits after the point; with -1, as many as tell it from others.
func decimals(v float64, digits int) string {
	return strconv.FormatFloat(v, 'f', digits, 64)
}

// checkNames reports two kinds whose clips would have the same file names.
func checkNames(kinds []Kind) error {
	seen := map[string]bool{}
	for _, k := range kinds {
		if seen[k.Stem] {
			return fmt.Errorf("two different clips would be written to %s: generate them one after the other, into different folders", k.FileName(0))
		}
		seen[k.Stem] = true
	}
	return nil
}

// BySeed returns the provenances of n clips of every kind, with the seeds first, first+1, ...: all kinds of a seed
// follow each other, as the clips of an interpolation should.
func BySeed(kinds []Kind, first uint64, n int) []Provenance {
	ps := make([]Provenance, 0, n*len(kinds))
	for i := range n {
		for _, k := range kinds {
			ps = append(ps, k.At(first+uint64(i)))
		}
	}
	return ps
}

// AllLabels stands for every label of the model in [SelectLabels], unless the model has a label of that name.
const AllLabels = "all"

// SelectLabels returns the labels of a model that a user asks for, each once, in the order asked. Entries may be lists
// with commas, except where a label of the model contains the comma itself. An unknown label is a [LabelError].
func SelectLabels(asked, known []string) ([]string, error) {
	var out []string
	add := func(labels ...string) {
		for _, label := range labels {
			if !slices.Contains(out, label) {
				out = append(out, label)
			}
		}
	}
	for _, label := range splitLists(asked, known) {
		switch {
		case slices.Contains(known, label):
			add(label)
		case slices.Contains(known, sorted(label)):
			add(sorted(label))
		case label == AllLabels:
			add(known...)
		default:
			return nil, &LabelError{Label: label, Labels: known}
		}
	}
	return out, nil
}

// sorted is the label of a set whose labels are given in any order, "b+a"; other labels are as they are.
func sorted(label string) string {
	set, err := dataset.JoinLabels(dataset.SplitLabels(label))
	if err != nil {
		return label
	}
	return set
}

// splitLists splits lists with commas, except those that are a label themselves.
func splitLists(asked, known []string) []string {
	var out []string
	for _, list := range asked {
		if slices.Contains(known, list) {
			out = append(out, list)
			continue
		}
		for label := range strings.SplitSeq(list, ",") {
			out = append(out, strings.TrimSpace(label))
		}
	}
	return out
}
