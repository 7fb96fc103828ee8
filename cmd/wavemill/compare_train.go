package main

import (
	"context"
	"fmt"
	"maps"
	"slices"
	"time"

	"wavemill/audio/dataset"
	"wavemill/cmd/wavemill/report"
	"wavemill/models"
	"wavemill/models/training"
)

// A candidateTrainer trains architectures alike: the same recordings, front end, seed and time.
type candidateTrainer struct {
	app    *app
	seed   uint64
	budget time.Duration
	steps  int64 // instead of the budget
	// options split the recordings.
	options training.Options

	shown bool // whether the plan has been
}

// A trainingRun holds the times and the losses of a training.
type trainingRun struct {
	seconds, cpuSeconds float64
	history             training.History
}

// train trains an architecture and writes its checkpoint to a file.
func (s *candidateTrainer) train(ctx context.Context, arch string, recordings []dataset.Recording, file string) (models.Checkpoint, trainingRun, error) {
	none := models.Checkpoint{}
	var learnable []dataset.Recording
	o := s.options
	o.Note = func(line string) { s.app.note("%s", line) }
	o.FrontEnd = func(of []dataset.Recording) (models.FrontEnd, error) {
		learnable = of
		return (&frontOptions{}).frontEnd(of)
	}
	set, err := training.Prepare(ctx, recordings, o)
	if err != nil {
		return none, trainingRun{}, err
	}
	if !s.shown {
		s.shown = true
		if err := s.app.notePlan(ctx, frontOptions{ceiling: ceilingFast}, set.FrontEnd, learnable, 0); err != nil {
			return none, trainingRun{}, err
		}
	}
	p := &trainingProgress{}
	job := training.Job{
		Arch: arch, Seed: s.seed, Steps: s.steps, OnEvent: p.event,
		Save: func(c models.Checkpoint) error { return c.Write(file) },
	}
	if s.steps == 0 {
		job.Budget = s.budget
	}
	run, err := job.Start(ctx, set)
	if err != nil {
		return none, trainingRun{}, err
	}
	for _, line := range run.Settings.Lines() {
		s.app.note("%s", line)
	}
	p.begin(s.app.console, s.budget, s.steps)
	c, result, err := run.Train(ctx)
	p.done()
	log := trainingRun{result.Seconds, result.CPUSeconds, result.History}
	if ctx.Err() != nil && err != nil {
		return c, log, fmt.Errorf("interrupted at step %d; its weights so far are in %s, which --model takes", c.Step, file)
	}
	return c, log, err
}

// curves returns the losses as the page draws them.
func (r *trainingRun) curves(model string) []report.Curve {
	h := r.history
	var out []report.Curve
	for _, name := range slices.Sorted(maps.Keys(h.Losses)) {
		c := report.Curve{Name: model + ": " + name, Lines: []report.Line{{Name: "training", Steps: h.Steps, Values: h.Losses[name]}}}
		if v := h.Val[name]; len(v) > 0 {
			c.Lines = append(c.Lines, report.Line{Name: "validation", Steps: h.Evals, Values: v})
		}
		out = append(out, c)
	}
	return out
}
