package benchmark

import (
	"errors"
	"fmt"
	"math"
	"slices"

	"wavemill/audio/dataset"
	"wavemill/models/comparison"
	"wavemill/models/eval"
	"wavemill/models/training"
)

// A fold is one run's split of the recordings.
type fold struct {
	seed       uint64
	leftOut    string // group that is held out whole; "" for none
	rule       dataset.Holdout
	recordings []dataset.Recording
	parts      training.Parts
}

// folds returns the runs of a benchmark: each seed or, with LeaveOut, each seed with each group.
func (q Quality) folds(recordings []dataset.Recording) ([]fold, error) {
	groups := []string{""}
	if q.LeaveOut != "" {
		if groups = groupsOf(recordings); len(groups) < 2 {
			return nil, fmt.Errorf("benchmark: %d groups by %s among the recordings: leaving one out takes two or more", len(groups), q.LeaveOut)
		}
	}
	var folds []fold
	for seed := uint64(1); seed <= uint64(q.Seeds); seed++ {
		for _, group := range groups {
			f := fold{seed: seed, leftOut: group, recordings: recordings}
			f.rule = dataset.DefaultHoldout(seed)
			f.rule.Group = q.Group
			if group != "" {
				f.rule.Group, f.rule.Out = q.LeaveOut, []string{q.LeaveOut + "=" + group}
			}
			var err error
			if f.parts, err = training.Divide(dataset.Identities(recordings), f.rule, nil); err != nil {
				return nil, err
			}
			if len(f.parts.HeldOut) == 0 {
				return nil, errors.New("benchmark: no label has two recordings that can be used, so that none can be held out")
			}
			folds = append(folds, f)
		}
	}
	return folds, nil
}

// groupsOf returns the groups of recordings, sorted, each once.
func groupsOf(recordings []dataset.Recording) []string {
	var groups []string
	for _, r := range recordings {
		if r.Group != "" {
			groups = append(groups, r.Group)
		}
	}
	slices.Sort(groups)
	return slices.Compact(groups)
}

// name is how notes and errors call a fold.
func (f fold) name() string {
	if f.leftOut != "" {
		return fmt.Sprintf("seed %d without %s", f.seed, f.leftOut)
	}
	return fmt.Sprintf("seed %d", f.seed)
}

// at returns the recordings with the given indices.
func (f fold) at(indices []int) []dataset.Recording {
	out := make([]dataset.Recording, len(indices))
	for i, at := range indices {
		out[i] = f.recordings[at]
	}
	return out
}

// learnable are the recordings that a training of the fold may use, in canonical order.
func (f fold) learnable() []dataset.Recording { return f.at(f.parts.Learnable()) }

// heldOut are the others.
func (f fold) heldOut() []dataset.Recording { return f.at(f.parts.HeldOut) }

// data is what the fold's evaluator works with.
func (f fold) data() comparison.Data {
	learn, held := f.learnable(), f.heldOut()
	d := comparison.Data{Learn: dataset.Clips(learn), HeldOut: dataset.Clips(held)}
	known := map[string]bool{}
	for _, r := range learn {
		known[r.Group] = true
	}
	for _, r := range held {
		d.Sources = append(d.Sources, training.HeldOut{Source: r.Name, Label: r.Label, Digest: r.Digest})
		if f.leftOut != "" {
			d.Groups = append(d.Groups, eval.Group{Name: r.Group, Unknown: r.Group != "" && !known[r.Group]})
		}
	}
	return d
}

// few returns a share of each label's recordings to learn from, at least two, spread evenly over them.
func (f fold) few(share float64) []dataset.Recording {
	byLabel := map[string][]dataset.Recording{}
	var labels []string
	for _, r := range f.learnable() {
		if _, seen := byLabel[r.Label]; !seen {
			labels = append(labels, r.Label)
		}
		byLabel[r.Label] = append(byLabel[r.Label], r)
	}
	slices.Sort(labels)
	var out []dataset.Recording
	for _, label := range labels {
		of := byLabel[label]
		n := min(max(2, int(math.Round(share*float64(len(of))))), len(of))
		for i := range n {
			out = append(out, of[(2*i+1)*len(of)/(2*n)])
		}
	}
	return out
}
