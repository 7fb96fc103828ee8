package training

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"slices"

	"wavemill/audio/dataset"
	"wavemill/models"
	"wavemill/models/pseudolabel"
)

// leastForHoldout is the number of recordings that every label must have for a share of them to be held out where there
// are unlabelled recordings or a base: with fewer, a tenth of the labels is worth more than a figure measured on it.
const leastForHoldout = 10

// withFew is the rule for recordings beside unlabelled ones or those of a base: where a label has few recordings, none is held out.
// Groups that were asked for are.
func (o Options) withFew(rule dataset.Holdout, ids []dataset.Identity) dataset.Holdout {
	if len(o.Unlabelled) == 0 && o.Init == nil || o.Resume != nil || rule.Group != "" || len(rule.Out) > 0 {
		return rule
	}
	counts := map[string]int{}
	for _, id := range ids {
		counts[id.Label]++
	}
	for _, n := range counts {
		if n < leastForHoldout {
			rule.Share, rule.Validation = 0, 0
		}
	}
	return rule
}

// ScanUnlabelled returns how [dataset.Scan] is to read the folders of Unlabelled, given how it reads those of the labelled
// recordings: labels count for nothing, but where whole groups are held out, the group of every recording must be known.
func (o Options) ScanUnlabelled(labels string) dataset.Options {
	if group := o.Group(); group != "" {
		return dataset.Options{Labels: labels, Group: group}
	}
	return dataset.Options{Labels: "folder"}
}

// errUnlabelled is returned, wrapped, where a checkpoint is resumed with unlabelled recordings although it has no record of
// any, or the other way round.
var errUnlabelled = errors.New("a resumed training keeps the unlabelled recordings of the checkpoint")

// addUnlabelled adds to the training recordings those of Unlabelled that get a label, and records all that were compared.
func (o Options) addUnlabelled(ctx context.Context, m *material) error {
	var earlier *models.Unlabelled
	if o.Resume != nil && o.Resume.Data != nil {
		earlier = o.Resume.Data.Unlabelled
	}
	switch {
	case len(o.Unlabelled) == 0 && earlier == nil:
		return nil
	case o.Resume != nil && earlier == nil:
		return fmt.Errorf("training: %w, and it has none", errUnlabelled)
	case len(o.Unlabelled) == 0:
		return fmt.Errorf("training: %w: give the same folders again", errUnlabelled)
	}
	extra := o.unknown(m)
	if len(extra) == 0 {
		return errors.New("training: none of the unlabelled recordings can be used: they are copies of labelled ones, silent or held out")
	}
	if earlier != nil {
		m.unlabelled = earlier
		m.add(o.remembered(extra, *earlier))
		return nil
	}
	clips := dataset.Clips(extra)
	assigned, report, err := pseudolabel.Assign(ctx, dataset.Clips(pick(m.recordings, m.parts.Train)), clips, o.Pseudolabel)
	if err != nil {
		return fmt.Errorf("training: %w", err)
	}
	var used, unused []dataset.Recording
	for i, a := range assigned {
		extra[i].Label, extra[i].Clip.Label = a.Label, a.Label
		if a.Used {
			used = append(used, extra[i])
		} else {
			unused = append(unused, extra[i])
		}
	}
	m.unlabelled = &models.Unlabelled{
		Used: allRecorded(used), Unused: allRecorded(unused), Counts: report.Used, Share: report.Share, Margin: report.Margin,
		Neighbours: report.Neighbours, Seed: report.Seed, Labelled: report.Labelled, Checked: report.Checked, Right: report.Right,
	}
	for _, line := range report.Lines() {
		o.note("%s", line)
	}
	m.add(used)
	return nil
}

// unknown returns copies, without labels, of those of Unlabelled that may be learnt from: no copies or near copies of
// labelled recordings or of one another, whatever part these are in, and none of a group that is held out.
func (o Options) unknown(m *material) []dataset.Recording {
	kept := slices.Clone(o.Select(o.Unlabelled))
	ids := dataset.Identities(kept)
	known, heldOut := dataset.NewMatcher(m.ids), map[int]bool{}
	groups := map[string]bool{}
	for _, i := range m.parts.HeldOut {
		heldOut[i] = true
		groups[m.ids[i].Group] = true
	}
	for _, i := range m.parts.Learnable() {
		delete(groups, m.ids[i].Group)
	}
	rule, _ := o.rule()
	grouped := rule.Group != "" || len(rule.Out) > 0
	seen := map[string]bool{}
	copies, unseen := 0, 0
	var out []dataset.Recording
	for _, i := range canonical(ids) {
		at, isCopy := known.Contains(ids[i])
		switch {
		case isCopy && heldOut[at], grouped && groups[ids[i].Group]:
			unseen++
		case isCopy, seen[ids[i].Digest]:
			copies++
		default:
			r := kept[i]
			r.Label, r.Clip.Label = "", ""
			out = append(out, r)
		}
		seen[ids[i].Digest] = true
	}
	if unseen > 0 {
		o.note("%d unlabelled recordings are left out: they are held out, or copies of recordings that are", unseen)
	}
	if copies > 0 {
		o.note("%d unlabelled recordings are left out: they are copies of labelled ones or of one another", copies)
	}
	slices.SortFunc(out, func(a, b dataset.Recording) int { return order(a.Identity(), b.Identity()) })
	return out
}

// remembered returns the recordings that the checkpoint learnt from, with the labels that it recorded.
func (o Options) remembered(extra []dataset.Recording, record models.Unlabelled) []dataset.Recording {
	labels := map[string]string{}
	for _, r := range record.Used {
		labels[r.Digest] = r.Label
	}
	var out []dataset.Recording
	for _, r := range extra {
		if label, ok := labels[r.Digest]; ok {
			r.Label, r.Clip.Label = label, label
			out = append(out, r)
		}
	}
	return out
}

// allRecorded returns what a checkpoint keeps of recordings, in canonical order.
func allRecorded(of []dataset.Recording) []models.Recording {
	ids := dataset.Identities(of)
	return recorded(ids, canonical(ids))
}

// material is the recordings of a Set in the making.
type material struct {
	recordings []dataset.Recording
	ids        []dataset.Identity
	parts      Parts
	record     models.TrainingData
	unlabelled *models.Unlabelled
}

// add adds recordings to learn from.
func (m *material) add(more []dataset.Recording) {
	for _, r := range more {
		m.parts.Train = append(m.parts.Train, len(m.recordings))
		m.recordings, m.ids = append(m.recordings, r), append(m.ids, r.Identity())
	}
	slices.SortStableFunc(m.parts.Train, func(a, b int) int { return order(m.ids[a], m.ids[b]) })
}

// withUnlabelled joins the records of unlabelled recordings of a training and of one before it, whose recordings have been seen
// for good.
func withUnlabelled(now, earlier *models.Unlabelled) *models.Unlabelled {
	if now == nil || earlier == nil || now == earlier {
		return cmp.Or(now, earlier)
	}
	both := *now
	known := map[string]bool{}
	for _, r := range slices.Concat(now.Used, now.Unused) {
		known[r.Digest] = true
	}
	for _, r := range slices.Concat(earlier.Used, earlier.Unused) {
		if !known[r.Digest] {
			both.Unused = append(both.Unused, r)
		}
	}
	return &both
}
