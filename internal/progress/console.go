// Package progress shows the progress of long work on standard error: as a bar on a terminal, as plain lines anywhere
// else (a log file, a CI job, a pod), both with the rate and the time left.
//
// One [Console] owns the stream. Other text for it (logs, notes) goes through its Write method, which takes the bar off
// the screen first, so that a line of text and a bar never share a row. A bar fits into one row of any terminal of 20
// columns or more.
package progress

import (
	"context"
	"io"
	"os"
	"sync"
	"time"

	"golang.org/x/term"
)

// Mode says how progress is drawn.
type Mode uint8

// The modes. Auto is a bar when the stream is a terminal and lines otherwise.
const (
	Auto Mode = iota
	Bars
	Lines
	Off
)

// LineEvery is the time between two progress lines of one task. An hour of training is 720 lines of log.
const LineEvery = 5 * time.Second

// drawEvery is the time between two pictures of a bar.
const drawEvery = 100 * time.Millisecond

// defaultWidth is the width in columns where the stream is no terminal.
const defaultWidth = 80

// Console is a stream with at most one progress bar at its bottom. It is safe for concurrent use.
type Console struct {
	mu          sync.Mutex
	w           io.Writer
	mode        Mode
	now         func() time.Time
	columns     func() int // width of the terminal
	task        *Task      // the task that runs, or nil
	shown       int        // columns of the bar on the screen; 0: none is there
	interrupted func() bool
}

// NewConsole returns a console on w. Auto is resolved here: Bars if w is a terminal, Lines if not.
func NewConsole(w io.Writer, mode Mode) *Console {
	if mode == Auto {
		mode = Lines
		if isTerminal(w) && os.Getenv("TERM") != "dumb" {
			mode = Bars
		}
	}
	return &Console{w: w, mode: mode, now: time.Now, columns: func() int { return width(w) }, interrupted: func() bool { return false }}
}

// isTerminal reports whether w is a file that is a terminal.
func isTerminal(w io.Writer) bool {
	f, ok := w.(*os.File)
	return ok && term.IsTerminal(int(f.Fd()))
}

// colors reports whether text on w may have colours: w is a terminal that shows them, and NO_COLOR is not set to
// anything but the empty string (https://no-color.org).
func colors(w io.Writer) bool {
	return isTerminal(w) && os.Getenv("TERM") != "dumb" && os.Getenv("NO_COLOR") == ""
}

// width returns the columns of w, or defaultWidth where it is no terminal.
func width(w io.Writer) int {
	if f, ok := w.(*os.File); ok {
		if columns, _, err := term.GetSize(int(f.Fd())); err == nil && columns > 0 {
			return columns
		}
	}
	return defaultWidth
}

// Mode returns how this console draws progress; it is never Auto.
func (c *Console) Mode() Mode { return c.mode }

// Follow gives the console the context of the work. Once it is done, the user has interrupted the work: tasks stop
// counting and, when they end, say how far they were instead of how long all of it took.
func (c *Console) Follow(ctx context.Context) {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.interrupted = func() bool { return ctx.Err() != nil }
}

// Write writes p as it is, above the bar if there is one.
func (c *Console) Write(p []byte) (int, error) {
	c.mu.Lock()
	defer c.mu.Unlock()
	if err := c.clear(); err != nil {
		return 0, err
	}
	n, err := c.w.Write(p)
	if err == nil && c.mode == Bars && c.task != nil {
		err = c.draw(c.task)
	}
	return n, err
}
