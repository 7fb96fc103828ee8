package progress

import (
	"bytes"
	"fmt"
	"strings"
	"testing"
	"time"
)

// clocked returns a console whose clock the test moves by hand.
func clocked(mode Mode) (*Console, *bytes.Buffer, *time.Time) {
	var buf bytes.Buffer
	now := time.Date(2025, 1, 1, 0, 0, 0, 0, time.UTC)
	c := NewConsole(&buf, mode)
	c.now = func() time.Time { return now }
	return c, &buf, &now
}

func TestLinesAreSpacedAndTellRateAndTimeLeft(t *testing.T) {
	c, buf, now := clocked(Lines)
	task := c.Start("convert", 100, "files")
	for range 60 {
		*now = now.Add(200 * time.Millisecond)
		task.Add(1)
	}
	task.Note("loss %.2f", 0.5)
	*now = now.Add(3 * time.Second)
	task.Set(61)
	task.Done()
	task.Done() // a second Done is harmless
	want := strings.Join([]string{
		"convert: 25/100 files, 25%, 5.00 files/s, 15s left",
		"convert: 50/100 files, 50%, 5.00 files/s, 10s left",
		"convert: 61/100 files, 61%, 4.07 files/s, 10s left, loss 0.50",
		"convert: 61 files in 15s, 4.07 files/s, loss 0.50",
	}, "\n") + "\n"
	if got := buf.String(); got != want {
		t.Errorf("got:\n%swant:\n%s", got, want)
	}
}

func TestTimedTaskCountsDownItsBudget(t *testing.T) {
	c, buf, now := clocked(Lines)
	task := c.StartTimed("train", 20*time.Second)
	for range 25 {
		*now = now.Add(time.Second)
		task.Elapse(now.Sub(task.started))
	}
	task.Done()
	for _, want := range []string{"train: 5/20 seconds, 25%, 15s left\n", "train: 20/20 seconds, 100%, 0s left\n", "train: done in 25s\n"} {
		if !strings.Contains(buf.String(), want) {
			t.Errorf("lacks %q:\n%s", want, buf)
		}
	}
}

func TestUnknownTotalHasNoPercentage(t *testing.T) {
	c, buf, now := clocked(Lines)
	task := c.Start("receive", 0, "clips")
	*now = now.Add(10 * time.Second)
	task.Add(5)
	if got, want := buf.String(), "receive: 5 clips, 0.50 clips/s\n"; got != want {
		t.Errorf("got %q, want %q", got, want)
	}
}

func TestOffPrintsOnlyWhatIsWritten(t *testing.T) {
	c, buf, now := clocked(Off)
	task := c.Start("train", 10, "steps")
	*now = now.Add(time.Minute)
	task.Add(10)
	fmt.Fprintln(c, "a note")
	task.Done()
	if got := buf.String(); got != "a note\n" {
		t.Errorf("got %q", got)
	}
}

func TestBarLeavesTheScreenForTextAndAtTheEnd(t *testing.T) {
	c, buf, _ := clocked(Bars)
	task := c.Start("train", 10, "steps")
	task.Add(5)
	before := buf.Len()
	fmt.Fprintln(c, "a note")
	after := buf.String()[before:]
	above, _, noted := strings.Cut(after, "a note\n")
	if !noted || !strings.Contains(above, "\r") {
		t.Errorf("the bar was not taken off before the note: %q", after)
	}
	task.Done()
	if got := buf.String(); !strings.HasSuffix(got, "train: 5 steps in 0s, 5.00 steps/s\n") && !strings.HasSuffix(got, "train: 5 steps in 0s\n") {
		t.Errorf("no summary at the end: %q", got)
	}
}

func TestNewTaskEndsTheOneBefore(t *testing.T) {
	c, buf, _ := clocked(Lines)
	c.Start("first", 1, "files")
	second := c.Start("second", 1, "files")
	second.Done()
	if got := buf.String(); strings.Index(got, "first:") != 0 || !strings.Contains(got, "second:") {
		t.Errorf("got %q", got)
	}
}

func TestNilTaskIsHarmless(t *testing.T) {
	var task *Task
	task.Add(1)
	task.Set(2)
	task.Note("x")
	task.Done()
}
