package comparison_test

import (
	"fmt"
	"slices"
	"strings"
	"testing"

	"wavemill/audio"
	"wavemill/audio/dataset"
	"wavemill/audio/fingerprint"
	"wavemill/models"
	"wavemill/models/comparison"
	"wavemill/models/training"
)

// recordingsOf are n recordings of each of three labels, spoken in turn by the given groups.
func recordingsOf(n int, seed uint64, groups ...string) []dataset.Recording {
	var out []dataset.Recording
	for i, c := range sounds(n, seed) {
		r := recordingOf(c, c.Source)
		if len(groups) > 0 {
			r.Group = groups[i/3%len(groups)]
		}
		out = append(out, r)
	}
	return out
}

// recordingOf is a clip as a decoded file of that name.
func recordingOf(c audio.Clip, name string) dataset.Recording {
	c.Source = name
	return dataset.Recording{
		Item: dataset.Item{Path: "/data/" + name, Name: name, Label: c.Label}, Clip: c,
		Digest: fingerprint.Digest(c), Print: fingerprint.Of(c),
	}
}

// trainedOn is a checkpoint whose training split the recordings by a seed.
func trainedOn(t *testing.T, recordings []dataset.Recording, rule dataset.Holdout) models.Checkpoint {
	t.Helper()
	ids := dataset.Identities(recordings)
	parts, err := training.Divide(ids, rule, nil)
	if err != nil {
		t.Fatal(err)
	}
	d := &models.TrainingData{Share: rule.Share, Seed: rule.Seed}
	for _, i := range parts.Learnable() {
		d.Learnt = append(d.Learnt, training.Recorded(ids[i]))
	}
	for _, i := range parts.HeldOut {
		d.HeldOut = append(d.HeldOut, training.Recorded(ids[i]))
	}
	return models.Checkpoint{Arch: "toy", Seed: rule.Seed, Data: d}
}

// rule holds out a third: enough that two seeds leave something.
func rule(seed uint64) dataset.Holdout {
	return dataset.Holdout{Share: 0.34, Validation: 0.05, Seed: seed}
}

// names of recordings, sorted.
func names(recordings []dataset.Recording) []string {
	var out []string
	for _, r := range recordings {
		out = append(out, r.Name)
	}
	slices.Sort(out)
	return out
}

func TestSplitHoldsOutWhatNoCheckpointHasSeen(t *testing.T) {
	all := recordingsOf(30, 0)
	a, b := trainedOn(t, all, rule(1)), trainedOn(t, all, rule(2))
	seen := map[string]bool{}
	for _, c := range []models.Checkpoint{a, b} {
		for _, r := range c.Data.Learnt {
			seen[r.Digest] = true
		}
	}
	// Seen recordings under other names and labels, and louder, come with the data.
	copies := slices.Clone(all)
	for i, r := range all[:12] {
		if seen[r.Digest] {
			c := r.Clip
			c.Samples = slices.Clone(c.Samples)
			for j := range c.Samples {
				c.Samples[j] *= 0.5
			}
			copies = append(copies, recordingOf(r.Clip, fmt.Sprintf("renamed-%d.wav", i)), recordingOf(c, fmt.Sprintf("softer-%d.wav", i)))
		}
	}
	if len(copies) < len(all)+6 {
		t.Fatal("too few copies to tell anything")
	}
	s, err := comparison.Recordings{All: copies, Rule: rule(3)}.Split([]models.Checkpoint{a, b})
	if err != nil {
		t.Fatal(err)
	}
	if len(s.HeldOut) == 0 || s.Untrusted != "" || len(s.Learn)+len(s.HeldOut) != len(copies) {
		t.Errorf("%d to learn from, %d held out of %d; %q", len(s.Learn), len(s.HeldOut), len(copies), s.Untrusted)
	}
	for _, r := range s.HeldOut {
		if seen[r.Digest] || strings.HasPrefix(r.Name, "renamed") || strings.HasPrefix(r.Name, "softer") {
			t.Errorf("%s is held out, a checkpoint has seen it", r.Name)
		}
	}
	d := s.Data()
	if len(d.Sources) != len(s.HeldOut) || d.Sources[0].Digest != s.HeldOut[0].Digest || d.Groups != nil {
		t.Errorf("%+v", d.Sources)
	}
}

// A candidate that is trained beside the evaluation records as held out what the evaluation holds out, and learns from
// nothing else than what the evaluator learns from.
func TestSplitTraining(t *testing.T) {
	all := recordingsOf(20, 0, "anna", "ben", "theo")
	finished := trainedOn(t, all, rule(1))
	for name, c := range map[string]struct {
		rule        dataset.Holdout
		checkpoints []models.Checkpoint
	}{
		"by a rule":            {rule(1), nil},
		"by a checkpoint":      {rule(2), []models.Checkpoint{finished}},
		"a group":              {dataset.Holdout{Share: 0.1, Validation: 0.1, Seed: 1, Group: "speaker", Out: []string{"speaker=theo"}}, nil},
		"groups":               {dataset.Holdout{Share: 0.34, Validation: 0.1, Seed: 1, Group: "speaker"}, nil},
		"without a checkpoint": {dataset.Holdout{Share: 0.1, Validation: 0.05, Seed: 7}, nil},
	} {
		s, err := comparison.Recordings{All: all, Rule: c.rule}.Split(c.checkpoints)
		if err != nil {
			t.Errorf("%s: %v", name, err)
			continue
		}
		recordings, o, err := s.Training()
		if err != nil {
			t.Errorf("%s: %v", name, err)
			continue
		}
		set, err := training.Prepare(t.Context(), recordings, o)
		if err != nil {
			t.Errorf("%s: %v", name, err)
			continue
		}
		held := map[string]bool{}
		for _, r := range s.HeldOut {
			held[r.Digest] = true
		}
		if len(set.Data.HeldOut) != len(held) {
			t.Errorf("%s: the checkpoint records %d as held out, the evaluation holds out %d", name, len(set.Data.HeldOut), len(held))
		}
		for _, r := range slices.Concat(set.Data.Learnt, set.Data.Chosen) {
			if held[r.Digest] {
				t.Errorf("%s: %s is held out and trained on", name, r.Source)
			}
		}
		if len(set.Data.Chosen) == 0 {
			t.Errorf("%s: nothing to choose the best weights by", name)
		}
	}
}

func TestSplitTellsUnknownGroups(t *testing.T) {
	all := recordingsOf(20, 0, "anna", "ben", "theo")
	s, err := comparison.Recordings{All: all, Rule: dataset.Holdout{Share: 0.2, Validation: 0.05, Seed: 1, Group: "speaker", Out: []string{"speaker=theo"}}}.Split(nil)
	if err != nil {
		t.Fatal(err)
	}
	known := 0
	for i, g := range s.Data().Groups {
		if g.Unknown != (g.Name == "theo") || s.HeldOut[i].Group != g.Name {
			t.Errorf("%+v", g)
		}
		if !g.Unknown {
			known++
		}
	}
	if known == 0 {
		t.Error("no recording of a known speaker is held out")
	}
}

func TestSplitByTest(t *testing.T) {
	all, other := recordingsOf(10, 0), recordingsOf(4, 500)
	c := trainedOn(t, append(slices.Clone(all), other[:2]...), dataset.Holdout{Seed: 1}) // has seen two of the others
	test := append(slices.Clone(other), recordingOf(all[0].Clip, "copy of all.wav"))
	s, err := comparison.Recordings{All: all, Test: test, Rule: rule(1)}.Split([]models.Checkpoint{c})
	if err != nil {
		t.Fatal(err)
	}
	if got, want := names(s.HeldOut), names(other[2:]); !slices.Equal(got, want) || len(s.Learn) != 30 || s.Untrusted != "" {
		t.Errorf("held out %q, want %q; %d to learn from, %q", got, want, len(s.Learn), s.Untrusted)
	}
	if s, err = (comparison.Recordings{All: all, Test: test, Rule: rule(1)}).Split(nil); err != nil || len(s.HeldOut) != 12 {
		t.Errorf("without checkpoints: %d held out, error %v", len(s.HeldOut), err)
	}
	c.Data = nil
	if s, err = (comparison.Recordings{All: all, Test: test, Rule: rule(1)}).Split([]models.Checkpoint{c}); err != nil || len(s.HeldOut) != 12 || s.Untrusted == "" {
		t.Errorf("without a record: %d held out, %q, error %v", len(s.HeldOut), s.Untrusted, err)
	}
	if _, err := (comparison.Recordings{All: all, Test: all[:3]}).Split(nil); err == nil || !strings.Contains(err.Error(), "--test") {
		t.Errorf("a test set of copies: error %v", err)
	}
}

func TestSplitRefuses(t *testing.T) {
	all := recordingsOf(10, 0)
	everything := trainedOn(t, all, dataset.Holdout{Seed: 1})
	without := models.Checkpoint{Arch: "toy", Seed: 1}
	strange := trainedOn(t, recordingsOf(10, 500), rule(1))
	if _, err := (comparison.Recordings{All: all, Rule: rule(1)}).Split([]models.Checkpoint{everything}); err == nil || !strings.Contains(err.Error(), "--test DIR") {
		t.Errorf("a model that has seen all: error %v", err)
	}
	if s, err := (comparison.Recordings{All: all, Rule: rule(1)}).Split([]models.Checkpoint{without}); err != nil || s.Untrusted == "" {
		t.Errorf("a checkpoint without a record: %q, error %v", s.Untrusted, err)
	}
	// A model of other recordings has seen none of these: an evaluator learns from a part of them.
	s, err := comparison.Recordings{All: all, Rule: rule(1)}.Split([]models.Checkpoint{strange})
	if err != nil || len(s.Learn) < 15 || len(s.HeldOut) < 3 || len(s.Learn)+len(s.HeldOut) != 30 || len(s.Unknown) != len(s.HeldOut) {
		t.Errorf("%d to learn from, %d held out, error %v", len(s.Learn), len(s.HeldOut), err)
	}
	if _, err := (comparison.Recordings{All: recordingsOf(1, 0), Rule: rule(1)}).Split(nil); err == nil || !strings.Contains(err.Error(), "too few") {
		t.Errorf("one of each label: error %v", err)
	}
	if _, err := (comparison.Recordings{All: recordingsOf(1, 0), Rule: rule(1)}).Split([]models.Checkpoint{strange}); err == nil || !strings.Contains(err.Error(), "too few to split") {
		t.Errorf("one of each label, a strange model: error %v", err)
	}
}
