package training

import (
	"time"

	"wavemill/internal/progress"
	"wavemill/models"
)

// A Display shows the progress of one training on a console: a bar of the steps or of the budget of time, with [Status]
// beside it. It is used by one goroutine at a time.
type Display struct {
	// Say, when not nil, writes a line of its own for each warning and roll-back, see [Notices].
	Say func(format string, args ...any)

	task    *progress.Task
	timed   bool
	notices Notices
}

// Begin shows a training of so many steps or, without steps, of a budget of time.
func (d *Display) Begin(c *progress.Console, budget time.Duration, steps int64) {
	if d.timed = steps == 0; d.timed {
		d.task = c.StartTimed("train", budget)
		return
	}
	d.task = c.Start("train", steps, "steps")
}

// Event shows an event of the training; all of them must be given, in order.
func (d *Display) Event(p models.Progress) {
	if d.timed {
		d.task.Note("step %d, %s", p.Step, Status(p))
		d.task.Elapse(p.Elapsed)
	} else {
		d.task.Note("%s", Status(p))
		d.task.Set(p.Step)
	}
	for _, line := range d.notices.Lines(p) {
		if d.Say != nil {
			d.Say("%s", line)
		}
	}
}

// Done ends a training that has reached its end.
func (d *Display) Done() { d.task.Done() }

// Interrupted ends a training that was stopped: without a summary, which would look like an end.
func (d *Display) Interrupted() { d.task.Cancel() }

// Stages shows the stages of an evaluation and its trainings on a console, one after the other. It implements [Progress].
type Stages struct {
	*progress.Stages
	console *progress.Console
}

// NewStages returns stages on a console.
func NewStages(c *progress.Console) *Stages { return &Stages{progress.NewStages(c), c} }

// Training implements [Progress].
func (s *Stages) Training(budget time.Duration, steps int64) (event func(models.Progress), done func()) {
	s.Done()
	d := &Display{}
	d.Begin(s.console, budget, steps)
	return d.Event, d.Done
}
