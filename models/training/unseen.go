package training

import (
	"errors"
	"fmt"
	"slices"
	"strings"

	"wavemill/audio/dataset"
	"wavemill/models"
)

// A Partition splits recordings by whether some checkpoints have seen them. Indices are in canonical order. Recordings
// that could not be decoded are in neither list.
type Partition struct {
	Unseen []int // no checkpoint learnt from these or chose its weights by them: they may evaluate all of them
	Seen   []int // the others: what the classifier of an evaluation may learn from
	// UnknownGroup says for each index of Unseen whether no checkpoint has seen its group. It is false where the recording
	// has no group.
	UnknownGroup []bool
	// Trusted is false where a checkpoint does not record its recordings. Unseen is then what Holdout, with that
	// checkpoint's seed, holds out; the checkpoint may have learnt from some of it.
	Trusted bool
}

// Warning is what a report must say about figures that were measured on Unseen, or "".
func (p Partition) Warning() string {
	if p.Trusted {
		return ""
	}
	return "a checkpoint does not record which recordings it was trained on: it may have learnt from some of those held out here, and figures on them are not to be trusted"
}

// ErrAllSeen is returned, wrapped, by Unseen, together with the partition, where no recording is unseen, or none of some
// label.
var ErrAllSeen = errors.New("the model has seen every recording")

// tooFew ends the errors of Unseen.
const tooFew = "give recordings that the model has not seen with --test DIR"

// Unseen returns which recordings none of the checkpoints has seen. Copies under other names, labels or encodings, and
// near copies, count as seen. rule splits the recordings where a checkpoint has no record; its seed is replaced by the
// checkpoint's. The error is ErrAllSeen where no recording is unseen, or none of some label.
func Unseen(checkpoints []models.Checkpoint, recordings []dataset.Recording, rule dataset.Holdout) (Partition, error) {
	ids := dataset.Identities(recordings)
	var usable []int
	for _, i := range canonical(ids) {
		if recordings[i].Err == nil {
			usable = append(usable, i)
		}
	}
	present := pick(ids, usable)
	seen, groups, trusted, err := seenBy(checkpoints, present, rule)
	if err != nil {
		return Partition{}, err
	}
	p := Partition{Trusted: trusted}
	for i, at := range usable {
		if seen[i] {
			p.Seen = append(p.Seen, at)
			continue
		}
		p.Unseen = append(p.Unseen, at)
		group := present[i].Group
		p.UnknownGroup = append(p.UnknownGroup, group != "" && !groups[group])
	}
	return p, enough(ids, usable, p.Unseen)
}

// seenBy returns for each identity whether a checkpoint has seen it, and the groups that were seen.
func seenBy(checkpoints []models.Checkpoint, ids []dataset.Identity, rule dataset.Holdout) (seen []bool, groups map[string]bool, trusted bool, err error) {
	seen, groups, trusted = make([]bool, len(ids)), map[string]bool{}, true
	for _, c := range checkpoints {
		if c.Data == nil {
			trusted = false
			rule.Seed = c.Seed
			parts, err := Divide(ids, rule, nil)
			if err != nil {
				return nil, nil, false, err
			}
			for _, i := range parts.Learnable() {
				seen[i] = true
				groups[ids[i].Group] = true
			}
			continue
		}
		known := remembered(c.Data.Seen())
		for _, id := range known {
			groups[id.Group] = true
		}
		m := dataset.NewMatcher(known)
		for i, id := range ids {
			if !seen[i] {
				_, seen[i] = m.Contains(id)
			}
		}
	}
	return seen, groups, trusted, nil
}

// enough returns an error where a label of all recordings is not among the unseen ones.
func enough(ids []dataset.Identity, all, unseen []int) error {
	if len(unseen) == 0 {
		return fmt.Errorf("training: %w, so that none can evaluate it; %s", ErrAllSeen, tooFew)
	}
	var missing []string
	left := labelsOf(ids, unseen)
	for _, l := range labelsOf(ids, all) {
		if !slices.Contains(left, l) {
			missing = append(missing, l)
		}
	}
	if len(missing) > 0 {
		return fmt.Errorf("training: %w of %s, so that none can evaluate it; %s", ErrAllSeen, strings.Join(missing, ", "), tooFew)
	}
	return nil
}
