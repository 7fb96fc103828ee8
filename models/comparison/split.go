package comparison

import (
	"errors"
	"fmt"
	"slices"

	"wavemill/audio/dataset"
	"wavemill/models"
	"wavemill/models/eval"
	"wavemill/models/training"
)

// Recordings are what an evaluation is made with, decoded and usable.
type Recordings struct {
	All  []dataset.Recording
	Test []dataset.Recording // held out instead of a part of All; empty: a part of All is
	// Rule splits All where no checkpoint says what it has seen.
	Rule dataset.Holdout
}

// A Split says which recordings candidates may learn from, and which are held out for the evaluation.
type Split struct {
	Learn, HeldOut []dataset.Recording
	// Unknown says for each of HeldOut whether no candidate has seen its group.
	Unknown []bool
	// Untrusted says why candidates may have seen held-out recordings all the same; "" where they have not.
	Untrusted string

	rule dataset.Holdout
}

// Split holds out the recordings that no checkpoint has seen or, without checkpoints, those that the rule says. Copies and
// near copies of seen recordings count as seen. Where Test is given, its recordings are held out that no checkpoint has
// seen and that are no copies of those in All. It is an error where too little is held out.
func (r Recordings) Split(checkpoints []models.Checkpoint) (Split, error) {
	switch {
	case len(r.Test) > 0:
		return r.splitTest(checkpoints)
	case len(checkpoints) == 0:
		parts, err := training.Divide(dataset.Identities(r.All), r.Rule, nil)
		if err != nil {
			return Split{}, err
		}
		if len(parts.HeldOut) == 0 {
			return Split{}, fmt.Errorf("comparison: %d recordings are too few to hold some out; give more, or others to evaluate with by --test DIR", len(r.All))
		}
		s := Split{Learn: pick(r.All, parts.Learnable()), HeldOut: pick(r.All, parts.HeldOut), rule: r.Rule}
		known := groupsOf(s.Learn)
		for _, h := range s.HeldOut {
			s.Unknown = append(s.Unknown, h.Group != "" && !known[h.Group])
		}
		return s, nil
	}
	p, err := training.Unseen(checkpoints, r.All, r.Rule)
	if err != nil {
		return Split{}, err
	}
	s := Split{Learn: pick(r.All, p.Seen), HeldOut: pick(r.All, p.Unseen), Unknown: p.UnknownGroup, Untrusted: p.Warning(), rule: r.Rule}
	return s.withLearnable()
}

// withLearnable lets an evaluator learn from unseen recordings, of which the rule leaves a part held out, where the models
// were trained on other recordings than these: it needs some of every label, and two of one.
func (s Split) withLearnable() (Split, error) {
	count, most := map[string]int{}, 0
	for _, r := range s.Learn {
		count[r.Label]++
		most = max(most, count[r.Label])
	}
	if most >= 2 && !slices.ContainsFunc(s.HeldOut, func(r dataset.Recording) bool { return count[r.Label] == 0 }) {
		return s, nil
	}
	parts, err := training.Divide(dataset.Identities(s.HeldOut), s.rule, nil)
	if err != nil {
		return Split{}, err
	}
	if len(parts.HeldOut) == 0 {
		return Split{}, fmt.Errorf("comparison: an evaluator needs recordings of every label and two of one: the models were trained on %d of these recordings, and %d others are too few to split; give more, or others to evaluate with by --test DIR",
			len(s.Learn), len(s.HeldOut))
	}
	out := s
	out.Learn = append(slices.Clone(s.Learn), pick(s.HeldOut, parts.Learnable())...)
	out.HeldOut, out.Unknown = pick(s.HeldOut, parts.HeldOut), pick(s.Unknown, parts.HeldOut)
	return out, nil
}

// splitTest holds out recordings of Test.
func (r Recordings) splitTest(checkpoints []models.Checkpoint) (Split, error) {
	p := training.Partition{Trusted: true}
	for i := range r.Test {
		p.Unseen = append(p.Unseen, i)
	}
	if len(checkpoints) > 0 {
		// A checkpoint without a record says nothing of Test: all of it counts as unseen, with a warning.
		recorded := slices.DeleteFunc(slices.Clone(checkpoints), func(c models.Checkpoint) bool { return c.Data == nil })
		if len(recorded) > 0 {
			var err error
			if p, err = training.Unseen(recorded, r.Test, r.Rule); err != nil {
				return Split{}, fmt.Errorf("--test: %w", err)
			}
		}
		p.Trusted = len(recorded) == len(checkpoints)
	}
	s := Split{Learn: r.All, Untrusted: p.Warning(), rule: r.Rule}
	known, groups := dataset.NewMatcher(dataset.Identities(r.All)), groupsOf(r.All)
	for at, i := range p.Unseen {
		h := r.Test[i]
		if _, copied := known.Contains(h.Identity()); copied {
			continue
		}
		s.HeldOut = append(s.HeldOut, h)
		s.Unknown = append(s.Unknown, h.Group != "" && !groups[h.Group] && (p.UnknownGroup == nil || p.UnknownGroup[at]))
	}
	if len(s.HeldOut) == 0 {
		return Split{}, errors.New("--test: the models have seen all of these recordings, or they are copies of those in --data")
	}
	return s, nil
}

// Data returns the split as an evaluation takes it.
func (s Split) Data() Data {
	d := Data{Learn: dataset.Clips(s.Learn), HeldOut: dataset.Clips(s.HeldOut), Untrusted: s.Untrusted, Sources: []training.HeldOut{}}
	grouped := false
	for i, r := range s.HeldOut {
		d.Sources = append(d.Sources, training.HeldOut{Source: r.Name, Label: r.Label, Digest: r.Digest})
		d.Groups = append(d.Groups, eval.Group{Name: r.Group, Unknown: s.Unknown[i]})
		grouped = grouped || r.Group != ""
	}
	if !grouped {
		d.Groups = nil
	}
	return d
}

// Training returns the recordings and the options with which a candidate is trained beside the evaluation: it learns from
// Learn, and its checkpoint records HeldOut as held out.
func (s Split) Training() ([]dataset.Recording, training.Options, error) {
	validation := s.rule
	validation.Share, validation.Out = 0, nil
	ids := dataset.Identities(s.Learn)
	parts, err := training.Divide(ids, validation, nil)
	if err != nil {
		return nil, training.Options{}, err
	}
	known := &models.TrainingData{Share: s.rule.Share, Validation: s.rule.Validation, Seed: s.rule.Seed, Group: s.rule.Group, HoldOut: s.rule.Out}
	for _, part := range []struct {
		to  *[]models.Recording
		ids []dataset.Identity
	}{{&known.Learnt, pick(ids, parts.Train)}, {&known.Chosen, pick(ids, parts.Validation)}, {&known.HeldOut, dataset.Identities(s.HeldOut)}} {
		for _, id := range part.ids {
			*part.to = append(*part.to, training.Recorded(id))
		}
	}
	return slices.Concat(s.Learn, s.HeldOut), training.Options{Holdout: s.rule, Known: known}, nil
}

func groupsOf(recordings []dataset.Recording) map[string]bool {
	groups := map[string]bool{}
	for _, r := range recordings {
		groups[r.Group] = true
	}
	return groups
}

func pick[T any](all []T, indices []int) []T {
	out := make([]T, len(indices))
	for i, at := range indices {
		out[i] = all[at]
	}
	return out
}
