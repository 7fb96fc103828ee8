package main

import (
	"time"

	"wavemill/internal/progress"
	"wavemill/models"
	"wavemill/models/training"
)

// trainingProgress shows the progress of a training.
type trainingProgress struct {
	task    *progress.Task
	timed   bool
	say     func(format string, args ...any) // writes a line of its own, for warnings and roll-backs; nil: none
	notices training.Notices
}

// begin shows a training of so many steps or, without steps, of a budget of time.
func (w *trainingProgress) begin(c *progress.Console, budget time.Duration, steps int64) {
	if w.timed = steps == 0; w.timed {
		w.task = c.StartTimed("train", budget)
		return
	}
	w.task = c.Start("train", steps, "steps")
}

func (w *trainingProgress) event(p models.Progress) {
	if w.timed {
		w.task.Note("step %d, %s", p.Step, training.Status(p))
		w.task.Elapse(p.Elapsed)
	} else {
		w.task.Note("%s", training.Status(p))
		w.task.Set(p.Step)
	}
	for _, line := range w.notices.Lines(p) {
		if w.say != nil {
			w.say("%s", line)
		}
	}
}

// done ends a training that has reached its end.
func (w *trainingProgress) done() { w.task.Done() }

// interrupted ends a training that was stopped: without a summary, which would look like an end.
func (w *trainingProgress) interrupted() { w.task.Cancel() }

// stages shows an evaluation and its trainings on the console, one stage after the other.
type stages struct {
	*progress.Stages
	console *progress.Console
}

func (a *app) stages() *stages { return &stages{progress.NewStages(a.console), a.console} }

// Training implements training.Progress.
func (s *stages) Training(budget time.Duration, steps int64) (event func(models.Progress), done func()) {
	s.Done()
	p := &trainingProgress{}
	p.begin(s.console, budget, steps)
	return p.event, p.done
}
