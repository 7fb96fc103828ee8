package training_test

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"math"
	"math/rand/v2"
	"slices"
	"strings"
	"testing"
	"time"

	"wavemill/audio"
	"wavemill/audio/dataset"
	"wavemill/audio/fingerprint"
	"wavemill/audio/spectrogram"
	"wavemill/audio/synth"
	"wavemill/models"
	"wavemill/models/frontend"
	"wavemill/models/training"
)

const (
	rate  = 8000
	small = `{"channels":2,"latent":4,"embedding":4}`
)

func rule() dataset.Holdout { return dataset.Holdout{Share: 0.1, Validation: 0.05, Seed: 1} }

// decoded is a recording as dataset.Load returns it.
func decoded(name, label, group string, c audio.Clip) dataset.Recording {
	c.Label, c.Source = label, name
	return dataset.Recording{
		Item: dataset.Item{Path: "data/" + name, Name: name, Label: label, Group: group}, Clip: c,
		Digest: fingerprint.Digest(c), Print: fingerprint.Of(c),
	}
}

// synthetic are n recordings of each of three labels by four speakers, so short that analyses and trainings take little.
func synthetic(t testing.TB, n int) []dataset.Recording {
	t.Helper()
	return lasting(t, n, rate/4)
}

// lasting are recordings as those of synthetic, of a number of samples.
func lasting(t testing.TB, n, samples int) []dataset.Recording {
	t.Helper()
	var out []dataset.Recording
	for i := range n {
		for _, class := range []string{"bell", "hihat", "kick"} {
			clip, err := synth.Clip(class, uint64(i), rate)
			if err != nil {
				t.Fatal(err)
			}
			clip.Samples = clip.Samples[:samples]
			out = append(out, decoded(fmt.Sprintf("%s/%03d.wav", class, i), class, fmt.Sprint("s", i%4), clip))
		}
	}
	return out
}

func silent(name, label string) dataset.Recording {
	return decoded(name, label, "", audio.Clip{Samples: make([]float32, rate/4), Channels: 1, Rate: rate})
}

func prepare(t testing.TB, recordings []dataset.Recording, o training.Options) training.Set {
	t.Helper()
	s, err := training.Prepare(t.Context(), recordings, o)
	if err != nil {
		t.Fatal(err)
	}
	return s
}

// digests are those of recordings, sorted.
func digests(recordings []models.Recording) []string {
	var out []string
	for _, r := range recordings {
		out = append(out, r.Digest)
	}
	slices.Sort(out)
	return out
}

// monitored is a training of a small model whose clips are measured in the middle and at the end.
func monitored(steps int64) training.Job {
	return training.Job{Arch: "vae", Config: json.RawMessage(small), Seed: 5, Steps: steps, BatchSize: 8, EvalEvery: max(steps/2, 1)}
}

// vae is monitored without the measurements, which take most of the time of a small training.
func vae(steps int64) training.Job {
	return unmonitored(monitored(steps))
}

func unmonitored(j training.Job) training.Job {
	j.NewEvaluator = func(training.Set, uint64) (training.Evaluator, error) { return nil, nil }
	j.BestBy = training.BestByLast
	return j
}

func run(t testing.TB, j training.Job, s training.Set) (models.Checkpoint, training.Result) {
	t.Helper()
	c, r, err := j.Run(t.Context(), s)
	if err != nil {
		t.Fatal(err)
	}
	return c, r
}

// Every usable recording is in one part, silent and broken ones are in none, and the clips are those of the parts.
func TestPrepare(t *testing.T) {
	recordings := synthetic(t, 20)
	broken := decoded("bell/broken.wav", "bell", "", audio.Clip{})
	broken.Err = errors.New("no sound")
	var notes []string
	s := prepare(t, append(slices.Clone(recordings), silent("kick/silent.wav", "kick"), silent("none/a.wav", "none"), broken),
		training.Options{Holdout: rule(), Note: func(line string) { notes = append(notes, line) }})
	if len(notes) != 3 || !strings.Contains(strings.Join(notes, "\n"), "skipped data/kick/silent.wav: front end: the clip is silent") {
		t.Errorf("%q", notes)
	}
	if !slices.Equal(s.Labels, []string{"bell", "hihat", "kick"}) {
		t.Errorf("labels %v", s.Labels)
	}
	d := s.Data
	if s.Train.B != len(d.Learnt) || s.Validation.B != len(d.Chosen) || len(d.HeldOut) == 0 || s.Validation.B == 0 {
		t.Errorf("%d, %d and %d recordings in batches of %d and %d", len(d.Learnt), len(d.Chosen), len(d.HeldOut), s.Train.B, s.Validation.B)
	}
	all := slices.Concat(digests(d.Learnt), digests(d.Chosen), digests(d.HeldOut))
	slices.Sort(all)
	if len(all) != len(recordings) || len(slices.Compact(all)) != len(recordings) {
		t.Errorf("%d recordings in parts, want %d", len(all), len(recordings))
	}
	front, err := frontend.New(s.FrontEnd)
	if err != nil {
		t.Fatal(err)
	}
	for i, r := range d.Learnt {
		at := slices.IndexFunc(recordings, func(x dataset.Recording) bool { return x.Digest == r.Digest })
		spec, _, err := front.Analyze(recordings[at].Clip)
		if err != nil || !slices.Equal(spec.Data, s.Train.Clip(i)) || s.Labels[s.Train.Labels[i]] != r.Label {
			t.Fatalf("clip %d is not that of %s: %v", i, r.Source, err)
		}
	}
	if _, err := training.Prepare(t.Context(), []dataset.Recording{broken, silent("x", "x")}, training.Options{Holdout: rule()}); err == nil {
		t.Error("no error without usable recordings")
	}
}

// Renamed files in another order make the same batches and the same split.
func TestPrepareDependsOnContentAlone(t *testing.T) {
	recordings := synthetic(t, 20)
	a := prepare(t, recordings, training.Options{Holdout: rule()})
	renamed := slices.Clone(recordings)
	rng := rand.New(rand.NewPCG(1, 2))
	rng.Shuffle(len(renamed), func(i, j int) { renamed[i], renamed[j] = renamed[j], renamed[i] })
	for i := range renamed {
		renamed[i].Name = fmt.Sprintf("%d.wav", rng.Uint32())
	}
	b := prepare(t, renamed, training.Options{Holdout: rule()})
	if !slices.Equal(a.Train.Data, b.Train.Data) || !slices.Equal(a.Train.Labels, b.Train.Labels) || !slices.Equal(a.Validation.Data, b.Validation.Data) || a.FrontEnd != b.FrontEnd {
		t.Error("other batches")
	}
	if !slices.Equal(digests(a.Data.HeldOut), digests(b.Data.HeldOut)) {
		t.Error("another split")
	}
}

// The front end is planned on the recordings that may be learnt from, and on no others.
func TestHeldOutRecordingsDoNotPlan(t *testing.T) {
	seen := map[string]bool{}
	s := prepare(t, synthetic(t, 20), training.Options{Holdout: rule(), FrontEnd: func(of []dataset.Recording) (models.FrontEnd, error) {
		for _, r := range of {
			seen[r.Digest] = true
		}
		return frontend.PlanFor(dataset.Clips(of)), nil
	}})
	if len(seen) != len(s.Data.Learnt)+len(s.Data.Chosen) {
		t.Errorf("planned on %d recordings, %d may be learnt from", len(seen), len(s.Data.Learnt)+len(s.Data.Chosen))
	}
	for _, r := range s.Data.HeldOut {
		if seen[r.Digest] {
			t.Errorf("%s was held out, and planned on", r.Source)
		}
	}
}

// OnPlan is given what the front end was chosen for, and ends Prepare where it fails. A resumed training has no plan.
func TestOnPlan(t *testing.T) {
	recordings := synthetic(t, 12)
	var fe models.FrontEnd
	var shown []dataset.Recording
	o := training.Options{Holdout: rule(), OnPlan: func(chosen models.FrontEnd, of []dataset.Recording) error {
		fe, shown = chosen, of
		return nil
	}}
	s := prepare(t, recordings, o)
	if fe != s.FrontEnd || len(shown) != s.Train.B+s.Validation.B {
		t.Errorf("%+v for %d recordings, the set has %+v for %d", fe, len(shown), s.FrontEnd, s.Train.B+s.Validation.B)
	}
	failed := errors.New("no plan")
	o.OnPlan = func(models.FrontEnd, []dataset.Recording) error { return failed }
	if _, err := training.Prepare(t.Context(), recordings, o); !errors.Is(err, failed) {
		t.Error(err)
	}
	o.Resume = &models.Checkpoint{FrontEnd: s.FrontEnd, Labels: s.Labels, Data: &s.Data}
	prepare(t, recordings, o)
}

// Some of every label are held out: at least one where there are two.
func TestDivideHoldsOutSomeOfEveryLabel(t *testing.T) {
	var ids []dataset.Identity
	for label, n := range map[string]int{"a": 200, "b": 2, "c": 1} {
		for i := range n {
			name := fmt.Sprintf("%s/%03d.wav", label, i)
			ids = append(ids, dataset.Identity{Source: name, Label: label, Digest: name})
		}
	}
	p, err := training.Divide(ids, dataset.DefaultHoldout(1), nil)
	if err != nil {
		t.Fatal(err)
	}
	n := map[string]int{}
	for _, i := range p.HeldOut {
		n[ids[i].Label]++
	}
	if len(p.Learnable())+len(p.HeldOut) != len(ids) || n["a"] < 8 || n["a"] > 40 || n["b"] != 1 || n["c"] != 0 {
		t.Errorf("%d to learn from, held out %v", len(p.Learnable()), n)
	}
}

// Spectrograms with identities make the set that their recordings make, and the same weights.
func TestSpectrogramsMakeTheSameWeights(t *testing.T) {
	recordings := synthetic(t, 12)
	o := training.Options{Holdout: rule()}
	a := prepare(t, recordings, o)
	front, err := frontend.New(a.FrontEnd)
	if err != nil {
		t.Fatal(err)
	}
	var examples []training.Example
	for _, r := range slices.Backward(recordings) {
		spec, _, err := front.Analyze(r.Clip)
		if err != nil {
			t.Fatal(err)
		}
		examples = append(examples, training.Example{Identity: r.Identity(), Spectrogram: spec})
	}
	b, err := training.PrepareSpectrograms(a.FrontEnd, examples, o)
	if err != nil {
		t.Fatal(err)
	}
	one, _ := run(t, vae(6), a)
	two, _ := run(t, vae(6), b)
	x, errX := one.Encode()
	y, errY := two.Encode()
	if errX != nil || errY != nil || string(x) != string(y) {
		t.Errorf("other checkpoints: %v, %v", errX, errY)
	}
	if one.Data == nil || len(one.Data.Learnt) != a.Train.B {
		t.Errorf("record %+v", one.Data)
	}
	if _, err := training.PrepareSpectrograms(a.FrontEnd, nil, o); err == nil {
		t.Error("no error without spectrograms")
	}
}

// A training in two parts makes the checkpoint of one that was not interrupted, its record included.
func TestResume(t *testing.T) {
	recordings := synthetic(t, 12)
	o := training.Options{Holdout: rule()}
	whole, _ := run(t, monitored(6), prepare(t, recordings, o))
	ctx, cancel := context.WithCancel(t.Context())
	j := monitored(6)
	j.OnEvent = func(p models.Progress) {
		if p.Event == models.EventStep && p.Step == 3 {
			cancel()
		}
	}
	part, result, err := j.Run(ctx, prepare(t, recordings, o))
	if err == nil || part.Step != 3 || result.EndedBy != "" || part.Data == nil {
		t.Fatalf("step %d, ended by %q, %v", part.Step, result.EndedBy, err)
	}
	again := training.Job{Resume: &part, Steps: 6, EvalEvery: 3} // the rest is in the checkpoint
	set := prepare(t, recordings, training.Options{Resume: &part, Holdout: dataset.Holdout{Seed: 99}})
	got, result := run(t, again, set)
	if a, b := mustDigest(t, whole), mustDigest(t, got); a != b {
		t.Errorf("%s, uninterrupted %s", b, a)
	}
	if result.EndedBy != models.EndedBySteps || len(result.Settings.Lines()) != 0 {
		t.Errorf("%+v", result)
	}
}

func mustDigest(t testing.TB, c models.Checkpoint) string {
	t.Helper()
	d, err := c.Digest()
	if err != nil {
		t.Fatal(err)
	}
	return d
}

// Recordings that a checkpoint records keep their parts when more come; those that are gone stay recorded.
func TestResumeWithOtherRecordings(t *testing.T) {
	recordings := synthetic(t, 24)
	first, _ := run(t, vae(2), prepare(t, recordings[:48], training.Options{Holdout: rule()}))
	gone := recordings[0].Digest
	copied := decoded("copy.wav", "bell", "", recordings[slices.IndexFunc(recordings, func(r dataset.Recording) bool {
		return r.Digest == first.Data.HeldOut[0].Digest
	})].Clip)
	set := prepare(t, append(slices.Clone(recordings[1:]), copied), training.Options{Resume: &first})
	part := map[string]string{}
	for name, of := range map[string][]models.Recording{"train": set.Data.Learnt, "validation": set.Data.Chosen, "held out": set.Data.HeldOut} {
		for _, r := range of {
			if before, ok := part[r.Digest]; ok && before != name {
				t.Errorf("%s is in %s and %s", r.Source, before, name)
			}
			part[r.Digest] = name
		}
	}
	for name, of := range map[string][]models.Recording{"train": first.Data.Learnt, "validation": first.Data.Chosen, "held out": first.Data.HeldOut} {
		for _, r := range of {
			if part[r.Digest] != name {
				t.Errorf("%s was in %s, and is in %q", r.Source, name, part[r.Digest])
			}
		}
	}
	if part[gone] == "" || len(part) != len(recordings) {
		t.Errorf("%d recordings recorded, want %d", len(part), len(recordings))
	}
	if set.Train.B >= len(set.Data.Learnt)+len(set.Data.Chosen) || set.Train.B <= first.BatchSize {
		t.Errorf("%d clips", set.Train.B)
	}
	if _, _, err := unmonitored(training.Job{Resume: &first, Steps: 4}).Run(t.Context(), set); err == nil {
		t.Error("other recordings were taken without NewData")
	}
	c, _ := run(t, unmonitored(training.Job{Resume: &first, Steps: 4, NewData: true}), set)
	if c.Step != 4 || len(c.Data.Learnt) != len(set.Data.Learnt) {
		t.Errorf("step %d, %d learnt", c.Step, len(c.Data.Learnt))
	}
}

// A checkpoint without a record can be trained further, and never gets a record that calls held out what it may have seen.
func TestResumeWithoutARecord(t *testing.T) {
	recordings := synthetic(t, 12)
	old, _ := run(t, vae(2), prepare(t, recordings, training.Options{Holdout: dataset.Holdout{Seed: 7}}))
	old.Data = nil
	set := prepare(t, recordings, training.Options{Resume: &old, Holdout: rule()})
	c, _ := run(t, unmonitored(training.Job{Resume: &old, Steps: 4}), set)
	if c.Step != 4 || c.Data != nil {
		t.Errorf("step %d, record %v", c.Step, c.Data)
	}
}

func TestResumeRefusesUnknownLabels(t *testing.T) {
	recordings := synthetic(t, 12)
	c, _ := run(t, vae(1), prepare(t, recordings, training.Options{Holdout: rule()}))
	for i := range recordings {
		recordings[i].Label = "cowbell"
		recordings[i].Digest += "x"
	}
	if _, err := training.Prepare(t.Context(), recordings, training.Options{Resume: &c}); err == nil || !strings.Contains(err.Error(), `does not know the label "cowbell"`) {
		t.Errorf("%v", err)
	}
}

// The settings of a new training: few recordings are varied, a width is applied, a budget searches for a size.
func TestSettings(t *testing.T) {
	set := prepare(t, synthetic(t, 8), training.Options{Holdout: rule()})
	start := func(j training.Job) training.Settings {
		r, err := j.Start(t.Context(), set)
		if err != nil {
			t.Fatal(err)
		}
		return r.Settings
	}
	s := start(training.Job{Arch: "vae", Steps: 1})
	if !s.Varied || s.Size != nil || s.BatchSize != 0 || string(s.Config) != `{"vary":1}` {
		t.Errorf("%+v", s)
	}
	s = start(training.Job{Arch: "vae", Steps: 1, Channels: 2, Config: json.RawMessage(`{"vary":0}`)})
	if s.Varied || !strings.Contains(string(s.Config), `"channels":2`) || len(s.Lines()) != 1 || s.Lines()[0] != "network   vae of 2 channels" {
		t.Errorf("%+v", s)
	}
	s = start(training.Job{Arch: "vae", Budget: time.Second, Spent: 100 * time.Millisecond})
	if s.Size == nil || s.BatchSize != s.Size.Batch || s.BatchSize < 8 {
		t.Errorf("%+v", s)
	}
	s = start(training.Job{Arch: "vae", Budget: time.Second, BatchSize: 9})
	if s.Size == nil || s.BatchSize != 9 || !strings.Contains(strings.Join(s.Lines(), "\n"), "batches of 9") {
		t.Errorf("%+v", s)
	}
}

// Behind the front end for one-shots a vae is trained, otherwise a vaegan, unless the training says which.
func TestArchitectureSuitsTheFrontEnd(t *testing.T) {
	shots := func([]dataset.Recording) (models.FrontEnd, error) {
		return models.FrontEnd{Spectrogram: spectrogram.OneShot(8000), Frames: 16}, nil
	}
	for name, c := range map[string]struct {
		frontEnd func([]dataset.Recording) (models.FrontEnd, error)
		arch     string
		want     string
	}{
		"one-shots": {shots, training.ArchAuto, "vae"}, "others": {nil, training.ArchAuto, "vaegan"}, "said": {shots, "gan", "gan"},
	} {
		set := prepare(t, synthetic(t, 8), training.Options{Holdout: rule(), FrontEnd: c.frontEnd})
		r, err := training.Job{Arch: c.arch, Steps: 1}.Start(t.Context(), set)
		if err != nil || r.Settings.Arch != c.want {
			t.Errorf("%s: %+v, %v; want a %s", name, r, err, c.want)
		}
	}
}

func TestStartRefuses(t *testing.T) {
	set := prepare(t, synthetic(t, 8), training.Options{Holdout: rule()})
	noValidation := set
	noValidation.Validation = models.Batch{}
	for name, c := range map[string]struct {
		job  training.Job
		set  training.Set
		want string
	}{
		"no clips":      {training.Job{Arch: "vae", Steps: 1}, training.Set{}, "none of the recordings"},
		"architecture":  {training.Job{Arch: "wavenet", Steps: 1}, set, `"wavenet" is unknown`},
		"config":        {training.Job{Arch: "vae", Steps: 1, Config: json.RawMessage(`{"chanels":2}`)}, set, "chanels"},
		"loss":          {training.Job{Arch: "vae", Steps: 1, BestBy: "val/nothing"}, set, "has no such loss; it has: val/kl, val/loss"},
		"no validation": {training.Job{Arch: "vae", Steps: 1, BestBy: "val/kl"}, noValidation, "too few recordings"},
	} {
		if _, err := c.job.Start(t.Context(), c.set); err == nil || !strings.Contains(err.Error(), c.want) {
			t.Errorf("%s: %v, want %q", name, err, c.want)
		}
	}
	if _, _, err := (training.Job{Arch: "vae", Config: json.RawMessage(small)}).Run(t.Context(), set); err == nil {
		t.Error("a training without steps and budget")
	}
}

// A training reports its losses, saves checkpoints with the record, and names what ended it.
func TestResult(t *testing.T) {
	set := prepare(t, synthetic(t, 12), training.Options{Holdout: rule()})
	j := monitored(4)
	j.EvalEvery, j.SaveEvery = 2, time.Nanosecond
	saved := 0
	j.Save = func(c models.Checkpoint) error {
		if saved++; c.Data == nil || len(c.Data.HeldOut) != len(set.Data.HeldOut) {
			t.Errorf("saved without its record: %+v", c.Data)
		}
		return nil
	}
	c, r := run(t, j, set)
	h := r.History
	if r.EndedBy != models.EndedBySteps || r.Seconds <= 0 || r.CPUSeconds <= 0 || saved < 2 || c.Best == nil || c.Best.Metric != training.BestByDistance {
		t.Errorf("%+v, %d saved, best %+v", r, saved, c.Best)
	}
	if !slices.Equal(h.Steps, []float64{1, 2, 3, 4}) || !slices.Equal(h.Evals, []float64{2, 4}) || len(h.Losses["loss"]) != 4 || len(h.Val["loss"]) != 2 {
		t.Errorf("%+v", h)
	}
	j = monitored(2)
	j.BestBy = training.BestByLast
	if c, _ := run(t, j, set); c.Best != nil || c.Metrics[training.BestByDistance] == 0 {
		t.Errorf("best %+v, metrics %v", c.Best, c.Metrics)
	}
}

func TestHistoryStaysShort(t *testing.T) {
	var h training.History
	for step := range int64(10000) {
		losses := models.Losses{"a": float64(step)}
		if step > 5000 {
			losses["b"] = 1
		}
		h.Add(models.Progress{Event: models.EventStep, Step: step + 1, Train: losses})
	}
	h.Add(models.Progress{Event: models.EventEval, Step: 10000, Val: models.Losses{"a": 7}})
	if n := len(h.Steps); n > 401 || n < 100 || len(h.Losses["a"]) != n || len(h.Losses["b"]) != n || !slices.Equal(h.Val["a"], []float64{7}) {
		t.Fatalf("%d steps, %d and %d losses, %v", n, len(h.Losses["a"]), len(h.Losses["b"]), h.Val)
	}
	for i, step := range h.Steps {
		if h.Losses["a"][i] != step-1 || math.IsNaN(h.Losses["b"][i]) != (step <= 5001) {
			t.Fatalf("step %g: losses %g and %g", step, h.Losses["a"][i], h.Losses["b"][i])
		}
	}
}
