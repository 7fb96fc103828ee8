package progress

import (
	"fmt"
	"strings"
	"time"

	"github.com/schollz/progressbar/v3"
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
	printed time.Time // when the last line was written
	ended   bool
	bar     *progressbar.ProgressBar
}

// Start begins a task of total units (0 if nobody knows how many). The unit is a plural noun: "files", "steps". A
// task that is still open on this console is finished first.
func (c *Console) Start(title string, total int64, unit string) *Task {
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.task != nil {
		c.task.finish()
	}
	now := c.now()
	t := &Task{c: c, title: title, unit: unit, total: total, started: now, printed: now}
	if c.mode == Bars {
		t.bar = newBar(c, title, total, unit)
	}
	c.task = t
	return t
}

func newBar(c *Console, title string, total int64, unit string) *progressbar.ProgressBar {
	limit := total
	if limit == 0 {
		limit = -1
	}
	options := []progressbar.Option{
		progressbar.OptionSetWriter(c.w),
		progressbar.OptionSetDescription(title),
		progressbar.OptionSetWidth(24),
		progressbar.OptionThrottle(100 * time.Millisecond),
		progressbar.OptionSetPredictTime(true),
		progressbar.OptionSetRenderBlankState(true),
		progressbar.OptionShowCount(),
	}
	if unit == unitSeconds {
		// The clock is the measure: a rate of seconds per second would tell nothing.
		options = append(options, progressbar.OptionSetElapsedTime(true))
	} else {
		options = append(options, progressbar.OptionShowIts(), progressbar.OptionSetItsString(unit))
	}
	return progressbar.NewOptions64(limit, options...)
}

// unitSeconds is the unit of tasks that are measured by the clock.
const unitSeconds = "seconds"

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
	if t.bar != nil {
		t.bar.ChangeMax64(n)
	}
}

// Note hangs a short text behind the figures: the loss, the file at hand.
func (t *Task) Note(format string, args ...any) {
	if t == nil {
		return
	}
	t.c.mu.Lock()
	defer t.c.mu.Unlock()
	t.note = fmt.Sprintf(format, args...)
	if t.bar != nil && !t.ended {
		t.bar.Describe(strings.TrimSpace(t.title + "  " + t.note))
	}
}

// Done ends the task: the bar leaves the screen and one line with the totals stays.
func (t *Task) Done() {
	if t == nil {
		return
	}
	t.c.mu.Lock()
	defer t.c.mu.Unlock()
	t.finish()
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
		t.c.task = nil
	}
	if t.bar != nil {
		_ = t.bar.Clear()
	}
}

func (t *Task) set(n int64) {
	if t.ended {
		return
	}
	t.done = n
	if t.total > 0 && t.done > t.total {
		t.done = t.total
	}
	switch now := t.c.now(); {
	case t.bar != nil:
		// The bar prints to the console's stream; it cannot fail in a way that the work should stop for.
		_ = t.bar.Set64(t.done)
	case t.c.mode == Lines && now.Sub(t.printed) >= LineEvery:
		t.printed = now
		fmt.Fprintln(t.c.w, t.line(now))
	}
}

func (t *Task) finish() {
	if t.ended {
		return
	}
	t.ended = true
	if t.c.task == t {
		t.c.task = nil
	}
	if t.bar != nil {
		_ = t.bar.Clear()
	}
	if t.c.mode == Off {
		return
	}
	fmt.Fprintln(t.c.w, t.summary(t.c.now()))
}

// line is one progress line: "train: 40/120 steps, 33%, 8.1 steps/s, 10s left, recon 0.031".
func (t *Task) line(now time.Time) string {
	elapsed := now.Sub(t.started)
	parts := []string{t.count()}
	if t.total > 0 {
		parts = append(parts, fmt.Sprintf("%d%%", 100*t.done/t.total))
	}
	rate := 0.0
	if elapsed > 0 {
		rate = float64(t.done) / elapsed.Seconds()
	}
	if t.unit != unitSeconds && rate > 0 {
		parts = append(parts, fmt.Sprintf("%s %s/s", figure(rate), t.unit))
	}
	if t.total > 0 && rate > 0 {
		left := time.Duration(float64(t.total-t.done) / rate * float64(time.Second))
		parts = append(parts, left.Round(time.Second).String()+" left")
	}
	if t.note != "" {
		parts = append(parts, t.note)
	}
	return t.title + ": " + strings.Join(parts, ", ")
}

// summary is the last line of a task: "convert: 2700 files in 4.2s, 643 files/s".
func (t *Task) summary(now time.Time) string {
	elapsed := now.Sub(t.started)
	text := t.title + ": "
	if t.unit == unitSeconds {
		text += "done in " + clock(elapsed)
	} else {
		text += fmt.Sprintf("%d %s in %s", t.done, t.unit, clock(elapsed))
		if t.done > 1 && elapsed > 0 {
			text += fmt.Sprintf(", %s %s/s", figure(float64(t.done)/elapsed.Seconds()), t.unit)
		}
	}
	if t.note != "" {
		text += ", " + t.note
	}
	return text
}

func (t *Task) count() string {
	if t.total > 0 {
		return fmt.Sprintf("%d/%d %s", t.done, t.total, t.unit)
	}
	return fmt.Sprintf("%d %s", t.done, t.unit)
}

// clock rounds a duration to what a reader cares about.
func clock(d time.Duration) string {
	switch {
	case d < time.Second:
		return d.Round(time.Millisecond).String()
	case d < time.Minute:
		return d.Round(100 * time.Millisecond).String()
	}
	return d.Round(time.Second).String()
}

// figure prints a rate with about three significant digits.
func figure(v float64) string {
	switch {
	case v >= 100:
		return fmt.Sprintf("%.0f", v)
	case v >= 10:
		return fmt.Sprintf("%.1f", v)
	}
	return fmt.Sprintf("%.2f", v)
}
