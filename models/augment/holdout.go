package augment

import (
	"errors"
	"fmt"
	"slices"

	"wavemill/audio"
	"wavemill/audio/dataset"
	"wavemill/models"
	"wavemill/models/frontend"
	"wavemill/models/training"
)

// A Split divides a data set for a [Job].
type Split struct {
	Train   []dataset.Recording // the filter and the proof's classifiers are trained on these
	Test    []dataset.Recording // the proof is measured on these
	Trusted bool                // whether the checkpoint's record shows that it has not seen Test
	Dropped int                 // recordings of the caller's test set that are not in Test
	reason  error               // why recordings count as seen; nil: no reason is known
}

// leastTest is the least number of test recordings: a bootstrap interval needs two.
const leastTest = 2

// ErrTooFewUnseen is returned, wrapped, where the checkpoint has seen too many of the recordings for a proof.
var ErrTooFewUnseen = errors.New("too few recordings that the model has not seen")

// CheckTest returns [ErrTooFewUnseen] where the test set is too small for a proof.
func (s Split) CheckTest() error {
	if len(s.Test) >= leastTest {
		return nil
	}
	err := fmt.Errorf("%w: there are %d, and the proof needs %d or more", ErrTooFewUnseen, len(s.Test), leastTest)
	if s.reason != nil {
		err = fmt.Errorf("%w (%w)", err, s.reason)
	}
	return err
}

// HoldOut divides recordings: those that the checkpoint has not seen (see [training.Unseen]) are the test set, except
// that at most half of each label's recordings are, so that enough are left to train on. Copies and near copies of a
// training recording are trained on too. rule is the split that is assumed for a checkpoint without a record; its seed
// is replaced by the checkpoint's.
func HoldOut(c models.Checkpoint, recordings []dataset.Recording, rule dataset.Holdout) Split {
	// An error says that all recordings, or all of a label, were seen. CheckTest decides whether the others suffice.
	p, reason := training.Unseen([]models.Checkpoint{c}, recordings, rule)
	room := map[string]int{}
	for _, r := range recordings {
		room[r.Label]++
	}
	for label, n := range room {
		room[label] = n / 2
	}
	isTest := make([]bool, len(recordings))
	for _, i := range p.Unseen {
		if label := recordings[i].Label; room[label] > 0 {
			room[label]--
			isTest[i] = true
		}
	}
	s := Split{Trusted: c.Data != nil, reason: reason}
	for i, r := range recordings {
		if !isTest[i] {
			s.Train = append(s.Train, r)
		}
	}
	known := dataset.NewMatcher(dataset.Identities(s.Train))
	ids := dataset.Identities(recordings)
	for i, r := range recordings {
		if !isTest[i] {
			continue
		}
		if _, isCopy := known.Contains(ids[i]); isCopy {
			s.Train = append(s.Train, r)
		} else {
			s.Test = append(s.Test, r)
		}
	}
	return s
}

// TestOn is HoldOut with a test set of the caller's: all recordings are trained on. Recordings of test that the
// checkpoint has seen, and copies and near copies of the recordings, are dropped.
func TestOn(c models.Checkpoint, recordings, test []dataset.Recording) Split {
	s := Split{Train: recordings, Trusted: c.Data != nil}
	unseen := make([]bool, len(test))
	if c.Data != nil {
		p, reason := training.Unseen([]models.Checkpoint{c}, test, dataset.Holdout{})
		s.reason = reason
		for _, i := range p.Unseen {
			unseen[i] = true
		}
	} else { // Nothing is known of what the checkpoint has seen.
		unseen = slices.Repeat([]bool{true}, len(test))
	}
	known := dataset.NewMatcher(dataset.Identities(recordings))
	ids := dataset.Identities(test)
	for i, r := range test {
		if _, isCopy := known.Contains(ids[i]); unseen[i] && !isCopy {
			s.Test = append(s.Test, r)
		}
	}
	s.Dropped = len(test) - len(s.Test)
	return s
}

// clips returns the audio of recordings as the model hears it.
func (r *run) clips(recordings []dataset.Recording) []audio.Clip {
	return frontend.InChannelsOf(dataset.Clips(recordings), r.sampler.FrontEnd())
}
