package training_test

import (
	"encoding/json"
	"slices"
	"strings"
	"testing"

	"wavemill/audio/dataset"
	"wavemill/models"
	"wavemill/models/training"
)

// at returns the digests of recordings, sorted.
func at(recordings []dataset.Recording, indices []int) []string {
	var out []string
	for _, i := range indices {
		out = append(out, recordings[i].Digest)
	}
	slices.Sort(out)
	return out
}

// A checkpoint's unseen recordings are those that it records as held out, whatever they are called and however they are
// labelled.
func TestUnseen(t *testing.T) {
	recordings := synthetic(t, 20)
	set := prepare(t, recordings, training.Options{Holdout: rule()})
	c := models.Checkpoint{Seed: 99, Data: &set.Data}
	renamed := slices.Clone(recordings)
	for i := range renamed {
		renamed[i].Name = "renamed/" + renamed[i].Name
	}
	p, err := training.Unseen([]models.Checkpoint{c}, renamed, rule())
	if err != nil || !p.Trusted || p.Warning() != "" || !slices.Equal(at(renamed, p.Unseen), digests(set.Data.HeldOut)) {
		t.Errorf("%v: %d unseen, %d held out, trusted %v", err, len(p.Unseen), len(set.Data.HeldOut), p.Trusted)
	}
	if len(p.Seen)+len(p.Unseen) != len(recordings) || len(p.UnknownGroup) != len(p.Unseen) || slices.Contains(p.UnknownGroup, true) {
		t.Errorf("%d seen, groups %v", len(p.Seen), p.UnknownGroup)
	}
	// The list of a report is that of the checkpoint.
	var ids []dataset.Identity
	for _, i := range p.Unseen {
		ids = append(ids, recordings[i].Identity())
	}
	if got, want := training.HeldOutList(ids), training.HeldOutOf(c); !slices.Equal(got, want) || len(got) == 0 {
		t.Errorf("%v, want %v", got, want)
	}
	if text, err := json.Marshal(training.HeldOutOf(c)[0]); err != nil || !strings.HasPrefix(string(text), `{"source":"`) || !strings.Contains(string(text), `","label":"`) || !strings.Contains(string(text), `","digest":"`) {
		t.Errorf("%s, %v", text, err)
	}
	if got := training.HeldOutOf(models.Checkpoint{}); got == nil || len(got) != 0 {
		t.Errorf("%v", got)
	}
}

// Several checkpoints of different seeds: what is left has been seen by none.
func TestUnseenByAll(t *testing.T) {
	recordings := synthetic(t, 200/3)
	var all []models.Checkpoint
	held := map[string]int{}
	for seed := range uint64(2) {
		set := prepare(t, recordings, training.Options{Holdout: dataset.Holdout{Share: 0.4, Validation: 0.05, Seed: seed}})
		all = append(all, models.Checkpoint{Data: &set.Data})
		for _, r := range set.Data.HeldOut {
			held[r.Digest]++
		}
	}
	p, err := training.Unseen(all, recordings, rule())
	if err != nil {
		t.Fatal(err)
	}
	for _, d := range at(recordings, p.Unseen) {
		if held[d] != 2 {
			t.Errorf("%s was held out by %d of 2", d, held[d])
		}
	}
}

// Without a record, the split of the checkpoint's seed stands in, and is not trusted.
func TestUnseenWithoutARecord(t *testing.T) {
	recordings := synthetic(t, 20)
	seed := rule()
	seed.Seed = 42
	want, err := training.Divide(dataset.Identities(recordings), seed, nil)
	if err != nil {
		t.Fatal(err)
	}
	p, err := training.Unseen([]models.Checkpoint{{Seed: 42}}, recordings, rule())
	if err != nil || p.Trusted || !strings.Contains(p.Warning(), "not to be trusted") || !slices.Equal(at(recordings, p.Unseen), at(recordings, want.HeldOut)) {
		t.Errorf("%v: %+v, want %v", err, p, want.HeldOut)
	}
}

// Where a label, or everything, has been seen, the error says what to give instead.
func TestNothingUnseen(t *testing.T) {
	recordings := synthetic(t, 20)
	set := prepare(t, recordings, training.Options{Holdout: rule()})
	c := []models.Checkpoint{{Data: &set.Data}}
	var seen, some []dataset.Recording
	for _, r := range recordings {
		isHeld := slices.ContainsFunc(set.Data.HeldOut, func(h models.Recording) bool { return h.Digest == r.Digest })
		if !isHeld {
			seen = append(seen, r)
		}
		if !isHeld || r.Label != "bell" {
			some = append(some, r)
		}
	}
	for name, x := range map[string]struct {
		of   []dataset.Recording
		want string
	}{"all seen": {seen, "every recording, so that none"}, "a label seen": {some, "every recording of bell, so"}} {
		_, err := training.Unseen(c, x.of, rule())
		if err == nil || !strings.Contains(err.Error(), x.want) || !strings.Contains(err.Error(), "--test DIR") {
			t.Errorf("%s: %v", name, err)
		}
	}
}

// Groups stay on one side, and unseen recordings of groups that the training does not know are told apart.
func TestUnseenGroups(t *testing.T) {
	recordings := synthetic(t, 40)
	r := rule()
	r.Group = "speaker"
	set := prepare(t, recordings, training.Options{Holdout: r})
	side := map[string]bool{} // of each group: held out
	for held, of := range map[bool][]models.Recording{false: slices.Concat(set.Data.Learnt, set.Data.Chosen), true: set.Data.HeldOut} {
		for _, x := range of {
			if was, ok := side[x.Group]; ok && was != held {
				t.Fatalf("group %s is torn apart", x.Group)
			}
			side[x.Group] = held
		}
	}
	p, err := training.Unseen([]models.Checkpoint{{Data: &set.Data}}, recordings, rule())
	if err != nil {
		t.Fatal(err)
	}
	for i, index := range p.Unseen {
		if p.UnknownGroup[i] != side[recordings[index].Group] {
			t.Errorf("group %s: unknown %v", recordings[index].Group, p.UnknownGroup[i])
		}
	}
}

// A group that is held out whole is unknown; the unseen recordings of other groups are known.
func TestUnseenGroupByName(t *testing.T) {
	recordings := synthetic(t, 40)
	r := rule()
	r.Group, r.Out = "speaker", []string{"speaker=s2"}
	set := prepare(t, recordings, training.Options{Holdout: r})
	if set.Data.Group != "speaker" || !slices.Equal(set.Data.HoldOut, r.Out) {
		t.Errorf("recorded %q %q", set.Data.Group, set.Data.HoldOut)
	}
	p, err := training.Unseen([]models.Checkpoint{{Data: &set.Data}}, recordings, rule())
	if err != nil {
		t.Fatal(err)
	}
	known := 0
	for i, index := range p.Unseen {
		if p.UnknownGroup[i] != (recordings[index].Group == "s2") {
			t.Errorf("group %s: unknown %v", recordings[index].Group, p.UnknownGroup[i])
		}
		if !p.UnknownGroup[i] {
			known++
		}
	}
	if known == 0 || known == len(p.Unseen) {
		t.Errorf("%d of %d unseen recordings are of known groups", known, len(p.Unseen))
	}
	// The record is followed where the group has gone.
	var others []dataset.Recording
	for _, x := range recordings {
		if x.Group != "s2" {
			others = append(others, x)
		}
	}
	again := prepare(t, others, training.Options{Resume: &models.Checkpoint{Data: &set.Data, Labels: set.Labels, FrontEnd: set.FrontEnd}})
	if again.Train.B != set.Train.B || len(again.Data.HeldOut) != len(set.Data.HeldOut) {
		t.Errorf("%d clips and %d held out, were %d and %d", again.Train.B, len(again.Data.HeldOut), set.Train.B, len(set.Data.HeldOut))
	}
}

// One recording of each label can be trained on, though none can be held out.
func TestNothingToHoldOut(t *testing.T) {
	set := prepare(t, synthetic(t, 1), training.Options{Holdout: rule()})
	if set.Train.B != 3 || len(set.Data.HeldOut) != 0 {
		t.Errorf("%d clips, %d held out", set.Train.B, len(set.Data.HeldOut))
	}
	r := rule()
	r.Group = "speaker"
	if _, err := training.Prepare(t.Context(), synthetic(t, 1), training.Options{Holdout: r}); err == nil {
		t.Error("groups were asked for, and none is held out")
	}
}
