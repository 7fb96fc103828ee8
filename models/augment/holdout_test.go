package augment_test

import (
	"errors"
	"fmt"
	"slices"
	"testing"

	"wavemill/audio/dataset"
	"wavemill/models"
	"wavemill/models/augment"
)

// recordings are n recordings of each label, with the digests label-0, label-1, ...
func recordings(n int, labels ...string) []dataset.Recording {
	var out []dataset.Recording
	for _, label := range labels {
		for i := range n {
			name := fmt.Sprintf("%s-%d", label, i)
			out = append(out, dataset.Recording{Item: dataset.Item{Path: name + ".wav", Name: name, Label: label}, Digest: name})
		}
	}
	return out
}

// trainedOn is a checkpoint that has seen all of the recordings but those with the given digests.
func trainedOn(recordings []dataset.Recording, unseen ...string) models.Checkpoint {
	var data models.TrainingData
	for _, r := range recordings {
		of := models.Recording{Source: r.Name, Label: r.Label, Digest: r.Digest}
		if slices.Contains(unseen, r.Digest) {
			data.HeldOut = append(data.HeldOut, of)
		} else {
			data.Learnt = append(data.Learnt, of)
		}
	}
	return models.Checkpoint{Data: &data}
}

func digests(rs []dataset.Recording) []string {
	out := make([]string, len(rs))
	for i, r := range rs {
		out[i] = r.Digest
	}
	slices.Sort(out)
	return out
}

func TestHoldOut(t *testing.T) {
	all := recordings(4, "a", "b")
	s := augment.HoldOut(trainedOn(all, "a-1", "b-0", "b-1", "b-2", "b-3"), all, dataset.Holdout{})
	// At most half of a label: two of b.
	if got := digests(s.Test); !slices.Equal(got, []string{"a-1", "b-0", "b-1"}) || len(s.Train) != 5 || !s.Trusted || s.Dropped != 0 {
		t.Errorf("test %q, train %q", got, digests(s.Train))
	}
	if err := s.CheckTest(); err != nil {
		t.Error(err)
	}
	for name, unseen := range map[string][]string{"all": nil, "all but one": {"a-1"}} {
		if s := augment.HoldOut(trainedOn(all, unseen...), all, dataset.Holdout{}); !errors.Is(s.CheckTest(), augment.ErrTooFewUnseen) || len(s.Train)+len(s.Test) != 8 {
			t.Errorf("%s seen: test %q, train %q", name, digests(s.Test), digests(s.Train))
		}
	}
	one := recordings(1, "a")
	if s := augment.HoldOut(trainedOn(one, "a-0"), one, dataset.Holdout{}); len(s.Test) != 0 || len(s.Train) != 1 {
		t.Errorf("the only recording of its label is held out: %+v", s)
	}
}

// TestHoldOutKeepsCopiesTogether checks that a copy of a training recording, under another name and label, is no test
// recording.
func TestHoldOutKeepsCopiesTogether(t *testing.T) {
	all := recordings(6, "a")
	again := all[1] // a-1 is beyond the half of b, so that it is trained on.
	again.Name, again.Label = "b-again", "b"
	all = append(all, again)
	s := augment.HoldOut(trainedOn(all[2:6], "a-5"), all, dataset.Holdout{})
	if got := digests(s.Test); slices.Contains(got, "a-1") || !slices.Contains(got, "a-0") || len(s.Train)+len(s.Test) != 7 {
		t.Errorf("test %q, train %q", got, digests(s.Train))
	}
}

// TestWithoutRecord checks checkpoints that do not record what they were trained on.
func TestWithoutRecord(t *testing.T) {
	all := recordings(20, "a", "b")
	s := augment.HoldOut(models.Checkpoint{Seed: 3}, all, dataset.Holdout{Share: 0.2})
	if s.Trusted || len(s.Test) == 0 || len(s.Test) > 20 || len(s.Test)+len(s.Train) != 40 {
		t.Errorf("%d to test on, %d to train on, trusted %t", len(s.Test), len(s.Train), s.Trusted)
	}
	if s := augment.TestOn(models.Checkpoint{Seed: 3}, all, recordings(22, "a", "b")); s.Trusted || len(s.Test) != 4 || s.Dropped != 40 {
		t.Errorf("other recordings: %d, %d dropped, trusted %t", len(s.Test), s.Dropped, s.Trusted)
	}
}

func TestTestOn(t *testing.T) {
	all, test := recordings(3, "a", "b"), recordings(5, "a", "b")
	// Digests 0 to 2 are in both; the checkpoint has not seen 2 to 4 of a and 3 of b.
	s := augment.TestOn(trainedOn(test, "a-2", "a-3", "a-4", "b-3"), all, test)
	if got := digests(s.Test); !slices.Equal(got, []string{"a-3", "a-4", "b-3"}) || len(s.Train) != 6 || s.Dropped != 7 || !s.Trusted {
		t.Errorf("test %q, %d to train on, %d dropped", got, len(s.Train), s.Dropped)
	}
	if s := augment.TestOn(trainedOn(test), all, test); s.CheckTest() == nil || s.Dropped != 10 {
		t.Errorf("nothing unseen: %+v", s)
	}
}

// Recordings that the model learnt from without their label, or compared and left out, are no test of it.
func TestUnlabelledRecordingsAreNoTest(t *testing.T) {
	all := recordings(4, "a", "b")
	c := trainedOn(all[:2])
	of := func(r dataset.Recording) []models.Recording {
		return []models.Recording{{Label: "b", Digest: r.Digest}}
	}
	c.Data.Unlabelled = &models.Unlabelled{Used: of(all[2]), Unused: of(all[3])}
	if s := augment.TestOn(c, all[:2], all[2:]); !slices.Equal(digests(s.Test), []string{"b-0", "b-1", "b-2", "b-3"}) || s.Dropped != 2 {
		t.Errorf("test %q, %d dropped", digests(s.Test), s.Dropped)
	}
	if s := augment.HoldOut(c, all, dataset.Holdout{}); !slices.Equal(digests(s.Test), []string{"b-0", "b-1"}) || len(s.Train) != 6 {
		t.Errorf("test %q, train %q", digests(s.Test), digests(s.Train))
	}
}
