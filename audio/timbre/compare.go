package timbre

import (
	"maps"
	"math"
	"slices"

	"wavemill/internal/stats"
)

// Median is the median of each measure over clips, leaving out NaN; NaN where no clip has the measure.
func Median(clips []Measures) Measures {
	out := Undefined()
	for _, q := range Quantities() {
		var defined []float64
		for i := range clips {
			if v := *q.Of(&clips[i]); !math.IsNaN(v) {
				defined = append(defined, v)
			}
		}
		*q.Of(&out) = stats.Median(defined)
	}
	return out
}

// A Comparison sets the clips of one label in two sets beside each other.
type Comparison struct {
	Label string `json:"label"`
	// ReferenceClips and OtherClips are how many clips the medians are of.
	ReferenceClips int `json:"reference_clips"`
	OtherClips     int `json:"other_clips"`
	// Reference and Other are the medians over these clips.
	Reference Measures `json:"reference"`
	Other     Measures `json:"other"`
}

// Compare compares the clips of each label that both sets have, in the order of the labels. The reference is usually the
// recordings.
func Compare(reference, other map[string][]Measures) []Comparison {
	var out []Comparison
	for _, label := range slices.Sorted(maps.Keys(reference)) {
		a, b := reference[label], other[label]
		if len(a) == 0 || len(b) == 0 {
			continue
		}
		out = append(out, Comparison{label, len(a), len(b), Median(a), Median(b)})
	}
	return out
}

// Ratio is Other over Reference, for measures that are not levels: pitch, attack, tail. NaN where either is not defined
// or Reference is 0.
func (c Comparison) Ratio() Measures {
	return c.each(func(reference, other float64) float64 {
		if reference == 0 {
			return math.NaN()
		}
		return other / reference
	})
}

// Difference is Other less Reference, for measures in dB and persistence. NaN where either is not defined.
func (c Comparison) Difference() Measures {
	return c.each(func(reference, other float64) float64 { return other - reference })
}

func (c Comparison) each(f func(reference, other float64) float64) Measures {
	out := Undefined()
	for _, q := range Quantities() {
		*q.Of(&out) = f(*q.Of(&c.Reference), *q.Of(&c.Other))
	}
	return out
}
