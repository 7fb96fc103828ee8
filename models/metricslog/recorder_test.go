package metricslog

import (
	"path/filepath"
	"slices"
	"testing"
	"time"

	"wavemill/models"
)

func TestRecorderHasEachStepOnce(t *testing.T) {
	path, dir := filepath.Join(t.TempDir(), "m.curves"), filepath.Join(t.TempDir(), "board")
	event := func(r *Recorder, e models.Event, step int64) {
		p := models.Progress{Event: e, Step: step, Elapsed: time.Duration(step) * time.Second, Train: models.Losses{"loss": float64(-step)}}
		switch e {
		case models.EventEval:
			p.Val = models.Losses{"loss": 1}
		case models.EventRollback:
			p.Rollbacks = []models.Rollback{{Step: 69, To: 40, Reason: "NaN", Factor: 0.5}}
		default:
		}
		r.Take(p)
	}
	steps := func() (of []int64, notes int) {
		l := &Log{path: path}
		if err := l.read(func(r Row, _ int64) bool {
			of, notes = append(of, r.Step), notes+len(r.Notes)
			return true
		}); err != nil {
			t.Fatal(err)
		}
		return of, notes
	}
	r, err := Record(path, dir, -1)
	if err != nil {
		t.Fatal(err)
	}
	for step := int64(1); step < 69; step++ {
		event(r, models.EventStep, step)
		if step%20 == 0 {
			event(r, models.EventEval, step)
		}
	}
	event(r, models.EventRollback, 40) // the row of step 60 is of a past that did not happen
	event(r, models.EventStep, 50)
	event(r, models.EventStep, 60)
	event(r, models.EventEval, 60)
	event(r, models.EventEval, 60)
	event(r, models.EventSave, 60)
	event(r, models.EventStep, 70)
	if err := r.Close(); err != nil {
		t.Fatal(err)
	}
	if got, notes := steps(); !slices.Equal(got, []int64{10, 20, 30, 40, 40, 50, 60, 70}) || notes != 1 {
		t.Errorf("steps %v, %d notes", got, notes)
	}
	// Killed, and resumed from step 60; its evaluation is made again.
	if r, err = Record(path, dir, 60); err != nil {
		t.Fatal(err)
	}
	event(r, models.EventEval, 60)
	event(r, models.EventStep, 70)
	event(r, models.EventDone, 70)
	if err := r.Close(); err != nil {
		t.Fatal(err)
	}
	if got, _ := steps(); !slices.Equal(got, []int64{10, 20, 30, 40, 40, 50, 60, 70}) {
		t.Errorf("resumed: steps %v", got)
	}
	if r.log.Last().Seconds != 60+70 {
		t.Errorf("%g seconds in all", r.log.Last().Seconds)
	}
	var onBoard []int64
	scalars, others := readBoard(t, dir)
	for _, s := range scalars {
		if s.tag == "train/loss" {
			onBoard = append(onBoard, s.step)
		}
	}
	if !slices.Equal(onBoard, []int64{10, 20, 30, 40, 50, 60, 70}) || !slices.Equal(others, []string{"notes"}) {
		t.Errorf("on the board: steps %v, others %v", onBoard, others)
	}
}
