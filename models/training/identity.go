package training

import (
	"cmp"
	"slices"

	"wavemill/audio/dataset"
	"wavemill/audio/fingerprint"
	"wavemill/models"
)

// Recorded returns the form in which a checkpoint keeps an identity.
func Recorded(id dataset.Identity) models.Recording {
	r := models.Recording{Source: id.Source, Label: id.Label, Group: id.Group, Digest: id.Digest}
	if text, err := id.Print.MarshalText(); err == nil {
		r.Print = string(text)
	}
	return r
}

// recorded is Recorded for the identities with the given indices.
func recorded(ids []dataset.Identity, indices []int) []models.Recording {
	out := make([]models.Recording, len(indices))
	for i, at := range indices {
		out[i] = Recorded(ids[at])
	}
	return out
}

// remembered returns the identities of recordings in a checkpoint. A print that cannot be read is left out: the digest
// still identifies exact copies.
func remembered(recordings []models.Recording) []dataset.Identity {
	out := make([]dataset.Identity, len(recordings))
	for i, r := range recordings {
		out[i] = dataset.Identity{Source: r.Source, Label: r.Label, Group: r.Group, Digest: r.Digest}
		var p fingerprint.Print
		if err := p.UnmarshalText([]byte(r.Print)); err == nil {
			out[i].Print = p
		}
	}
	return out
}

// order is the canonical order of recordings: by label, then digest, then source. Sources come last, so that a set of
// different recordings has the same order whatever its files are called.
func order(a, b dataset.Identity) int {
	return cmp.Or(cmp.Compare(a.Label, b.Label), cmp.Compare(a.Digest, b.Digest), cmp.Compare(a.Source, b.Source))
}

// canonical returns the indices of ids in canonical order.
func canonical(ids []dataset.Identity) []int {
	indices := make([]int, len(ids))
	for i := range indices {
		indices[i] = i
	}
	slices.SortStableFunc(indices, func(a, b int) int { return order(ids[a], ids[b]) })
	return indices
}

// pick returns the elements of x with the given indices.
func pick[T any](x []T, indices []int) []T {
	out := make([]T, len(indices))
	for i, at := range indices {
		out[i] = x[at]
	}
	return out
}

// labelsOf returns the labels of the identities with the given indices, sorted, each once.
func labelsOf(ids []dataset.Identity, indices []int) []string {
	names := make([]string, len(indices))
	for i, at := range indices {
		names[i] = ids[at].Label
	}
	slices.Sort(names)
	return slices.Compact(names)
}

// A HeldOut names a recording that was held out of a training. Reports list them in this form, so that one list can be
// compared with another.
type HeldOut struct {
	Source string `json:"source"`
	Label  string `json:"label"`
	Digest string `json:"digest"`
}

// HeldOutList returns identities as reports list them, in canonical order.
func HeldOutList(ids []dataset.Identity) []HeldOut {
	out := make([]HeldOut, 0, len(ids))
	for _, at := range canonical(ids) {
		out = append(out, HeldOut{Source: ids[at].Source, Label: ids[at].Label, Digest: ids[at].Digest})
	}
	return out
}

// HeldOutOf returns what a checkpoint records as held out, as reports list it. It is empty for a checkpoint without a
// record.
func HeldOutOf(c models.Checkpoint) []HeldOut {
	if c.Data == nil {
		return []HeldOut{}
	}
	return HeldOutList(remembered(c.Data.HeldOut))
}
