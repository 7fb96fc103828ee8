package main

import (
	"fmt"
	"maps"
	"slices"
	"strings"
	"time"

	"wavemill/cmd/wavemill/progress"
	"wavemill/models"
	"wavemill/models/monitor"
)

// trainingWatch shows a training's progress.
type trainingWatch struct {
	task  *progress.Task
	timed bool
	say   func(format string, args ...any) // for what deserves a line of its own; nil: nothing is said
	ended string                           // why, one of models.EndedBy…

	warned map[string]bool // kinds that were warned of at the last look
	backs  int
}

func (a *app) watchTraining(budget time.Duration, steps int64) *trainingWatch {
	if steps > 0 {
		return &trainingWatch{task: a.console.Start("train", steps, "steps")}
	}
	return &trainingWatch{task: a.console.StartTimed("train", budget), timed: true}
}

func (w *trainingWatch) event(p models.Progress) {
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
		w.backs = len(p.Rollbacks)
	case models.EventEval:
		if p.EvaluatedAt == p.Step {
			w.warn(p)
		}
	case models.EventRollback:
		for _, b := range p.Rollbacks[w.backs:] {
			w.say("step %d diverged; going back to step %d with %g of the learning rate (%s)", b.Step, b.To, b.Factor, b.Reason)
		}
		w.backs = len(p.Rollbacks)
	case models.EventDone:
		w.ended = p.Reason
	default:
	}
}

// warn says what is new among the warnings, and what has passed.
func (w *trainingWatch) warn(p models.Progress) {
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

func (w *trainingWatch) done() { w.task.Done() }

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
			text += fmt.Sprintf(" (held out %.4g)", v)
		}
		parts = append(parts, text)
	}
	return strings.Join(parts, ", ")
}
