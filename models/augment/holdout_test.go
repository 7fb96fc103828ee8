package augment_test

import (
	"errors"
	"fmt"
	"slices"
	"testing"

	"wavemill/audio"
	"wavemill/models/augment"
)

// recordings are n recordings of each label, with the digests label-0, label-1, ...
func recordings(n int, labels ...string) []augment.Recording {
	var out []augment.Recording
	for _, label := range labels {
		for i := range n {
			name := fmt.Sprintf("%s-%d", label, i)
			out = append(out, augment.Recording{Path: name + ".wav", Digest: name, Clip: audio.Clip{Label: label, Source: name}})
		}
	}
	return out
}

// guard is one of a checkpoint that has not seen the given digests.
func guard(trusted bool, unseen ...string) augment.Guard {
	return augment.Guard{Unseen: func(rs []augment.Recording) ([]int, bool, error) {
		var indices []int
		for i, r := range rs {
			if slices.Contains(unseen, r.Digest) {
				indices = append(indices, i)
			}
		}
		return indices, trusted, nil
	}}
}

func digests(rs []augment.Recording) []string {
	out := make([]string, len(rs))
	for i, r := range rs {
		out[i] = r.Digest
	}
	slices.Sort(out)
	return out
}

func TestHoldOut(t *testing.T) {
	all := recordings(4, "a", "b")
	s, err := augment.HoldOut(all, guard(true, "a-1", "b-0", "b-1", "b-2", "b-3"))
	if err != nil {
		t.Fatal(err)
	}
	// At most half of a label: two of b.
	if got := digests(s.Test); !slices.Equal(got, []string{"a-1", "b-0", "b-1"}) || len(s.Train) != 5 || !s.Trusted || s.Dropped != 0 {
		t.Errorf("test %q, train %q", got, digests(s.Train))
	}
	if err := s.CheckTest(); err != nil {
		t.Error(err)
	}
	if s, err := augment.HoldOut(all, guard(false, "a-1")); err != nil || s.Trusted || s.CheckTest() == nil {
		t.Errorf("one unseen recording: %+v, error %v", s, err)
	}
	if s, err := augment.HoldOut(recordings(1, "a"), guard(true, "a-0")); err != nil || len(s.Test) != 0 || len(s.Train) != 1 {
		t.Errorf("the only recording of its label is held out: %+v, error %v", s, err)
	}
	want := errors.New("unreadable")
	if _, err := augment.HoldOut(all, augment.Guard{Unseen: func([]augment.Recording) ([]int, bool, error) { return nil, false, want }}); !errors.Is(err, want) {
		t.Errorf("error %v, want %v", err, want)
	}
}

// TestHoldOutKeepsCopiesTogether checks that a copy of a training recording is no test recording.
func TestHoldOutKeepsCopiesTogether(t *testing.T) {
	all := recordings(4, "a")
	g := guard(true, "a-0", "a-1")
	g.Copies = func(rs, among []augment.Recording) ([]int, error) {
		if i := slices.IndexFunc(rs, func(r augment.Recording) bool { return r.Digest == "a-0" }); i >= 0 &&
			slices.ContainsFunc(among, func(r augment.Recording) bool { return r.Digest == "a-3" }) {
			return []int{i}, nil // a-0 is a-3, louder.
		}
		return nil, nil
	}
	if s, err := augment.HoldOut(all, g); err != nil || !slices.Equal(digests(s.Test), []string{"a-1"}) || len(s.Train) != 3 {
		t.Errorf("test %q, train %q, error %v", digests(s.Test), digests(s.Train), err)
	}
}

func TestTestOn(t *testing.T) {
	all, test := recordings(3, "a", "b"), recordings(5, "a", "b")
	// Digests 0 to 2 are in both; the checkpoint has not seen 2 to 4 of a and 3 of b.
	s, err := augment.TestOn(all, test, guard(true, "a-2", "a-3", "a-4", "b-3"))
	if err != nil {
		t.Fatal(err)
	}
	if got := digests(s.Test); !slices.Equal(got, []string{"a-3", "a-4", "b-3"}) || len(s.Train) != 6 || s.Dropped != 7 || !s.Trusted {
		t.Errorf("test %q, %d to train on, %d dropped", got, len(s.Train), s.Dropped)
	}
	if s, err := augment.TestOn(all, test, guard(true)); err != nil || s.CheckTest() == nil || s.Dropped != 10 {
		t.Errorf("nothing unseen: %+v, error %v", s, err)
	}
}
