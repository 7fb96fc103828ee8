package progress

import (
	"fmt"
	"strings"
)

// Stages shows work of several stages on a console: one stage after the other, each as a task that is measured in percent.
// It is used by one goroutine at a time.
type Stages struct {
	console *Console
	name    string
	task    *Task
}

// NewStages returns stages on a console. Nothing is shown before the first stage.
func NewStages(c *Console) *Stages { return &Stages{console: c} }

// Stage shows the share of a stage that is done, 0 to 1. Another name than that of the last call ends the stage before it.
func (s *Stages) Stage(name string, part float64) {
	if name != s.name {
		s.Done()
		s.name, s.task = name, s.console.Start(name, 100, "%")
	}
	s.task.Set(int64(100 * part))
	if part >= 1 {
		s.Done()
	}
}

// Note writes one line above the stage. An error of the console is dropped: there is no other place to report it.
func (s *Stages) Note(format string, args ...any) {
	_, _ = s.console.Write([]byte(strings.TrimRight(fmt.Sprintf(format, args...), "\n") + "\n"))
}

// Done ends the stage that is shown as complete.
func (s *Stages) Done() {
	s.task.Set(100)
	s.task.Done()
	s.task, s.name = nil, ""
}

// Stop ends the stage that is shown where it is.
func (s *Stages) Stop() { s.task.Done() }
