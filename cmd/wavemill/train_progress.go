package main

import (
	"fmt"
	"maps"
	"slices"
	"strings"
	"time"

	"wavemill/internal/progress"
	"wavemill/models"
	"wavemill/models/monitor"
)

// trainingProgress shows the progress of a training.
type trainingProgress struct {
	task  *progress.Task
	timed bool
	say   func(format string, args ...any) // writes a line of its own, for warnings and roll-backs; nil: none

	warned    map[string]bool // kinds of warnings of the last evaluation
	rollbacks int
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
	text := lossText(p)
	if d, ok := p.Metrics[monitor.Distance]; ok {
		text += fmt.Sprintf(", distance %.3g", d)
	}
	if w.timed {
		w.task.Note("step %d, %s", p.Step, text)
		w.task.Elapse(p.Elapsed)
	} else {
		w.task.Note("%s", text)
		w.task.Set(p.Step)
	}
	if w.say == nil {
		return
	}
	switch p.Event {
	case models.EventStart:
		w.rollbacks = len(p.Rollbacks)
	case models.EventEval:
		if p.EvaluatedAt == p.Step {
			w.warn(p)
		}
	case models.EventRollback:
		for _, b := range p.Rollbacks[w.rollbacks:] {
			w.say("step %d diverged; going back to step %d with %g of the learning rate (%s)", b.Step, b.To, b.Factor, b.Reason)
		}
		w.rollbacks = len(p.Rollbacks)
	default:
	}
}

// warn writes the warnings that are new, and those that have passed.
func (w *trainingProgress) warn(p models.Progress) {
	now := map[string]bool{}
	for _, x := range p.Warnings {
		now[x.Kind] = true
		if w.warned[x.Kind] {
			continue
		}
		early := ""
		if p.Steps > 0 && p.Step < p.Steps/3 {
			early = " (it is early; this may pass)"
		}
		w.say("step %d: %v%s", p.Step, x, early)
	}
	for _, kind := range slices.Sorted(maps.Keys(w.warned)) {
		if !now[kind] {
			w.say("step %d: no more %s", p.Step, kind)
		}
	}
	w.warned = now
}

// done ends a training that has reached its end.
func (w *trainingProgress) done() { w.task.Done() }

// interrupted ends a training that was stopped: without a summary, which would look like an end.
func (w *trainingProgress) interrupted() { w.task.Cancel() }

// lossText is the loss that is learned on, or the first two where there is none of that name, with the value of the last
// evaluation: what has room beside a bar.
func lossText(p models.Progress) string {
	names := slices.Sorted(maps.Keys(p.Train))
	if slices.Contains(names, "loss") {
		names = []string{"loss"}
	}
	var parts []string
	for _, name := range names[:min(2, len(names))] {
		text := fmt.Sprintf("%s %.4g", name, p.Train[name])
		if v, ok := p.Val[name]; ok {
			text += fmt.Sprintf(" (validation %.4g)", v)
		}
		parts = append(parts, text)
	}
	return strings.Join(parts, ", ")
}
