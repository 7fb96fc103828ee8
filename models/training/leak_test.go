package training_test

import (
	"fmt"
	"slices"
	"testing"

	"wavemill/audio"
	"wavemill/audio/dataset"
	"wavemill/audio/synth"
	"wavemill/models"
	"wavemill/models/training"
)

// tones are n recordings that can be told from each other: sums of partials of other frequencies, half a second long.
func tones(t *testing.T, n int) []dataset.Recording {
	t.Helper()
	var out []dataset.Recording
	for i := range n {
		class := []string{"pluck", "vowel"}[i%2]
		clip, err := synth.Clip(class, uint64(1000+i), rate)
		if err != nil {
			t.Fatal(err)
		}
		out = append(out, decoded(fmt.Sprintf("%s/%03d.wav", class, i), class, "", clip))
	}
	return out
}

// changed are copies of recordings with another name and label, each changed in one way.
func changed(t *testing.T, recordings []dataset.Recording) (copies []dataset.Recording, of []int) {
	t.Helper()
	scaled := func(c audio.Clip, gain float32) audio.Clip {
		c.Samples = slices.Clone(c.Samples)
		for i := range c.Samples {
			c.Samples[i] *= gain
		}
		return c
	}
	for i, r := range recordings {
		c := r.Clip
		switch i % 4 {
		case 0: // a copy
		case 1:
			c = scaled(c, 0.5)
		case 2:
			c.Samples = append(make([]float32, 333), c.Samples...)
		case 3:
			c.Samples = c.Samples[:len(c.Samples)*9/10]
		}
		copies, of = append(copies, decoded(fmt.Sprintf("copies/%d.wav", i), []string{"vowel", "pluck"}[i%2], "", c)), append(of, i)
	}
	return copies, of
}

// Copies of recordings, under other names and labels, louder, shifted or cut, are on the side of the recording in a split,
// and have been seen where the recording has.
func TestCopiesDoNotLeak(t *testing.T) {
	recordings := tones(t, 60)
	copies, of := changed(t, recordings)
	all := slices.Concat(recordings, copies)
	parts, err := training.Divide(dataset.Identities(all), dataset.Holdout{Share: 0.3, Validation: 0.1, Seed: 3}, nil)
	if err != nil {
		t.Fatal(err)
	}
	held := make([]bool, len(all))
	for _, i := range parts.HeldOut {
		held[i] = true
	}
	for i, at := range of {
		if held[len(recordings)+i] != held[at] {
			t.Errorf("a copy of kind %d of %s is on the other side", at%4, recordings[at].Name)
		}
	}

	set := prepare(t, recordings, training.Options{Holdout: dataset.Holdout{Share: 0.3, Validation: 0.1, Seed: 3}})
	learnt := map[string]bool{}
	for _, r := range slices.Concat(set.Data.Learnt, set.Data.Chosen) {
		learnt[r.Digest] = true
	}
	p, err := training.Unseen([]models.Checkpoint{{Data: &set.Data}}, all, rule())
	if err != nil {
		t.Fatal(err)
	}
	for _, i := range p.Unseen {
		original := i
		if i >= len(recordings) {
			original = of[i-len(recordings)]
		}
		if learnt[recordings[original].Digest] {
			t.Errorf("%s is called unseen, and %s was learnt from", all[i].Name, recordings[original].Name)
		}
	}
	if len(p.Unseen) < len(set.Data.HeldOut) {
		t.Errorf("%d unseen, %d held out", len(p.Unseen), len(set.Data.HeldOut))
	}
}

// A training with the record of another keeps its split, so that both can be compared on what neither has seen.
func TestKnownRecord(t *testing.T) {
	recordings := synthetic(t, 20)
	first := prepare(t, recordings[:45], training.Options{Holdout: rule()})
	other := rule()
	other.Seed = 8
	second := prepare(t, recordings, training.Options{Holdout: other, Known: &first.Data})
	p, err := training.Unseen([]models.Checkpoint{{Data: &first.Data}, {Data: &second.Data}}, recordings[:45], rule())
	if err != nil || !slices.Equal(at(recordings, p.Unseen), digests(first.Data.HeldOut)) {
		t.Errorf("%d unseen, %d held out, %v", len(p.Unseen), len(first.Data.HeldOut), err)
	}
	if n := len(second.Data.Learnt) + len(second.Data.Chosen) + len(second.Data.HeldOut); n != len(recordings) {
		t.Errorf("%d recordings recorded, want %d", n, len(recordings))
	}
}
