package metric

import (
	"fmt"
	"slices"

	"wavemill/internal/stats"
)

// MemorisationAlarm is the ratio below which the lowest twentieth of generated clips must not fall, nor below
// MemorisationMargin times that of held-out real clips, whichever is lower.
const (
	MemorisationAlarm  = 0.5
	MemorisationMargin = 0.75
)

const (
	// LeastMemorisationClips is the least number of clips: of fewer than 20, no clip lies below the 5 % quantile.
	LeastMemorisationClips = 20
	// nearCopy is the share of the median distance to the nearest training clip below which a held-out clip counts as a
	// copy of one. Fresh recordings of one label and speaker have 0.3 and more.
	nearCopy = 0.1
	// otherGroups is how near training clips are to each other, in the median and relative to held-out clips, where these
	// are of other groups: 0.64 for drums of three kits beside ten others, about 1 for a random tenth.
	otherGroups = 0.75
)

// Memorisation distinguishes copies of training clips from new clips by Ratio, the 5 % quantile over generated clips of
//
//	distance to the nearest training clip / median distance of held-out real clips to their nearest training clip.
//
// A model whose clips are as new as recordings has about the ratio of held-out real clips; copies have 0. Alarm is
// set when one clip in twenty lies less than half as far from a training clip as fresh recordings usually do, and
// nearer than fresh recordings ever do. Held-out recordings of other groups (speakers, kits) lie further off than fresh
// ones of the groups that the model has learnt from, which lie as far as training clips from each other. Where training clips
// lie so much nearer to each other, in the median by a quarter, they are the fresh recordings.
//
// Copies in the data do not hide copies made by a model: held-out clips that are copies of training clips (exact, or
// nearer than a tenth of the median) are left out. Where fewer than [LeastMemorisationClips] others remain, the
// distances between different training clips take their place.
type Memorisation struct {
	Ratio   float64 `json:"ratio"`
	HeldOut float64 `json:"held_out"` // the same quantile for the held-out real clips (or training clips) themselves
	Limit   float64 `json:"limit"`    // Alarm is set below it
	Alarm   bool    `json:"alarm"`
	// Judged is false where there are too few clips to exclude copies; Reason says why. Alarm is valid in either case.
	Judged bool   `json:"judged"`
	Reason string `json:"reason,omitempty"`

	Ratios    []float64 `json:"-"` // of each generated clip
	Nearest   []int     `json:"-"` // index of its nearest training clip
	Reference []float64 `json:"-"` // distances of real clips, copies left out, divided by their median
}

// Memorise measures Memorisation in the space of the given vectors, one row a clip.
func Memorise(generated, heldOut, train [][]float64) (Memorisation, error) {
	if _, err := pair("the held-out set", heldOut, "the training set", train, 1); err != nil {
		return Memorisation{}, err
	}
	if _, err := pair("the generated set", generated, "the training set", train, 1); err != nil {
		return Memorisation{}, err
	}
	m := Memorisation{Judged: true}
	base := realDistances(heldOut, train)
	m.Nearest, m.Ratios = nearest(generated, train, false)
	if len(base) == 0 {
		// All training clips are equal, so that the median distance, the unit, is 0.
		clear(m.Ratios)
		m.Judged, m.Reason = false, "all recordings are copies of one another"
		return m, nil
	}
	scale := stats.Quantile(base, 0.5)
	for i := range m.Ratios {
		m.Ratios[i] /= scale
	}
	m.Reference = base
	for i := range base {
		base[i] /= scale
	}
	m.HeldOut = stats.Quantile(base, 0.05)
	m.Ratio = stats.Quantile(m.Ratios, 0.05)
	m.Limit = CopyLimit(m.HeldOut)
	if among := spacingOfDifferent(train); len(among) >= LeastMemorisationClips {
		if usual := stats.Quantile(among, 0.5); usual < otherGroups*scale {
			m.Limit = min(m.Limit, usual/scale*CopyLimit(stats.Quantile(among, 0.05)/usual))
		}
	}
	m.Alarm = m.Ratio < m.Limit
	switch {
	case len(generated) < LeastMemorisationClips:
		m.Judged, m.Reason = false, fmt.Sprintf("%d clips are too few: at least %d are needed", len(generated), LeastMemorisationClips)
	case len(base) < LeastMemorisationClips:
		m.Judged, m.Reason = false, fmt.Sprintf("%d different recordings are too few: at least %d are needed", len(base), LeastMemorisationClips)
	}
	return m, nil
}

// realDistances are the distances of held-out clips to their nearest training clip, copies left out, or those between
// different training clips where the former are too few. Nothing is left of clips that are all equal.
func realDistances(heldOut, train [][]float64) []float64 {
	_, distance := nearest(heldOut, train, false)
	base := withoutCopies(distance)
	if len(base) >= LeastMemorisationClips {
		return base
	}
	if among := spacingOfDifferent(train); len(among) > len(base) {
		return among
	}
	return base
}

// withoutCopies leaves out distances of copies: 0, or below nearCopy of the median of those above 0.
func withoutCopies(distance []float64) []float64 {
	positive := slices.DeleteFunc(slices.Clone(distance), func(d float64) bool { return d == 0 })
	if len(positive) == 0 {
		return nil
	}
	limit := nearCopy * stats.Quantile(positive, 0.5)
	return slices.DeleteFunc(positive, func(d float64) bool { return d < limit })
}

// SpacingOfDifferent returns the distance of each row to its nearest other row, without duplicates: of rows that equal each other
// one is kept, and rows nearer to another than a tenth of the median are left out. It is empty where all are equal.
func SpacingOfDifferent(x [][]float64) ([]float64, error) {
	if _, err := table("x", x, 2); err != nil {
		return nil, err
	}
	return spacingOfDifferent(x), nil
}

func spacingOfDifferent(x [][]float64) []float64 {
	different := distinct(x)
	if len(different) < 2 {
		return nil
	}
	_, distance := nearest(different, different, true)
	return withoutCopies(distance)
}

// distinct keeps the first of rows that are equal.
func distinct(x [][]float64) [][]float64 {
	order := make([]int, len(x))
	for i := range order {
		order[i] = i
	}
	slices.SortStableFunc(order, func(a, b int) int { return slices.Compare(x[a], x[b]) })
	keep := order[:0:0]
	for i, at := range order {
		if i == 0 || !slices.Equal(x[at], x[order[i-1]]) {
			keep = append(keep, at)
		}
	}
	slices.Sort(keep)
	out := make([][]float64, len(keep))
	for i, at := range keep {
		out[i] = x[at]
	}
	return out
}

// CollapseLimit is the diversity of the clips of a label, relative to that of recordings, below which a model has collapsed.
const CollapseLimit = 0.3

// CopyLimit is the ratio of distances below which a clip counts as a copy, for recordings of which one in twenty has the
// given ratio itself: MemorisationAlarm, and less where recordings lie close to each other.
func CopyLimit(ordinary float64) float64 {
	return min(MemorisationAlarm, MemorisationMargin*ordinary)
}
