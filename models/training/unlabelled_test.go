package training_test

import (
	"encoding/json"
	"errors"
	"fmt"
	"reflect"
	"slices"
	"strings"
	"testing"

	"wavemill/audio"
	"wavemill/audio/dataset"
	"wavemill/models"
	"wavemill/models/training"
)

// unlabelled are the recordings under other names and a label that says nothing.
func unlabelled(recordings []dataset.Recording) []dataset.Recording {
	out := slices.Clone(recordings)
	for i := range out {
		out[i].Name = fmt.Sprintf("many/%03d.wav", i)
		out[i].Label, out[i].Clip.Label, out[i].Clip.Source = "many", "many", out[i].Name
	}
	return out
}

// fewAndMany are two labelled recordings of each of three labels, and 30 others.
func fewAndMany(t *testing.T) (few, many []dataset.Recording) {
	all := synthetic(t, 12)
	return all[:6], all[6:]
}

func TestUnlabelled(t *testing.T) {
	few, many := fewAndMany(t)
	truth := map[string]string{}
	for _, r := range many {
		truth[r.Digest] = r.Label
	}
	var notes []string
	options := training.Options{
		Holdout: rule(), Unlabelled: append(unlabelled(many), silent("many/silent.wav", "many")), Note: func(s string) { notes = append(notes, s) },
	}
	set := prepare(t, few, options)
	d := set.Data
	if len(d.HeldOut) != 0 || len(d.Chosen) != 0 || d.Share != 0 || len(d.Learnt) != len(few) {
		t.Errorf("%d held out, %d for validation, %d labelled, share %g", len(d.HeldOut), len(d.Chosen), len(d.Learnt), d.Share)
	}
	u := d.Unlabelled
	if u == nil || len(u.Used)+len(u.Unused) != len(many) || set.Train.B != len(few)+len(u.Used) || len(u.Used) < len(many)/2 {
		t.Fatalf("%+v, %d clips", u, set.Train.B)
	}
	counts, wrong := map[string]int{}, 0
	for _, r := range u.Used {
		counts[r.Label]++
		if truth[r.Digest] != r.Label {
			wrong++
		}
	}
	if wrong > len(u.Used)/10 || !reflect.DeepEqual(counts, u.Counts) || u.Labelled != len(few) || u.Checked != len(few) {
		t.Errorf("%d of %d labels are wrong; %+v", wrong, len(u.Used), u)
	}
	if !reflect.DeepEqual(set.Labels, []string{"bell", "hihat", "kick"}) {
		t.Errorf("labels %v", set.Labels)
	}
	if text := strings.Join(notes, "\n"); !strings.Contains(text, "silent.wav") || !strings.Contains(text, "check:") {
		t.Error(text)
	}
	// Neither the names nor the order of the unlabelled recordings count.
	slices.Reverse(options.Unlabelled)
	if again := prepare(t, few, options); !reflect.DeepEqual(again.Train, set.Train) {
		t.Error("another order gives other clips")
	}
	// The record is that of the file, and all recordings have been seen.
	text, err := json.Marshal(d)
	var back models.TrainingData
	if err == nil {
		err = json.Unmarshal(text, &back)
	}
	if err != nil || !reflect.DeepEqual(back.Unlabelled, u) {
		t.Errorf("%v: %+v", err, back.Unlabelled)
	}
	if p, err := training.Unseen([]models.Checkpoint{{Data: &back}}, many, rule()); !errors.Is(err, training.ErrAllSeen) || len(p.Unseen) != 0 {
		t.Errorf("%v: %d of the unlabelled recordings count as unseen", err, len(p.Unseen))
	}
	if f, err := training.Describe("x", models.Checkpoint{Format: models.Format, Data: &d}); err == nil && (f.Data.Unlabelled != len(many) || f.Data.Assigned != len(u.Used)) {
		t.Errorf("facts %+v", f.Data)
	}
}

// Copies of labelled recordings are not used again, and those of recordings that are held out not at all.
func TestUnlabelledCopies(t *testing.T) {
	all := synthetic(t, 24)
	labelled, others := all[:36], all[36:] // twelve of each label: some are held out
	quiet := unlabelled(labelled)
	for i := range quiet {
		samples := make([]float32, len(quiet[i].Clip.Samples))
		for k, v := range quiet[i].Clip.Samples {
			samples[k] = v / 2
		}
		quiet[i] = decoded(quiet[i].Name, "many", "", audio.Clip{Samples: samples, Channels: 1, Rate: rate})
	}
	var notes []string
	set := prepare(t, labelled, training.Options{
		Holdout: rule(), Unlabelled: slices.Concat(unlabelled(labelled), quiet, unlabelled(others)), Note: func(s string) { notes = append(notes, s) },
	})
	u := set.Data.Unlabelled
	if len(set.Data.HeldOut) == 0 || set.Data.Share != 0.1 {
		t.Fatalf("nothing is held out: %g", set.Data.Share)
	}
	if n := len(u.Used) + len(u.Unused); n != len(others) {
		t.Errorf("%d recordings were compared, not %d", n, len(others))
	}
	text := strings.Join(notes, "\n")
	if want := fmt.Sprintf("%d unlabelled recordings are left out: they are held out", 2*len(set.Data.HeldOut)); !strings.Contains(text, want) {
		t.Errorf("%s\nwant %q", text, want)
	}
	if _, err := training.Prepare(t.Context(), labelled, training.Options{Holdout: rule(), Unlabelled: quiet}); err == nil || !strings.Contains(err.Error(), "copies of labelled ones") {
		t.Errorf("only copies: %v", err)
	}
}

// Recordings of a group that is held out are not learnt from without their label either.
func TestUnlabelledGroups(t *testing.T) {
	all := synthetic(t, 24)
	labelled, others := all[:36], all[36:]
	h := rule()
	h.Out = []string{"speaker=s1"}
	options := training.Options{Holdout: h, Unlabelled: unlabelled(others)}
	set := prepare(t, labelled, options)
	for _, r := range set.Data.Seen() {
		if r.Group == "s1" {
			t.Fatalf("%s of the held-out group was seen", r.Source)
		}
	}
	if n := len(set.Data.Unlabelled.Used) + len(set.Data.Unlabelled.Unused); n != len(others)*3/4 {
		t.Errorf("%d of %d recordings were compared", n, len(others))
	}
	options.Holdout.Group = "speaker"
	if got := options.ScanUnlabelled("{label}_{speaker}"); !reflect.DeepEqual(got, dataset.Options{Labels: "{label}_{speaker}", Group: "speaker"}) {
		t.Errorf("with groups: %+v", got)
	}
	if got := (training.Options{}).ScanUnlabelled("{label}_{n}"); !reflect.DeepEqual(got, dataset.Options{Labels: "folder"}) {
		t.Errorf("without groups: %+v", got)
	}
}

// A resumed training has the same clips with the same labels as before, whatever the labelled recordings would say now.
func TestUnlabelledResumed(t *testing.T) {
	few, many := fewAndMany(t)
	set := prepare(t, few, training.Options{Holdout: rule(), Unlabelled: unlabelled(many)})
	c := models.Checkpoint{FrontEnd: set.FrontEnd, Labels: set.Labels, Data: &set.Data}
	options := training.Options{Resume: &c, Unlabelled: unlabelled(many)}
	options.Pseudolabel.Share = 0.1
	again := prepare(t, few, options)
	if !reflect.DeepEqual(again.Train, set.Train) || !reflect.DeepEqual(again.Data, set.Data) {
		t.Errorf("%d clips, before %d", again.Train.B, set.Train.B)
	}
	if _, err := training.Prepare(t.Context(), few, training.Options{Resume: &c}); err == nil || !strings.Contains(err.Error(), "same folders") {
		t.Errorf("without the unlabelled recordings: %v", err)
	}
	plain := prepare(t, few, training.Options{Holdout: rule()})
	c.Data = &plain.Data
	if _, err := training.Prepare(t.Context(), few, options); err == nil || !strings.Contains(err.Error(), "it has none") {
		t.Errorf("a checkpoint without any: %v", err)
	}
}
