package augment

import (
	"errors"
	"fmt"
	"slices"

	"wavemill/audio"
)

// A Recording is a labelled recording of the data set.
type Recording struct {
	Path   string     // of its file, for the manifest
	Digest string     // of its decoded samples; empty: unknown
	Clip   audio.Clip // with Label, and with the name below the data folder as Source
}

// A Guard keeps recordings out of the proof that the generator or the classifiers have seen.
type Guard struct {
	// Unseen returns the indices of the recordings that the checkpoint has not seen; near copies of what it has seen
	// count as seen. trusted is false where the checkpoint does not record what it was trained on.
	Unseen func(recordings []Recording) (indices []int, trusted bool, err error)
	// Copies returns the indices of the recordings that are equal or nearly equal to one of among. nil compares digests.
	Copies func(recordings, among []Recording) ([]int, error)
}

// A Split divides a data set for a [Job].
type Split struct {
	Train   []Recording // the filter and the proof's classifiers are trained on these
	Test    []Recording // the proof is measured on these
	Trusted bool        // whether the checkpoint's record shows that it has not seen Test
	Dropped int         // recordings of the caller's test set that were left out of Test
}

// leastTest is the least number of test recordings: a bootstrap interval needs two.
const leastTest = 2

// ErrTooFewUnseen is returned, wrapped, where the checkpoint has seen too many of the recordings for a proof.
var ErrTooFewUnseen = errors.New("too few recordings that the model has not seen")

// HoldOut divides recordings: those that the checkpoint has not seen are the test set, except that at most half of each
// label's recordings are, so that enough of each are left to train on. Recordings that are copies of a training
// recording are trained on too.
func HoldOut(recordings []Recording, g Guard) (Split, error) {
	unseen, trusted, err := g.Unseen(recordings)
	if err != nil {
		return Split{}, err
	}
	s := Split{Trusted: trusted}
	room := map[string]int{}
	for _, r := range recordings {
		room[r.Clip.Label]++
	}
	for label, n := range room {
		room[label] = n / 2
	}
	isUnseen := make([]bool, len(recordings))
	for _, i := range unseen {
		isUnseen[i] = true
	}
	var test []Recording
	for i, r := range recordings {
		if isUnseen[i] && room[r.Clip.Label] > 0 {
			room[r.Clip.Label]--
			test = append(test, r)
		} else {
			s.Train = append(s.Train, r)
		}
	}
	copies, err := g.copies(test, s.Train)
	if err != nil {
		return Split{}, err
	}
	for i, r := range test {
		if slices.Contains(copies, i) {
			s.Train = append(s.Train, r)
		} else {
			s.Test = append(s.Test, r)
		}
	}
	return s, nil
}

// TestOn is HoldOut with a test set of the caller's: all recordings are trained on, and what the checkpoint has seen of
// test, or what is a copy of a recording, is dropped.
func TestOn(recordings, test []Recording, g Guard) (Split, error) {
	unseen, trusted, err := g.Unseen(test)
	if err != nil {
		return Split{}, err
	}
	copies, err := g.copies(test, recordings)
	if err != nil {
		return Split{}, err
	}
	s := Split{Train: recordings, Trusted: trusted}
	for i, r := range test {
		if slices.Contains(unseen, i) && !slices.Contains(copies, i) {
			s.Test = append(s.Test, r)
		}
	}
	s.Dropped = len(test) - len(s.Test)
	return s, nil
}

// CheckTest returns [ErrTooFewUnseen] where the test set is too small for a proof.
func (s Split) CheckTest() error {
	if len(s.Test) >= leastTest {
		return nil
	}
	return fmt.Errorf("%w: there are %d, and the proof needs %d or more", ErrTooFewUnseen, len(s.Test), leastTest)
}

func (g Guard) copies(recordings, among []Recording) ([]int, error) {
	if g.Copies != nil {
		return g.Copies(recordings, among)
	}
	known := map[string]bool{}
	for _, r := range among {
		known[r.Digest] = r.Digest != ""
	}
	var copies []int
	for i, r := range recordings {
		if known[r.Digest] {
			copies = append(copies, i)
		}
	}
	return copies, nil
}

// clips returns the audio of recordings.
func clips(recordings []Recording) []audio.Clip {
	out := make([]audio.Clip, len(recordings))
	for i, r := range recordings {
		out[i] = r.Clip
	}
	return out
}
