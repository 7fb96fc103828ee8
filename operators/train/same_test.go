package train_test

import (
	"bytes"
	"context"
	"encoding/json"
	"fmt"
	"math/rand/v2"
	"reflect"
	"slices"
	"sync"
	"testing"

	"wavemill/audio/dataset"
	"wavemill/audio/fingerprint"
	"wavemill/audio/npy"
	"wavemill/audio/synth"
	"wavemill/models"
	"wavemill/models/frontend"
	"wavemill/models/training"
	"wavemill/pipeline"
	"wavemill/pipeline/header"
)

// realRecordings are decoded recordings, as the train command has them: the first 200 ms, so that trainings on them take seconds.
func realRecordings(t *testing.T, n int) []dataset.Recording {
	t.Helper()
	out, err := beginnings(n)
	if err != nil {
		t.Fatal(err)
	}
	return out
}

func beginnings(n int) ([]dataset.Recording, error) {
	var out []dataset.Recording
	for i := range n {
		label := []string{"bell", "kick", "two words"}[i%3]
		clip, err := synth.Clip([]string{"bell", "kick", "pluck"}[i%3], uint64(i), 8000)
		if err != nil {
			return nil, err
		}
		name := fmt.Sprintf("%s_%02d.wav", label, i)
		clip.Label, clip.Source, clip.Samples = label, name, clip.Samples[:1600]
		out = append(out, dataset.Recording{
			Item: dataset.Item{Path: name, Name: name, Label: label, Group: fmt.Sprint("g", i%5)}, Clip: clip,
			Digest: fingerprint.Digest(clip), Print: fingerprint.Of(clip),
		})
	}
	return out, nil
}

// messageOf is the message that the spectrogram operator makes of a recording.
func messageOf(t *testing.T, front *frontend.FrontEnd, r dataset.Recording) *pipeline.Message {
	t.Helper()
	s, _, err := front.Analyze(r.Clip)
	if err != nil {
		t.Fatal(err)
	}
	config, errC := json.Marshal(front.Config().Spectrogram)
	whole, errW := json.Marshal(front.Config())
	print, errP := r.Print.MarshalText()
	if errC != nil || errW != nil || errP != nil {
		t.Fatal(errC, errW, errP)
	}
	return &pipeline.Message{
		Type: pipeline.TypeSpectrogram, Label: r.Label, Body: npy.Encode([]int{s.Frames, s.Bins}, s.Data),
		Header: map[string]string{
			header.Spectrogram: string(config), header.FrontEnd: string(whole), header.Source: r.Name,
			header.Recording: r.Digest, "Wavemill-Fingerprint": string(print), "Wavemill-Group": r.Group,
		},
	}
}

// stored is the checkpoint that the bus has.
func (m *mill) stored(name string) models.Checkpoint {
	m.t.Helper()
	entry, err := m.bus.Models().Get(m.t.Context(), name)
	if err != nil {
		m.t.Fatal(err)
	}
	content, err := m.bus.Models().Load(m.t.Context(), entry)
	if err != nil {
		m.t.Fatal(err)
	}
	c, err := models.Decode(content)
	if err != nil {
		m.t.Fatal(err)
	}
	return c
}

// byCommand is the checkpoint that the train command makes of recordings with a front end.
func byCommand(t *testing.T, recordings []dataset.Recording, fe models.FrontEnd) models.Checkpoint {
	t.Helper()
	c, err := commanded(t.Context(), recordings, func([]dataset.Recording) (models.FrontEnd, error) { return fe, nil })
	if err != nil {
		t.Fatal(err)
	}
	return c
}

// planned is the checkpoint that the train command makes of realRecordings(t, 36) with the front end that it plans; the tests
// share it.
var planned = sync.OnceValues(func() (models.Checkpoint, error) {
	recordings, err := beginnings(36)
	if err != nil {
		return models.Checkpoint{}, err
	}
	return commanded(context.Background(), recordings, nil)
})

// plannedByCommand returns it, and skips a test in short runs.
func plannedByCommand(t *testing.T) models.Checkpoint {
	t.Helper()
	if testing.Short() {
		t.Skip("it computes, and starts nothing that others do not start")
	}
	c, err := planned()
	if err != nil {
		t.Fatal(err)
	}
	return c
}

// commanded trains as the train command does. Without a front end, one is planned.
func commanded(ctx context.Context, recordings []dataset.Recording, fe func([]dataset.Recording) (models.FrontEnd, error)) (models.Checkpoint, error) {
	set, err := training.Prepare(ctx, recordings, training.Options{Holdout: dataset.Holdout{Share: 0.1, Validation: 0.05, Seed: 5}, FrontEnd: fe})
	if err != nil {
		return models.Checkpoint{}, err
	}
	job := training.Job{Arch: "vae", Config: json.RawMessage(`{"channels":2,"latent":4,"embedding":4}`), Seed: 5, Steps: 8, EvalEvery: 4}
	c, _, err := job.Run(ctx, set)
	return c, err
}

// onBus is the checkpoint that the train operator makes of recordings that are published with a front end, in another order.
// clips is how many of them count.
func onBus(t *testing.T, recordings []dataset.Recording, fe models.FrontEnd, clips int) models.Checkpoint {
	t.Helper()
	front, err := frontend.New(fe)
	if err != nil {
		t.Fatal(err)
	}
	var messages []*pipeline.Message
	for _, r := range recordings {
		messages = append(messages, messageOf(t, front, r))
	}
	rand.New(rand.NewPCG(3, 4)).Shuffle(len(messages), func(i, j int) { messages[i], messages[j] = messages[j], messages[i] })
	config := fmt.Sprintf("{model: vae, config: {channels: 2, latent: 4, embedding: 4}, steps: 8, eval_every: 4, seed: 5, min_clips: %d, wait_for: %[1]d, idle: 1h}", clips)
	m := newMill(t, t.TempDir(), config)
	m.hooks.NewLearner = nil
	m.feed(messages...)
	m.start()
	m.complete(1)
	return m.stored("vae")
}

// sameBytes reports whether two checkpoints have the same bytes.
func sameBytes(t *testing.T, a, b models.Checkpoint) bool {
	t.Helper()
	x, errX := a.Encode()
	y, errY := b.Encode()
	if errX != nil || errY != nil {
		t.Fatal(errX, errY)
	}
	return bytes.Equal(x, y)
}

// The same recordings, front end, settings and seed give the same checkpoint on the bus and by the train command, weights,
// choice of the best ones and record of recordings included. The tests below have each difference that docs/training.md
// names.
func TestTrainsWhatTheCommandTrains(t *testing.T) {
	recordings := realRecordings(t, 36)
	want := plannedByCommand(t)
	if got := onBus(t, recordings, want.FrontEnd, 36); !sameBytes(t, got, want) {
		t.Errorf("another checkpoint on the bus:\n%+v\nwant\n%+v", shown(got), shown(want))
	}
}

// The front end is planned by the command and configured on the bus. Another one gives other weights and the same split;
// given to the command too, the same checkpoint.
func TestFrontEndOfTheBus(t *testing.T) {
	recordings := realRecordings(t, 36)
	first := plannedByCommand(t)
	fe := frontend.Overrides{Mels: 32}.Apply(first.FrontEnd)
	got := onBus(t, recordings, fe, 36)
	if got.FrontEnd != fe || sameBytes(t, got, first) || !reflect.DeepEqual(got.Data, first.Data) {
		t.Errorf("%+v, planned\n%+v", shown(got), shown(first))
	}
	if want := byCommand(t, recordings, fe); !sameBytes(t, got, want) {
		t.Errorf("another checkpoint than with the same front end:\n%+v\nwant\n%+v", shown(got), shown(want))
	}
}

// A client may publish recordings under other names than their files have. The record has its names; the split, the order
// and the weights do not depend on them.
func TestSourcesOfTheBus(t *testing.T) {
	recordings := realRecordings(t, 36)
	want := plannedByCommand(t)
	renamed, names := slices.Clone(recordings), map[string]string{}
	for i := range renamed {
		renamed[i].Name = fmt.Sprintf("client/%02d", 99-i)
		names[renamed[i].Digest] = renamed[i].Name
	}
	got := onBus(t, renamed, want.FrontEnd, 36)
	if sameBytes(t, got, want) {
		t.Fatal("the record has the names of the files")
	}
	expected := *want.Data
	rename := func(of []models.Recording) []models.Recording {
		of = slices.Clone(of)
		for i := range of {
			of[i].Source = names[of[i].Digest]
		}
		return of
	}
	expected.Learnt, expected.Chosen, expected.HeldOut = rename(expected.Learnt), rename(expected.Chosen), rename(expected.HeldOut)
	want.Data = &expected
	if !sameBytes(t, got, want) {
		t.Errorf("more than the names differs:\n%+v\nwant\n%+v", shown(got), shown(want))
	}
}

// A recording that is published twice under one name counts once. Under two names it counts twice, as two files do.
func TestDuplicatesOnTheBus(t *testing.T) {
	recordings := realRecordings(t, 36)
	want := plannedByCommand(t)
	twice := append(slices.Clone(recordings), recordings[:5]...)
	if got := onBus(t, twice, want.FrontEnd, 36); !sameBytes(t, got, want) {
		t.Errorf("duplicates count:\n%+v\nwant\n%+v", shown(got), shown(want))
	}
	second := recordings[0]
	second.Name = "second.wav"
	copied := append(slices.Clone(recordings), second)
	want = byCommand(t, copied, want.FrontEnd)
	if n := len(want.Data.Learnt) + len(want.Data.Chosen) + len(want.Data.HeldOut); n != 37 {
		t.Fatalf("the command uses %d recordings", n)
	}
	if got := onBus(t, copied, want.FrontEnd, 37); !sameBytes(t, got, want) {
		t.Errorf("a copy under another name:\n%+v\nwant\n%+v", shown(got), shown(want))
	}
}

// shown is what a checkpoint says beside its tensors.
func shown(c models.Checkpoint) models.Checkpoint {
	c.Tensors, c.RNG, c.Config = nil, nil, nil
	return c
}

// What is held out on the bus is not trained on, and groups stay on one side.
func TestHoldsOutGroups(t *testing.T) {
	recordings := realRecordings(t, 60)
	fe := frontend.PlanFor(dataset.Clips(recordings))
	front, err := frontend.New(fe)
	if err != nil {
		t.Fatal(err)
	}
	m := newMill(t, t.TempDir(), "{model: average, steps: 2, batch_size: 4, seed: 5, min_clips: 60, wait_for: 60, idle: 1h, holdout: 0.3, group: speaker}")
	for _, r := range recordings {
		m.feed(messageOf(t, front, r))
	}
	m.start()
	m.complete(1)
	d := m.stored("average").Data
	if d == nil || d.Group != "speaker" || d.Share != 0.3 || len(d.HeldOut) == 0 || len(d.Learnt)+len(d.Chosen)+len(d.HeldOut) != 60 {
		t.Fatalf("%+v", d)
	}
	groupsOf := func(of []models.Recording) []string {
		var groups []string
		for _, r := range of {
			groups = append(groups, r.Group)
		}
		slices.Sort(groups)
		return slices.Compact(groups)
	}
	held := groupsOf(d.HeldOut)
	for _, g := range groupsOf(slices.Concat(d.Learnt, d.Chosen)) {
		if slices.Contains(held, g) {
			t.Errorf("group %s is torn apart", g)
		}
	}
}

// Spectrograms from clients that give no identity are trained on too: the digest of the values stands in.
func TestRecordsWhatHasNoIdentity(t *testing.T) {
	m := newMill(t, t.TempDir(), quick)
	m.feed(dozen()...)
	m.start()
	m.complete(1)
	d := m.stored("average").Data
	if d == nil || len(d.Learnt)+len(d.Chosen)+len(d.HeldOut) != 12 {
		t.Fatalf("%+v", d)
	}
	seen := map[string]bool{}
	for _, r := range slices.Concat(d.Learnt, d.Chosen, d.HeldOut) {
		if len(r.Digest) != 32 || seen[r.Digest] || r.Print != "" || r.Source == "" {
			t.Errorf("%+v", r)
		}
		seen[r.Digest] = true
	}
}
