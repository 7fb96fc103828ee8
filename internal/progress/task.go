package progress

import (
	"fmt"
	"slices"
	"strings"
	"time"

	"wavemill/internal/text"
)

// Task is one piece of work of known or unknown length. Its methods are safe for concurrent use, and harmless on a
// nil Task, so that a library may be handed none.
type Task struct {
	c       *Console
	title   string
	unit    string
	total   int64 // 0: unknown
	done    int64
	note    string
	started time.Time
	printed time.Time // when the last line was written, or the bar drawn
	ended   bool
}

// Start begins a task of total units (0 if the number is not known). The unit is a plural noun: "files", "steps". A
// task that is still open on this console is finished first.
func (c *Console) Start(title string, total int64, unit string) *Task {
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.task != nil {
		c.task.finish(nil)
	}
	now := c.now()
	t := &Task{c: c, title: title, unit: unit, total: total, started: now, printed: now}
	c.task = t
	if c.mode == Bars {
		_ = c.draw(t)
	}
	return t
}

// Units without a rate of their own.
const (
	unitSeconds = "seconds" // tasks that are measured by the clock
	unitPercent = "%"
)

// plain reports whether a rate of the unit per second would be without use.
func (t *Task) plain() bool { return t.unit == unitSeconds || t.unit == unitPercent }

// StartTimed begins a task that ends when its time is up: training with a budget. Report it with Elapse.
func (c *Console) StartTimed(title string, budget time.Duration) *Task {
	return c.Start(title, max(1, int64(budget/time.Second)), unitSeconds)
}

// Elapse says how much of a timed task's time has gone.
func (t *Task) Elapse(d time.Duration) { t.Set(int64(d / time.Second)) }

// Add counts n more units as done.
func (t *Task) Add(n int64) {
	if t == nil {
		return
	}
	t.c.mu.Lock()
	defer t.c.mu.Unlock()
	t.set(t.done + n)
}

// Set says that n units are done.
func (t *Task) Set(n int64) {
	if t == nil {
		return
	}
	t.c.mu.Lock()
	defer t.c.mu.Unlock()
	t.set(n)
}

// Of is Set together with Total; a negative total is not known.
func (t *Task) Of(done, total int64) {
	t.Total(max(0, total))
	t.Set(done)
}

// Total says how many units there are, when that becomes known or changes.
func (t *Task) Total(n int64) {
	if t == nil {
		return
	}
	t.c.mu.Lock()
	defer t.c.mu.Unlock()
	if n == t.total || t.ended {
		return
	}
	t.total = n
}

// Note sets a short text to show behind the figures, such as the loss or the current file.
func (t *Task) Note(format string, args ...any) {
	if t == nil {
		return
	}
	t.c.mu.Lock()
	defer t.c.mu.Unlock()
	t.note = fmt.Sprintf(format, args...)
}

// Done ends the task: the bar leaves the screen and one line with the totals stays.
func (t *Task) Done() { t.End(nil) }

// End ends the task as Done does. Where err is not nil, the work has failed or was cancelled: the line that stays says
// how far it was.
func (t *Task) End(err error) {
	if t == nil {
		return
	}
	t.c.mu.Lock()
	defer t.c.mu.Unlock()
	t.finish(err)
}

// Cancel ends a task that was stopped: the bar leaves the screen and no totals are printed.
func (t *Task) Cancel() {
	if t == nil {
		return
	}
	t.c.mu.Lock()
	defer t.c.mu.Unlock()
	if t.ended {
		return
	}
	t.ended = true
	if t.c.task == t {
		_ = t.c.clear()
		t.c.task = nil
	}
}

func (t *Task) set(n int64) {
	if t.ended || t.c.interrupted() {
		return
	}
	t.done = n
	if t.total > 0 && t.done > t.total {
		t.done = t.total
	}
	now := t.c.now()
	switch since := now.Sub(t.printed); {
	case t.c.mode == Bars && t.c.task == t && since >= drawEvery:
		t.printed = now
		// The bar is an extra: the work goes on where it cannot be drawn.
		_ = t.c.draw(t)
	case t.c.mode == Lines && since >= LineEvery:
		t.printed = now
		fmt.Fprintln(t.c.w, t.line(now))
	}
}

func (t *Task) finish(err error) {
	if t.ended {
		return
	}
	t.ended = true
	if t.c.task == t {
		_ = t.c.clear()
		t.c.task = nil
	}
	if t.c.mode == Off {
		return
	}
	now := t.c.now()
	switch {
	case t.c.interrupted():
		fmt.Fprintln(t.c.w, t.stopped("interrupted", now))
	case err != nil:
		fmt.Fprintln(t.c.w, t.stopped("stopped", now))
	default:
		fmt.Fprintln(t.c.w, t.summary(now))
	}
}

// line is one progress line: "train: 40/120 steps, 33%, 8.1 steps/s, 10s left, recon 0.031".
func (t *Task) line(now time.Time) string {
	f := t.figures(now)
	parts := []string{f.count, f.percent, f.rate, f.left, t.note}
	return t.title + ": " + strings.Join(slices.DeleteFunc(parts, func(p string) bool { return p == "" }), ", ")
}

// figures are what can be said about a running task; empty where it cannot be said yet.
type figures struct {
	count, percent, rate, left string
}

func (t *Task) figures(now time.Time) figures {
	f := figures{count: t.count()}
	if t.unit == unitPercent && t.total > 0 {
		f.count = "" // the percentage says it
	}
	if t.total > 0 {
		f.percent = fmt.Sprintf("%d%%", 100*t.done/t.total)
	}
	rate := 0.0
	if elapsed := now.Sub(t.started); elapsed > 0 {
		rate = float64(t.done) / elapsed.Seconds()
	}
	if !t.plain() && rate > 0 {
		f.rate = fmt.Sprintf("%s %s/s", figure(rate), t.unit)
	}
	if t.total > 0 && rate > 0 {
		left := time.Duration(float64(t.total-t.done) / rate * float64(time.Second))
		f.left = left.Round(time.Second).String() + " left"
	}
	return f
}

// stopped is the last line of a task that did not get to its end: "convert: interrupted at 61/100 files after 15s".
func (t *Task) stopped(how string, now time.Time) string {
	line := fmt.Sprintf("%s: %s after %s", t.title, how, text.RoundDuration(now.Sub(t.started)))
	if t.unit != unitSeconds {
		line = fmt.Sprintf("%s: %s at %s after %s", t.title, how, t.count(), text.RoundDuration(now.Sub(t.started)))
	}
	if t.note != "" {
		line += ", " + t.note
	}
	return line
}

// summary is the last line of a task: "convert: 2700 files in 4.2s, 643 files/s".
func (t *Task) summary(now time.Time) string {
	elapsed := now.Sub(t.started)
	line := t.title + ": "
	if t.plain() {
		line += "done in " + text.RoundDuration(elapsed).String()
	} else {
		line += fmt.Sprintf("%d %s in %s", t.done, t.unit, text.RoundDuration(elapsed))
		if t.done > 1 && elapsed > 0 {
			line += fmt.Sprintf(", %s %s/s", figure(float64(t.done)/elapsed.Seconds()), t.unit)
		}
	}
	if t.note != "" {
		line += ", " + t.note
	}
	return line
}

func (t *Task) count() string {
	if t.total > 0 && t.unit != unitPercent {
		return fmt.Sprintf("%d/%d %s", t.done, t.total, t.unit)
	}
	return fmt.Sprintf("%d %s", t.done, t.unit)
}
