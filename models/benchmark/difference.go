package benchmark

import (
	"math"

	"wavemill/models/eval"
)

// A Difference is a figure of one architecture less that of another, over the runs that both have.
type Difference struct {
	Figure string `json:"figure"` // JSON name of Means, such as "label_accuracy"
	A      string `json:"a"`
	B      string `json:"b"`
	Estimate
	// NoDifference is set where the interval holds 0, or is not known.
	NoDifference bool `json:"none"`
}

// differences compares each two models in each figure.
func (r Result) differences(models []string) []Difference {
	var out []Difference
	for i, a := range models {
		for _, b := range models[i+1:] {
			for _, f := range r.figures() {
				if f.better == unranked {
					continue
				}
				if d, ok := r.difference(f, a, b); ok {
					out = append(out, d)
				}
			}
		}
	}
	return out
}

// difference compares two models run by run.
func (r Result) difference(f figure, a, b string) (Difference, bool) {
	var samples []sample
	for _, x := range r.runsOf(a) {
		for _, y := range r.runsOf(b) {
			if x.Seed != y.Seed || x.LeftOut != y.LeftOut {
				continue
			}
			if s, ok := f.difference(x, y); ok {
				samples = append(samples, s)
			}
		}
	}
	if len(samples) == 0 {
		return Difference{}, false
	}
	e := estimate(samples)
	return Difference{Figure: f.key, A: a, B: b, Estimate: e, NoDifference: e.None()}, true
}

// difference is that of one run. Its interval is made of those of both figures, as if they were independent (Zou and
// Donner, 2008): they share recordings, so that it is too wide rather than too narrow.
func (f figure) difference(x, y Run) (sample, bool) {
	a, okA := f.of(x)
	b, okB := f.of(y)
	if !okA || !okB {
		return sample{}, false
	}
	s := sample{value: a.value - b.value}
	if a.interval != nil && b.interval != nil {
		s.interval = &eval.Interval{
			s.value - math.Hypot(a.value-a.interval[0], b.interval[1]-b.value),
			s.value + math.Hypot(a.interval[1]-a.value, b.value-b.interval[0]),
		}
	}
	return s, true
}

// best returns the model that differs from every other in a figure for the better, or "" where there is none.
func (r Result) best(f figure, models []Means) string {
	if f.better == unranked || len(models) < 2 {
		return ""
	}
	best := models[0]
	for _, m := range models[1:] {
		if f.better.Distance(f.in(&m).Mean) < f.better.Distance(f.in(&best).Mean) {
			best = m
		}
	}
	for _, m := range models {
		if m.Model == best.Model {
			continue
		}
		d, ok := r.difference(f, best.Model, m.Model)
		if !ok || d.NoDifference || !f.better.Comparable(f.in(&best).Mean, f.in(&m).Mean) {
			return ""
		}
	}
	return best.Model
}
