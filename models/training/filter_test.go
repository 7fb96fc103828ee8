package training_test

import (
	"encoding/json"
	"errors"
	"slices"
	"strings"
	"testing"

	"wavemill/audio"
	"wavemill/audio/dataset"
	"wavemill/models"
	"wavemill/models/eval"
	"wavemill/models/training"
)

// generator is a gan with untrained weights that knows a set's labels, and records that it has seen all of it but what is
// held out.
func generator(t *testing.T, arch, config string, set training.Set) models.Checkpoint {
	t.Helper()
	c, _ := run(t, unmonitored(training.Job{Arch: arch, Config: json.RawMessage(config), Seed: 3, Steps: 1, BatchSize: 4}), set)
	return c
}

// conditions ask for the labels of clips.
func conditions(clips []audio.Clip) []eval.Condition {
	out := make([]eval.Condition, len(clips))
	for i, c := range clips {
		out[i].Label = c.Label
	}
	return out
}

// The discriminator scores recordings that it has not seen where there are fifty, and else all; labels that the checkpoint
// does not know are left out.
func TestFilterScore(t *testing.T) {
	recordings := synthetic(t, 40)
	set := prepare(t, recordings, training.Options{Holdout: dataset.Holdout{Share: 0.5, Validation: 0.05, Seed: 1}})
	c := generator(t, "gan", `{"channels":2,"latent":4,"embedding":4}`, set)
	if len(c.Data.HeldOut) < 50 {
		t.Fatalf("%d held out", len(c.Data.HeldOut))
	}
	var unseen []dataset.Recording
	for _, r := range recordings {
		if slices.ContainsFunc(c.Data.HeldOut, func(h models.Recording) bool { return h.Digest == r.Digest }) {
			unseen = append(unseen, r)
		}
	}
	probe := dataset.Clips(recordings[:12])
	of := func(q *eval.DiscriminatorQuantile, err error) []float64 {
		t.Helper()
		if err != nil {
			t.Fatal(err)
		}
		shares, err := q.Of(t.Context(), probe, conditions(probe))
		if err != nil {
			t.Fatal(err)
		}
		return shares
	}
	want := func(recordings []dataset.Recording) []float64 {
		t.Helper()
		return of(eval.NewDiscriminatorQuantile(t.Context(), c, dataset.Clips(recordings), c.Seed))
	}
	if slices.Equal(want(unseen), want(recordings)) {
		t.Fatal("the test cannot tell them apart")
	}
	var stages []string
	job := training.FilterJob{OnProgress: func(stage string, part float64) {
		if part == 1 {
			stages = append(stages, stage)
		}
	}}
	unknown := decoded("x", "unknown", "", recordings[0].Clip)
	if got := of(job.Score(t.Context(), c, append(slices.Clone(recordings), unknown))); !slices.Equal(got, want(unseen)) {
		t.Errorf("%v, want %v", got, want(unseen))
	}
	few := recordings[:60] // about half of them unseen
	if got := of(job.Score(t.Context(), c, few)); !slices.Equal(got, want(few)) {
		t.Errorf("%v, want %v", got, want(few))
	}
	if !slices.Equal(stages, []string{"score recordings", "score recordings"}) {
		t.Errorf("%q", stages)
	}
}

// A filter's file has the discriminators of those models that have one, and notes the others.
func TestFilterJob(t *testing.T) {
	if testing.Short() {
		t.Skip("trains a classifier")
	}
	recordings := synthetic(t, 12)
	set := prepare(t, recordings, training.Options{Holdout: rule()})
	var notes []string
	job := training.FilterJob{Seed: 1, Epochs: 5, Note: func(line string) { notes = append(notes, line) }, Models: []training.FilterModel{
		{Name: "v", Checkpoint: generator(t, "vae", small, set)}, {Name: "g", Checkpoint: generator(t, "gan", `{"channels":2,"latent":4,"embedding":4}`, set)},
	}}
	file, report, err := job.Run(t.Context(), recordings)
	if err != nil {
		t.Fatal(err)
	}
	if digest := mustDigest(t, job.Models[1].Checkpoint); !slices.Equal(report.Discriminators, []string{digest}) || report.Recordings != 36 || len(report.Labels) != 3 || report.Seed != 1 {
		t.Errorf("%+v", report)
	}
	if !slices.ContainsFunc(notes, func(s string) bool { return strings.HasPrefix(s, "v: ") && strings.Contains(s, "alone") }) {
		t.Errorf("%q", notes)
	}
	report.Out = "f"
	if s := report.String(); !strings.HasPrefix(s, "f: a filter for 3 labels, trained on 36 recordings; on ") {
		t.Error(s)
	}
	if _, err := eval.OpenFilter(file); err != nil {
		t.Error(err)
	}
	if _, err := eval.OpenDiscriminatorQuantile(file, job.Models[1].Checkpoint); err != nil {
		t.Error(err)
	}
	if _, err := eval.OpenDiscriminatorQuantile(file, job.Models[0].Checkpoint); !errors.Is(err, models.ErrNoDiscriminator) {
		t.Error(err)
	}
	if _, _, err := job.Run(t.Context(), recordings[:1]); err == nil {
		t.Error("a filter of one recording")
	}
}

// TestFilterUseRequiresDiscriminator requires that a missing discriminator is an error before the recordings are read, and
// none where it is not required.
func TestFilterUseRequiresDiscriminator(t *testing.T) {
	set := prepare(t, synthetic(t, 4), training.Options{Holdout: dataset.Holdout{Share: 0.25, Seed: 1}})
	c := generator(t, "vae", `{"channels":2,"latent":4,"embedding":4}`, set)
	stop := errors.New("recordings are read")
	for use, want := range map[training.RealnessUse]error{
		training.RealnessRequired: models.ErrNoDiscriminator, training.RealnessIfThere: stop, training.RealnessOff: stop,
	} {
		u := training.FilterUse{Model: training.FilterModel{Name: "m", Checkpoint: c}, Realness: use}
		_, err := u.Train(t.Context(), training.FilterJob{}, func() ([]dataset.Recording, error) { return nil, stop })
		if !errors.Is(err, want) {
			t.Errorf("use %d: error %v, want %v", use, err, want)
		}
	}
	if _, err := (training.FilterUse{}).Open(t.TempDir() + "/none.safetensors"); err == nil {
		t.Error("a filter that does not exist was opened")
	}
}
