package training

import (
	"fmt"
	"slices"
	"strings"

	"wavemill/audio/dataset"
	"wavemill/models"
)

// Parts are the indices of recordings, each list in canonical order: by label, digest and source.
type Parts struct {
	Train      []int // the weights learn from these
	Validation []int // the best weights are chosen by these
	HeldOut    []int // the training does not use these
}

// Learnable returns the indices of Train and Validation: all that a training may look at.
func (p Parts) Learnable() []int {
	return append(append(make([]int, 0, len(p.Train)+len(p.Validation)), p.Train...), p.Validation...)
}

// side is the part that a recording belongs to.
type side uint8

const (
	sideUnknown side = iota
	sideTrain
	sideValidation
	sideHeldOut
)

// Divide splits recordings by a rule. The result depends on the recordings and the rule, not on the order of ids.
//
// record, which may be nil, is what a checkpoint that is to be trained further says about its recordings. A recording that
// it lists, or a near copy of one, keeps its part. A new recording of a group that the record lists, where the rule goes by
// groups, joins its group. Other new recordings are assigned by the rule.
func Divide(ids []dataset.Identity, rule dataset.Holdout, record *models.TrainingData) (Parts, error) {
	indices := canonical(ids)
	sorted := pick(ids, indices)
	if record != nil {
		rule.Out = present(rule.Out, sorted)
	}
	sides, err := byRule(sorted, rule)
	if err != nil {
		return Parts{}, err
	}
	if record != nil {
		keepRecorded(sides, sorted, rule, *record)
	}
	var p Parts
	for i, s := range sides {
		switch s {
		case sideTrain:
			p.Train = append(p.Train, indices[i])
		case sideValidation:
			p.Validation = append(p.Validation, indices[i])
		case sideHeldOut:
			p.HeldOut = append(p.HeldOut, indices[i])
		case sideUnknown:
			return Parts{}, fmt.Errorf("training: the split left out %s", sorted[i].Source)
		}
	}
	return p, nil
}

// present returns those groups, as FIELD=VALUE, that some identity has: a record may name a group that is gone.
func present(groups []string, ids []dataset.Identity) []string {
	return slices.DeleteFunc(slices.Clone(groups), func(group string) bool {
		_, value, _ := strings.Cut(group, "=")
		return !slices.ContainsFunc(ids, func(id dataset.Identity) bool { return id.Group == value })
	})
}

// byRule returns the part of each identity that the rule gives it. Where nothing can be held out, as where each label has
// one recording, all are for training, unless the rule asks for groups.
func byRule(ids []dataset.Identity, rule dataset.Holdout) ([]side, error) {
	split, err := rule.Split(ids)
	if err != nil && rule.Group == "" && len(rule.Out) == 0 {
		all := rule
		all.Share = 0
		if whole, e := all.Split(ids); e == nil {
			split, err = whole, nil
		}
	}
	if err != nil {
		return nil, fmt.Errorf("training: %w", err)
	}
	sides := make([]side, len(ids))
	for _, part := range []struct {
		indices []int
		side    side
	}{{split.Train, sideTrain}, {split.Validation, sideValidation}, {split.HeldOut, sideHeldOut}} {
		for _, i := range part.indices {
			sides[i] = part.side
		}
	}
	return sides, nil
}

// keepRecorded gives identities that a record knows the parts that they have there.
func keepRecorded(sides []side, ids []dataset.Identity, rule dataset.Holdout, record models.TrainingData) {
	var known []dataset.Identity
	var knownSides []side
	groups := map[string]side{}
	for _, part := range []struct {
		recordings []models.Recording
		side       side
	}{{record.HeldOut, sideHeldOut}, {record.Chosen, sideValidation}, {record.Learnt, sideTrain}} {
		for _, id := range remembered(part.recordings) {
			known, knownSides = append(known, id), append(knownSides, part.side)
			if rule.Group != "" && len(rule.Out) == 0 && id.Group != "" {
				groups[id.Group] = part.side // the last part, that of training, decides
			}
		}
	}
	exact := make(map[string]side, len(known))
	for i, id := range known {
		exact[id.Digest] = knownSides[i]
	}
	var matcher *dataset.Matcher // built for the first new recording
	for i, id := range ids {
		if s, ok := exact[id.Digest]; ok {
			sides[i] = s
			continue
		}
		if matcher == nil {
			matcher = dataset.NewMatcher(known)
		}
		if at, ok := matcher.Contains(id); ok {
			sides[i] = knownSides[at]
		} else if s, ok := groups[id.Group]; ok {
			sides[i] = s
		}
	}
}

// Rule returns the rule that a checkpoint's record was made by.
func Rule(record models.TrainingData) dataset.Holdout {
	return dataset.Holdout{Share: record.Share, Validation: record.Validation, Seed: record.Seed, Group: record.Group, Out: record.HoldOut}
}

// recordOf returns what a checkpoint keeps of a split.
func (o Options) recordOf(ids []dataset.Identity, parts Parts) models.TrainingData {
	rule, _ := o.rule()
	rule = o.withFew(rule, ids)
	return models.TrainingData{
		Share: rule.Share, Validation: rule.Validation, Seed: rule.Seed, Group: rule.Group, HoldOut: rule.Out,
		Learnt: recorded(ids, parts.Train), Chosen: recorded(ids, parts.Validation), HeldOut: recorded(ids, parts.HeldOut),
	}
}

// withEarlier adds to a record the recordings of an earlier one that are not there any more: weights that learnt from a
// recording have seen it for good.
func withEarlier(now, earlier models.TrainingData) models.TrainingData {
	present := map[string]bool{}
	for _, part := range [][]models.Recording{now.Learnt, now.Chosen, now.HeldOut} {
		for _, r := range part {
			present[r.Digest] = true
		}
	}
	add := func(to, from []models.Recording) []models.Recording {
		ids := remembered(to)
		for _, r := range from {
			if !present[r.Digest] {
				ids = append(ids, remembered([]models.Recording{r})...)
			}
		}
		return recorded(ids, canonical(ids))
	}
	now.Learnt = add(now.Learnt, earlier.Learnt)
	now.Chosen = add(now.Chosen, earlier.Chosen)
	now.HeldOut = add(now.HeldOut, earlier.HeldOut)
	now.Unlabelled = withUnlabelled(now.Unlabelled, earlier.Unlabelled)
	return now
}
