package train_test

import (
	"fmt"
	"strings"
	"testing"

	"wavemill/audio/dataset"
	"wavemill/models/frontend"
	"wavemill/operators/train"
)

// labels are those of realRecordings.
var labels = []string{"bell", "kick", "two words"}

// feedAll publishes recordings as spectrograms of one front end, labelled by relabel.
func (m *mill) feedAll(front *frontend.FrontEnd, recordings []dataset.Recording, relabel func(i int, label string) string) {
	m.t.Helper()
	for i, r := range recordings {
		r.Label = relabel(i, r.Label)
		m.feed(messageOf(m.t, front, r))
	}
}

func truly(_ int, label string) string { return label }

// realMill is a mill with a small VAE.
func realMill(t *testing.T, dir string, clips int) *mill {
	m := newMill(t, dir, fmt.Sprintf(
		"{model: vae, config: {channels: 4, latent: 4, embedding: 4}, steps: 60, batch_size: 16, seed: 5, eval_every: 1000, best_by: last, holdout: 0.2, min_clips: %d, wait_for: %[1]d, idle: 300ms, again: 60}", clips))
	m.hooks.NewLearner = nil
	return m
}

// Clips whose labels are wrong, published after a model is served, do not replace it: the recordings and the classifier that
// models are judged on are those of the first model. Neither a restart nor more of them change that.
func TestPoisonedClipsDoNotReplaceTheServedModel(t *testing.T) {
	if testing.Short() {
		t.Skip("trains classifiers")
	}
	recordings := realRecordings(t, 300)
	front, err := frontend.New(frontend.PlanFor(dataset.Clips(recordings)))
	if err != nil {
		t.Fatal(err)
	}
	dir := t.TempDir()
	m := realMill(t, dir, 120)
	next := m.notices()
	m.feedAll(front, recordings[:120], truly)
	m.start()
	first := m.complete(1)
	if n := next(train.NoticeAccepted); n.Version != 1 || n.Gate == nil || n.Gate.Reference == "" || n.Gate.New.Accuracy == nil || n.Gate.New.Recordings.Value < 0.7 {
		t.Errorf("told %+v, %+v", n, n.Gate)
	}
	wrong := func(_ int, label string) string {
		return map[string]string{"bell": "kick", "kick": "two words", "two words": "bell"}[label]
	}
	m.feedAll(front, recordings[120:240], wrong)
	if n := next(train.NoticeRefused); n.Gate.Reference != first.Gate.Reference || n.Gate.NewClips == nil || n.Gate.NewClips.High > 0.5 {
		t.Errorf("told %+v, %+v", n, n.Gate)
	}
	m.shutdown()

	m = realMill(t, dir, 120)
	next = m.notices()
	m.start()
	m.feedAll(front, recordings[240:], wrong)
	if n := next(train.NoticeRefused); n.Gate.Reference != first.Gate.Reference {
		t.Errorf("judged on other recordings: %+v", n.Gate)
	}
	if entry, err := m.bus.Models().Get(t.Context(), "vae"); err != nil || entry.Digest != first.Digest || entry.Version != 1 || len(entry.Kept) != 0 {
		t.Errorf("served: %+v, %v", entry, err)
	}
}

// Where the labels of the first clips are shuffled, no model is served.
func TestShuffledLabelsAreNotServed(t *testing.T) {
	if testing.Short() {
		t.Skip("trains classifiers")
	}
	recordings := realRecordings(t, 120)
	front, err := frontend.New(frontend.PlanFor(dataset.Clips(recordings)))
	if err != nil {
		t.Fatal(err)
	}
	m := realMill(t, t.TempDir(), 120)
	next := m.notices()
	m.feedAll(front, recordings, func(i int, _ string) string { return labels[(i/3+i*i/7)%3] })
	m.start()
	if n := next(train.NoticeRefused); !strings.Contains(n.Reason, "check the labels") || n.Gate.HeldOut < 20 {
		t.Errorf("told %+v %+v", n, n.Gate)
	}
	if entry, err := m.bus.Models().Get(t.Context(), "vae"); err == nil {
		t.Errorf("served: %+v", entry)
	}
}
