package train_test

import (
	"context"
	"encoding/json"
	"fmt"
	"slices"
	"strings"
	"testing"
	"time"

	"wavemill/audio/dataset"
	"wavemill/audio/spectrogram"
	"wavemill/models"
	"wavemill/models/architectures"
	"wavemill/models/frontend"
	"wavemill/models/training"
	"wavemill/operators/train"
	"wavemill/pipeline/header"
)

// A stop in a later training leaves the served model as it is. The training goes on afterwards.
func TestAStoppedRetrainingIsNotServed(t *testing.T) {
	dir := t.TempDir()
	m := newMill(t, dir, quick)
	m.feed(dozen()...)
	m.start()
	first := m.complete(1)
	m.shutdown()

	m = newMill(t, dir, quick)
	m.feed(clip("new", "x", 60), clip("new", "y", 61), clip("new", "z", 62))
	reached := make(chan struct{})
	m.onStep = func(step int64) {
		if step == 25 {
			close(reached)
		}
		if step >= 25 { // Slow from here: the end is seconds away when the stop comes.
			time.Sleep(300 * time.Millisecond)
		}
	}
	m.start()
	<-reached
	m.shutdown()

	m = newMill(t, dir, quick)
	if entry, err := m.bus.Models().Get(t.Context(), "average"); err != nil || entry.Digest != first.Digest || entry.Version != 1 {
		t.Errorf("served after the stop: %+v, %v; want version 1, %s", entry, err, first.Digest)
	}
	if entry, err := m.bus.Models().Get(t.Context(), train.Unfinished("average")); err != nil || entry.Digest == first.Digest {
		t.Errorf("unfinished: %+v, %v", entry, err)
	}
	m.start()
	if e := m.complete(1); e.Step != 40 || e.FromStep != 20 || len(e.Labels) != 4 || e.Version != 2 || e.Gate == nil || !e.Gate.Accepted {
		t.Errorf("gone on to %+v", e)
	}
}

// shutdown stops the trainer, as SIGTERM does, and closes the bus.
func (m *mill) shutdown() {
	m.t.Helper()
	m.stop()
	m.close()
}

// measured are figures with intervals of 0.1 on either side. Memorisation is 0.95 of the recordings.
func measured(accuracy, distance, memorisation float64) train.Figures {
	figure := func(v float64) *train.Figure { return &train.Figure{Value: v, Low: v - 0.1, High: v + 0.1} }
	return train.Figures{Accuracy: figure(accuracy), Distance: figure(distance), Memorisation: figure(memorisation), RealMemorisation: 0.95}
}

// figures are what a test says that models have, by step.
type figures map[int64]train.Figures

func (f figures) hook(m *mill) {
	m.hooks.NewMeasure = func(r train.Reference) (train.Measure, error) {
		if r.HeldOut.B == 0 || len(r.Labels) < 2 || slices.Contains(r.Labels, "single") {
			m.t.Errorf("compared on %d clips of %v", r.HeldOut.B, r.Labels)
		}
		return func(_ context.Context, c models.Checkpoint) (train.Figures, error) {
			figures, ok := f[c.Step]
			if !ok {
				m.t.Errorf("step %d is measured", c.Step)
			}
			return figures, nil
		}, nil
	}
}

// A model that is worse by more than the interval is not served; it is kept beside, and told. The next one may be.
func TestTheGateRefusesAWorseModel(t *testing.T) {
	for name, worse := range map[string]train.Figures{
		"label": measured(0.5, 0.2, 1), "distance": measured(0.9, 0.9, 1), "memorisation": measured(0.9, 0.2, 0.1),
	} {
		t.Run(name, func(t *testing.T) {
			dir := t.TempDir()
			config := "{model: average, steps: 20, batch_size: 4, seed: 5, min_clips: 25, idle: 50ms, again: 3, holdout: 0.4}"
			m := newMill(t, dir, config)
			models := figures{20: measured(0.9, 0.3, 1), 40: worse}
			models.hook(m)
			next := m.notices()
			m.feed(dozen()...)
			for i := range 12 {
				m.feed(clip([]string{"a", "b", "two words"}[i%3], fmt.Sprint("more", i), uint64(200+i)))
			}
			m.feed(clip("single", "one", 999)) // It has nothing held out, and is not compared.
			m.start()
			first := m.complete(1)
			m.feed(clip("a", "x", 50), clip("b", "y", 51), clip("b", "z", 52))
			if n := next(train.NoticeRefused); n.Gate == nil || n.Gate.Accepted || !strings.Contains(n.Reason, name) || n.Step != 40 {
				t.Errorf("told %+v", n)
			}
			refused := m.complete(2)
			if refused.Gate.Accepted || refused.Gate.HeldOut == 0 {
				t.Errorf("%+v", refused.Gate)
			}
			if entry, err := m.bus.Models().Get(t.Context(), "average"); err != nil || entry.Digest != first.Digest || entry.Version != 1 {
				t.Errorf("served: %+v, %v", entry, err)
			}
			if entry, err := m.bus.Models().Get(t.Context(), train.Refused("average")); err != nil || entry.Digest != refused.Digest {
				t.Errorf("kept: %+v, %v", entry, err)
			}
			m.shutdown()

			m = newMill(t, dir, config) // The same clips are not tried again.
			models[40] = measured(0.85, 0.35, 0.9)
			models.hook(m)
			m.onStep = func(step int64) {
				if len(m.all()) == 0 && step == 21 {
					if d := m.details(); d.Clips != 31 {
						t.Errorf("a training of %d clips that were refused", d.Clips)
					}
				}
			}
			m.start()
			m.until("it has looked at the clips", func() bool { return m.details().Clips == 28 && m.details().New == 3 })
			m.feed(clip("a", "x1", 53), clip("b", "y1", 54), clip("b", "z1", 55))
			if e := m.complete(1); !e.Gate.Accepted || e.Version != 2 || e.Step != 40 {
				t.Errorf("%+v %+v", e, e.Gate)
			}
		})
	}
}

func (m *mill) details() train.Details {
	d, _ := m.p.Snapshot()[0].Details.(train.Details)
	return d
}

// A model without a label of the served one is not served, whatever has become of the label's clips.
func TestTheGateKeepsLabels(t *testing.T) {
	m := newMill(t, t.TempDir(), quick)
	m.feed(dozen()...)
	m.start()
	first := m.complete(1)
	m.stop()
	stream, err := m.bus.JetStream().Stream(t.Context(), "T_SPECTROGRAM")
	if err != nil {
		t.Fatal(err)
	}
	if err := stream.Purge(t.Context()); err != nil {
		t.Fatal(err)
	}
	for i := range 12 {
		m.feed(clip("a", fmt.Sprint("other", i), uint64(300+i)))
	}
	m.start()
	if e := m.complete(2); e.Gate.Accepted || !strings.Contains(e.Gate.Reason, "b, two words") {
		t.Errorf("%+v", e.Gate)
	}
	if entry, err := m.bus.Models().Get(t.Context(), "average"); err != nil || entry.Digest != first.Digest {
		t.Errorf("served: %+v, %v", entry, err)
	}
}

// A label of which only clips are left that were held out, or that chose the weights, before: they keep their parts, so that
// it is set aside, and the training of the others goes on.
func TestALabelWhoseTrainingClipsAreGone(t *testing.T) {
	for _, part := range []string{"held out", "validation"} {
		t.Run(part, func(t *testing.T) {
			dir := t.TempDir()
			m := newMill(t, dir, quick)
			m.feed(dozen()...)
			m.start()
			m.complete(1)
			data := m.stored("average").Data
			left := map[string][]models.Recording{"held out": data.HeldOut, "validation": data.Chosen}[part]
			m.stop()
			stream, err := m.bus.JetStream().Stream(t.Context(), "T_SPECTROGRAM")
			if err != nil {
				t.Fatal(err)
			}
			if err := stream.Purge(t.Context()); err != nil {
				t.Fatal(err)
			}
			m.shutdown()

			m = newMill(t, dir, quick)
			fed := 0
			for i, c := range append(dozen(), clip("b", "x", 50), clip("b", "y", 51), clip("b", "z", 52)) {
				kept := slices.ContainsFunc(left, func(r models.Recording) bool { return r.Source == c.Header[header.Source] })
				if c.ID = fmt.Sprint("again ", i); c.Label != "a" || kept {
					m.feed(c)
					fed++
				}
			}
			if fed < 12 || fed > 13 {
				t.Fatalf("%d clips are left, of label a: %+v", fed, left)
			}
			m.start()
			e := m.complete(1)
			if !slices.Equal(e.Aside, []string{"a"}) || slices.Contains(e.Labels, "a") || e.Gate.Accepted || m.p.Snapshot()[0].Restarts != 0 {
				t.Errorf("%+v, %+v", e, e.Gate)
			}
		})
	}
}

// New clips begin a training without any setting; fewer than that, or `again: 0`, are told.
func TestNewClipsAreLearntByDefault(t *testing.T) {
	m := newMill(t, t.TempDir(), "{model: average, steps: 20, batch_size: 4, min_clips: 12, idle: 50ms}")
	next := m.notices()
	m.feed(dozen()...)
	m.start()
	m.complete(1)
	for i := range 15 {
		m.feed(clip("a", fmt.Sprint("more", i), uint64(400+i)))
	}
	n := next(train.NoticeWaiting)
	for n.New < 15 {
		n = next(train.NoticeWaiting)
	}
	if !strings.Contains(n.Reason, "15 new clips; it learns again from 16") || m.details().Waiting != n.Reason || m.details().New != 15 {
		t.Errorf("told %+v, status %+v", n, m.details())
	}
	m.feed(clip("a", "the last", 500))
	if e := m.complete(2); e.Clips != 28 || e.FromStep != 20 {
		t.Errorf("%+v", e)
	}

	m = newMill(t, t.TempDir(), "{model: average, steps: 20, batch_size: 4, min_clips: 12, idle: 50ms, again: 0}")
	next = m.notices()
	m.feed(dozen()...)
	m.start()
	m.complete(1)
	m.feed(clip("a", "more", 400))
	if n := next(train.NoticeWaiting); n.New != 1 || !strings.Contains(n.Reason, "will not be: again is 0") {
		t.Errorf("told %+v", n)
	}
}

// The measurement without a classifier tells a model that has learnt from one that has not, and repeats its figures.
func TestMeasuresModels(t *testing.T) {
	if testing.Short() {
		t.Skip("it computes, and starts nothing that others do not start")
	}
	recordings := realRecordings(t, 48)
	fe := frontend.PlanFor(dataset.Clips(recordings))
	set, err := training.Prepare(t.Context(), recordings, training.Options{
		Holdout: dataset.Holdout{Seed: 5}, FrontEnd: func([]dataset.Recording) (models.FrontEnd, error) { return fe, nil },
	})
	if err != nil {
		t.Fatal(err)
	}
	job := training.Job{Arch: "vae", Config: json.RawMessage(`{"channels":4,"latent":4,"embedding":4}`), Seed: 5, Steps: 80, BatchSize: 16, EvalEvery: 1000, BestBy: training.BestByLast}
	trained, _, err := job.Run(t.Context(), set)
	if err != nil {
		t.Fatal(err)
	}
	front, err := frontend.New(fe)
	if err != nil {
		t.Fatal(err)
	}
	ref := train.Reference{FrontEnd: fe, Labels: trained.Labels}
	var batch models.Batch
	for i, r := range recordings[:30] {
		s, _, err := front.Analyze(r.Clip)
		if err != nil {
			t.Fatal(err)
		}
		at, _ := slices.BinarySearch(ref.Labels, r.Label)
		x, err := front.Batch([]*spectrogram.Spectrogram{s}, []int{at})
		if err != nil {
			t.Fatal(err)
		}
		if i == 0 {
			batch = models.Batch{T: x.T, F: x.F}
		}
		batch.B, batch.Data, batch.Labels = batch.B+1, append(batch.Data, x.Data...), append(batch.Labels, at)
	}
	ref.HeldOut = batch
	measure, err := train.NewMeasure(ref)
	if err != nil {
		t.Fatal(err)
	}
	figuresOf := func(c models.Checkpoint) train.Figures {
		f, err := measure(t.Context(), c)
		if err != nil {
			t.Fatal(err)
		}
		if f.Accuracy.Low > f.Accuracy.Value || f.Accuracy.High < f.Accuracy.Value || f.Distance.High < f.Distance.Value {
			t.Errorf("%+v %+v", f.Accuracy, f.Distance)
		}
		return f
	}
	good := figuresOf(trained)
	l, err := architectures.NewLearner("vae", json.RawMessage(`{"channels":4,"latent":4,"embedding":4}`), fe, trained.Labels, 5)
	if err != nil {
		t.Fatal(err)
	}
	untrained, err := l.Checkpoint()
	if err != nil {
		t.Fatal(err)
	}
	raw := figuresOf(untrained)
	if good.Accuracy.Low <= raw.Accuracy.Value || good.Distance.High >= raw.Distance.Value {
		t.Errorf("trained %+v, untrained %+v", good, raw)
	}
	if again := figuresOf(trained); *again.Accuracy != *good.Accuracy || *again.Distance != *good.Distance {
		t.Errorf("measured again: %+v, first %+v", again, good)
	}
}
