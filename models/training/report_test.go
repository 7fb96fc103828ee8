package training_test

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"wavemill/models"
	"wavemill/models/training"
)

func TestReport(t *testing.T) {
	c := models.Checkpoint{
		Format: models.Format, Arch: "vae", Step: 40, WeightsStep: 30, Seed: 3, Labels: []string{"a"}, Metrics: map[string]float64{"val/mse": 0.25, "preview/distance": 0.5},
		Best:      &models.Best{Metric: "preview/distance", Step: 30, Value: 0.5, Stale: 2},
		Warnings:  []models.Warning{{Kind: "tone", Finding: "a tone", Advice: "more data"}},
		Rollbacks: []models.Rollback{{Step: 9}, {Step: 12}},
	}
	r, err := training.NewReport("m", c, training.Result{EndedBy: models.EndedByPlateau, CurvesJSONL: "x/m.jsonl", CurvesCSV: "x/m.csv"}, 3*time.Second)
	if err != nil {
		t.Fatal(err)
	}
	want := []string{
		"preview/distance: 0.5", "val/mse: 0.25", "warning: tone: a tone; try: more data", "learning diverged 2 times and went back",
		"stopped early: 2 evaluations without a better preview/distance", "curves: x/m.jsonl, m.csv",
	}
	if !slices.Equal(r.Lines(), want) {
		t.Errorf("%q", r.Lines())
	}
	if got := r.StepsText(); got != "40 steps, rolled back to the best weights of step 30 (preview/distance 0.5)" {
		t.Error(got)
	}
	c.Best, c.WeightsStep, c.Warnings, c.Rollbacks, c.Metrics = nil, 0, nil, c.Rollbacks[:1], nil
	if r, err = training.NewReport("m", c, training.Result{EndedBy: models.EndedBySteps}, 3*time.Second); err != nil {
		t.Fatal(err)
	}
	if !slices.Equal(r.Lines(), []string{"learning diverged once and went back"}) || r.StepsText() != "40 steps" {
		t.Errorf("%q, %s", r.Lines(), r.StepsText())
	}
	r.Rollbacks, r.Digest = []models.Rollback{}, "d"
	text, err := json.Marshal(r)
	if err != nil {
		t.Fatal(err)
	}
	const plain = `{"out":"m","model":"vae","digest":"d","steps":40,"seconds":3,"seed":3,"labels":["a"],"metrics":null,"ended_by":"steps","best_step":40,"best_by":"last","best":null,"warnings":[],"rollbacks":[]}`
	if string(text) != plain {
		t.Errorf("%s", text)
	}
}

// A job writes curves, an event file and previews, a resumed one appends to the curves, and the zero Files write nothing.
func TestJobWritesFiles(t *testing.T) {
	set := prepare(t, synthetic(t, 8), training.Options{Holdout: rule()})
	dir := t.TempDir()
	j := monitored(2)
	j.EvalEvery = 1
	j.Files = training.Files{Curves: filepath.Join(dir, "m.curves"), Tensorboard: filepath.Join(dir, "runs", "m"), Previews: filepath.Join(dir, "previews")}
	c, r := run(t, j, set)
	if r.CurvesErr != nil || r.CurvesJSONL != filepath.Join(dir, "m.curves.jsonl") || r.CurvesCSV != filepath.Join(dir, "m.curves.csv") {
		t.Errorf("%+v", r)
	}
	rows := func() int {
		b, err := os.ReadFile(filepath.Join(dir, "m.curves.jsonl"))
		if err != nil {
			t.Fatal(err)
		}
		return bytes.Count(b, []byte("\n"))
	}
	if n := rows(); n != 2 {
		t.Errorf("%d rows", n)
	}
	for _, pattern := range []string{"previews/step-00000002.png", "runs/m/events.out.tfevents.*"} {
		if files, _ := filepath.Glob(filepath.Join(dir, pattern)); len(files) != 1 {
			t.Errorf("%s: %v", pattern, files)
		}
	}
	j.Steps, j.Resume = 3, &c
	if run(t, j, set); rows() != 3 {
		t.Errorf("%d rows after another step", rows())
	}
	j = vae(1)
	if _, r := run(t, j, set); r.CurvesJSONL != "" || r.CurvesErr != nil {
		t.Errorf("%+v", r)
	}
	j.Files.Curves = filepath.Join(dir, "m.curves.jsonl", "below")
	if _, _, err := j.Run(t.Context(), set); err == nil {
		t.Error("curves below a file")
	}
	j.Files = training.Files{Previews: filepath.Join(dir, "m.curves.jsonl")}
	if _, _, err := j.Run(t.Context(), set); !errors.Is(err, training.ErrFolder) {
		t.Errorf("previews into a file: %v", err)
	}
}

// watched is a Progress that keeps what it is shown.
type watched struct {
	notes  []string
	events int
	done   int
	cancel context.CancelFunc // called at the first event, unless nil
}

func (w *watched) Note(format string, args ...any) {
	w.notes = append(w.notes, fmt.Sprintf(format, args...))
}

func (w *watched) Training(time.Duration, int64) (event func(models.Progress), done func()) {
	return func(models.Progress) {
		if w.events++; w.cancel != nil {
			w.cancel()
		}
	}, func() { w.done++ }
}

// Candidates that share a Set are trained as each alone is.
func TestTrainCandidate(t *testing.T) {
	recordings := synthetic(t, 8)
	set := prepare(t, recordings, training.Options{Holdout: rule()})
	j := monitored(2)
	j.Config, j.Channels = json.RawMessage(`{"latent":4,"embedding":4}`), 2
	alone, _ := run(t, j, prepare(t, recordings, training.Options{Holdout: rule()}))
	for i := range 2 {
		w, file := &watched{}, filepath.Join(t.TempDir(), "m")
		c, r, err := training.TrainCandidate(t.Context(), j, set, file, w)
		if err != nil {
			t.Fatal(err)
		}
		saved, err := models.Read(file)
		if err != nil || mustDigest(t, saved) != mustDigest(t, c) || mustDigest(t, c) != mustDigest(t, alone) {
			t.Errorf("training %d: other weights than alone, or in the file: %v", i, err)
		}
		if !slices.ContainsFunc(w.notes, func(s string) bool { return strings.Contains(s, "network   vae of 2 channels") }) || w.events == 0 || w.done != 1 || len(r.History.Steps) == 0 {
			t.Errorf("%+v", w)
		}
	}
	ctx, cancel := context.WithCancel(t.Context())
	w, file := &watched{cancel: cancel}, filepath.Join(t.TempDir(), "m")
	_, _, err := training.TrainCandidate(ctx, vae(1000), set, file, w)
	if !errors.Is(err, context.Canceled) || !strings.Contains(err.Error(), file) || w.done != 1 {
		t.Errorf("%v, %+v", err, w)
	}
	if _, err := models.Read(file); err != nil {
		t.Error(err)
	}
	if _, _, err := training.TrainCandidate(t.Context(), training.Job{Arch: "wavenet", Steps: 1}, set, file, w); err == nil {
		t.Error("an unknown architecture")
	}
}
