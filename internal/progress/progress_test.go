package progress

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"strings"
	"testing"
	"time"

	"github.com/rivo/uniseg"
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

func TestPercentagesHaveNoRate(t *testing.T) {
	c, buf, now := clocked(Lines)
	task := c.Start("evaluate", 100, "%")
	*now = now.Add(10 * time.Second)
	task.Set(50)
	task.Set(100)
	task.Done()
	if got, want := buf.String(), "evaluate: 50%, 10s left\nevaluate: done in 10s\n"; got != want {
		t.Errorf("got %q, want %q", got, want)
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

func TestOfTellsTheTotalWhereItIsKnown(t *testing.T) {
	c, buf, now := clocked(Lines)
	task := c.Start("inspect", 0, "frames")
	*now = now.Add(10 * time.Second)
	task.Of(5, -1)
	*now = now.Add(10 * time.Second)
	task.Of(10, 40)
	if got, want := buf.String(), "inspect: 5 frames, 0.50 frames/s\ninspect: 10/40 frames, 25%, 0.50 frames/s, 1m0s left\n"; got != want {
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

// screen is what a terminal of so many columns shows after text: its rows. A row that is longer than the screen wraps.
func screen(text string, columns int) []string {
	rows := [][]rune{{}}
	at := 0
	for _, r := range text {
		last := len(rows) - 1
		switch r {
		case '\r':
			at = 0
		case '\n':
			rows, at = append(rows, []rune{}), 0
		default:
			if at == columns {
				rows, at = append(rows, []rune{}), 0
				last++
			}
			for len(rows[last]) <= at {
				rows[last] = append(rows[last], ' ')
			}
			rows[last][at] = r
			if at++; uniseg.StringWidth(string(r)) == 2 {
				at++
			}
		}
	}
	out := make([]string, len(rows))
	for i, row := range rows {
		out[i] = strings.TrimRight(string(row), " ")
	}
	return out
}

func TestBarFitsIntoOneRow(t *testing.T) {
	titles := []string{"train", "evaluating 300 clips of a generator with a long name", "学習データを読み込んでいます", ""}
	for _, columns := range []int{20, 21, 30, 40, 79, 80, 81, 200} {
		for _, title := range titles {
			for _, total := range []int64{0, 7, 1_000_000_000} {
				c, buf, now := clocked(Bars)
				c.columns = func() int { return columns }
				task := c.Start(title, total, "recordings")
				for i := range int64(9) {
					*now = now.Add(time.Minute)
					task.Note("step %d, loss %.4g (held out %.4g)\nand more", i, 0.25, 0.5)
					task.Set(i * max(total, 9) / 9)
				}
				for row := range strings.SplitSeq(buf.String(), "\r") {
					if w := uniseg.StringWidth(row); w >= columns {
						t.Fatalf("%d columns, title %q, %d in all: a row of %d: %q", columns, title, total, w, row)
					}
				}
				if rows := screen(buf.String(), columns); len(rows) != 1 {
					t.Fatalf("%d columns, title %q: %d rows", columns, title, len(rows))
				}
				fmt.Fprintln(c, "note")
				if rows := screen(buf.String(), columns); rows[0] != "note" || len(rows) != 2 {
					t.Errorf("%d columns, title %q: after a note %q", columns, title, rows)
				}
			}
		}
	}
}

// The row says as much as fits, the most important first.
func TestBarSaysWhatFits(t *testing.T) {
	for columns, want := range map[int]string{
		90: "train  50% |████████████            | 10s left, loss 0.5, 50/100 steps, 5.00 steps/s",
		60: "train  50% |██████       | 10s left, loss 0.5, 50/100 steps",
		40: "train  50% |███    | 10s left, loss 0.5",
		33: "train  50% |█████     | 10s left",
		20: "train  50% |███   |",
		19: "train 50%",
	} {
		c, _, now := clocked(Bars)
		c.columns = func() int { return columns }
		task := c.Start("train", 100, "steps")
		task.Note("loss 0.5")
		*now = now.Add(10 * time.Second)
		task.Set(50)
		if got := task.row(columns - 1); got != want {
			t.Errorf("%d columns:\ngot  %q\nwant %q", columns, got, want)
		} else if uniseg.StringWidth(got) >= columns {
			t.Errorf("%d columns: %q", columns, got)
		}
	}
}

// A terminal that becomes narrower does not get a row of its former width.
func TestBarFollowsTheWidth(t *testing.T) {
	c, buf, now := clocked(Bars)
	columns := 100
	c.columns = func() int { return columns }
	task := c.Start("train", 100, "steps")
	for ; columns >= 20; columns -= 10 {
		before := buf.Len()
		*now = now.Add(time.Second)
		task.Add(1)
		if rows := screen(buf.String()[before:], columns); len(rows) != 1 {
			t.Errorf("%d columns: %q", columns, rows)
		}
	}
}

func TestUnfinishedTaskSaysSo(t *testing.T) {
	for _, mode := range []Mode{Bars, Lines} {
		c, buf, now := clocked(mode)
		task := c.Start("convert", 100, "files")
		*now = now.Add(4 * time.Second)
		task.Set(40)
		task.End(errors.New("disk full"))
		if got := buf.String(); !strings.HasSuffix(got, "convert: stopped at 40/100 files after 4s\n") {
			t.Errorf("got %q", got)
		}
	}
}

// Once the user has interrupted, no task says that it is done, whatever it counts while it winds up.
func TestInterruptedTaskIsNotDone(t *testing.T) {
	for _, mode := range []Mode{Bars, Lines} {
		c, buf, now := clocked(mode)
		ctx, interrupt := context.WithCancel(t.Context())
		c.Follow(ctx)
		task := c.Start("judge", 100, "%")
		*now = now.Add(4 * time.Second)
		task.Set(40)
		interrupt()
		*now = now.Add(6 * time.Second)
		task.Set(100)
		task.Done()
		if got := buf.String(); !strings.HasSuffix(got, "judge: interrupted at 40 % after 10s\n") || strings.Contains(got, "100%") {
			t.Errorf("got %q", got)
		}
		timed := c.StartTimed("train", time.Minute)
		timed.Done()
		if got := buf.String(); !strings.HasSuffix(got, "train: interrupted after 0s\n") {
			t.Errorf("got %q", got)
		}
	}
}

func TestColorsNeedATerminal(t *testing.T) {
	t.Setenv("NO_COLOR", "")
	if colors(new(bytes.Buffer)) {
		t.Error("colours in a buffer")
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
