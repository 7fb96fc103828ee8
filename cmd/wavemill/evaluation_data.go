package main

import (
	"context"
	"errors"
	"fmt"
	"slices"

	"wavemill/audio"
	"wavemill/audio/dataset"
	"wavemill/models"
	"wavemill/models/comparison"
	"wavemill/models/eval"
	"wavemill/models/training"
)

// evaluationData are the recordings of --data and --test, decoded.
type evaluationData struct {
	all, test []dataset.Recording
	rule      dataset.Holdout // where no checkpoint says what it has seen

	hash, labelSource string // of all
}

// A division of recordings: what models may have learnt from, and what none of them has.
type division struct {
	learn, held []dataset.Recording
	unknown     []bool // for each of held, whether no model knows its group
	untrusted   string // why models may have seen some of held; "" where they have not
}

// evaluationRecordings reads the recordings of --data and --test.
func (a *app) evaluationRecordings(ctx context.Context, o evaluationFlags, h holdoutFlags) (evaluationData, error) {
	d := evaluationData{rule: h.rule(o.seed)}
	set, err := a.scanGroups(ctx, o.data, o.labels, h.group)
	if err != nil {
		return d, err
	}
	d.hash, d.labelSource = set.Hash(), set.LabelSource
	if d.all, err = a.loadItems(ctx, set.Items); err != nil {
		return d, err
	}
	if len(o.test) > 0 {
		d.test, err = a.load(ctx, o.test, o.labels, h)
	}
	return d, err
}

// divide holds out what no checkpoint has seen or, without checkpoints, what the rule says. With --test those recordings
// are held out, and none of the others.
func (d evaluationData) divide(checkpoints []models.Checkpoint) (division, error) {
	switch {
	case len(d.test) > 0:
		return d.divideTest(checkpoints)
	case len(checkpoints) == 0:
		parts, err := training.Divide(dataset.Identities(d.all), d.rule, nil)
		if err != nil {
			return division{}, err
		}
		if len(parts.HeldOut) == 0 {
			return division{}, errors.New("too few recordings to hold some out; give others to evaluate with by --test DIR")
		}
		out := division{learn: pickRecordings(d.all, parts.Learnable()), held: pickRecordings(d.all, parts.HeldOut)}
		out.unknown = unknownGroups(out.learn, out.held)
		return out, nil
	}
	p, err := training.Unseen(checkpoints, d.all, d.rule)
	if err != nil {
		return division{}, err
	}
	out := division{learn: pickRecordings(d.all, p.Seen), held: pickRecordings(d.all, p.Unseen), unknown: p.UnknownGroup, untrusted: p.Warning()}
	return out.withLearnable(d.rule)
}

// withLearnable lets an evaluator learn from unseen recordings, of which a rule leaves a part held out, where the models
// were trained on other recordings than these: it needs some of every label, and two of one.
func (d division) withLearnable(rule dataset.Holdout) (division, error) {
	count, most := map[string]int{}, 0
	for _, r := range d.learn {
		count[r.Label]++
		most = max(most, count[r.Label])
	}
	if most >= 2 && !slices.ContainsFunc(d.held, func(r dataset.Recording) bool { return count[r.Label] == 0 }) {
		return d, nil
	}
	parts, err := training.Divide(dataset.Identities(d.held), rule, nil)
	if err != nil {
		return division{}, err
	}
	out := division{learn: append(slices.Clone(d.learn), pickRecordings(d.held, parts.Learnable())...), held: pickRecordings(d.held, parts.HeldOut), untrusted: d.untrusted}
	for _, i := range parts.HeldOut {
		out.unknown = append(out.unknown, d.unknown[i])
	}
	if len(out.held) == 0 {
		return division{}, fmt.Errorf("%d recordings that the models were trained on are too few to train an evaluator on, and %d others too few to split; give more recordings, or others to evaluate with by --test DIR", len(d.learn), len(d.held))
	}
	return out, nil
}

// divideTest holds out the recordings of --test that no checkpoint has seen and that are no copies of those of --data.
func (d evaluationData) divideTest(checkpoints []models.Checkpoint) (division, error) {
	p, err := training.Unseen(checkpoints, d.test, d.rule)
	if err != nil {
		return division{}, fmt.Errorf("--test: %w", err)
	}
	out := division{learn: d.all, untrusted: p.Warning()}
	known := dataset.NewMatcher(dataset.Identities(d.all))
	if !p.Trusted {
		// A checkpoint without a record knows nothing of --test: all of it may be unseen.
		p.Unseen, p.UnknownGroup = slices.Sorted(slices.Values(slices.Concat(p.Unseen, p.Seen))), nil
	}
	groups := map[string]bool{}
	for _, r := range d.all {
		groups[r.Group] = true
	}
	for at, i := range p.Unseen {
		r := d.test[i]
		if _, copied := known.Contains(r.Identity()); copied {
			continue
		}
		out.held = append(out.held, r)
		unknown := r.Group != "" && !groups[r.Group]
		if len(checkpoints) > 0 && p.UnknownGroup != nil {
			unknown = unknown && p.UnknownGroup[at]
		}
		out.unknown = append(out.unknown, unknown)
	}
	if len(out.held) == 0 {
		return division{}, errors.New("--test: the models have seen all of these recordings, or they are copies of those in --data")
	}
	return out, nil
}

// data returns the division as an evaluation takes it.
func (d division) data() comparison.Data {
	out := comparison.Data{Learn: audioOf(d.learn), HeldOut: audioOf(d.held), Untrusted: d.untrusted}
	grouped := false
	for i, r := range d.held {
		out.Sources = append(out.Sources, comparison.HeldOut{Source: r.Name, Label: r.Label, Digest: r.Digest})
		out.Groups = append(out.Groups, eval.Group{Name: r.Group, Unknown: d.unknown[i]})
		grouped = grouped || r.Group != ""
	}
	if !grouped {
		out.Groups = nil
	}
	return out
}

// record is what a checkpoint that is trained beside an evaluation must keep out of its training.
func (d division) record() *models.TrainingData {
	out := &models.TrainingData{}
	for _, r := range d.held {
		out.HeldOut = append(out.HeldOut, training.Recorded(r.Identity()))
	}
	return out
}

// unknownGroups says of each held-out recording whether its group is not among those to learn from.
func unknownGroups(learn, held []dataset.Recording) []bool {
	groups := map[string]bool{}
	for _, r := range learn {
		groups[r.Group] = true
	}
	out := make([]bool, len(held))
	for i, r := range held {
		out[i] = r.Group != "" && !groups[r.Group]
	}
	return out
}

func pickRecordings(all []dataset.Recording, indices []int) []dataset.Recording {
	out := make([]dataset.Recording, len(indices))
	for i, at := range indices {
		out[i] = all[at]
	}
	return out
}

func audioOf(recordings []dataset.Recording) []audio.Clip {
	out := make([]audio.Clip, len(recordings))
	for i, r := range recordings {
		out[i] = r.Clip
	}
	return out
}
