// Package progress shows how far long work has come, on standard error: as a bar on a terminal, as plain
// lines anywhere else (a log file, a CI job, a pod), both with the rate and the time left.
//
// One [Console] owns the stream. Whatever else is written there (logs, notes) goes through its Write method, which
// takes the bar off the screen first, so that a line of text and a bar never share a row.
package progress

import (
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

// LineEvery is the time between two progress lines of one task: often enough to see that a job lives, seldom enough
// that an hour of training is a few hundred lines of log.
const LineEvery = 5 * time.Second

// Console is a stream with at most one progress bar at its bottom. It is safe for concurrent use.
type Console struct {
	mu   sync.Mutex
	w    io.Writer
	mode Mode
	now  func() time.Time
	task *Task // the task whose bar is on the screen, or nil
}

// NewConsole returns a console on w. Auto is resolved here: Bars if w is a terminal, Lines if not.
func NewConsole(w io.Writer, mode Mode) *Console {
	if mode == Auto {
		mode = Lines
		if IsTerminal(w) && os.Getenv("TERM") != "dumb" {
			mode = Bars
		}
	}
	return &Console{w: w, mode: mode, now: time.Now}
}

// IsTerminal reports whether w is a file that is a terminal.
func IsTerminal(w io.Writer) bool {
	f, ok := w.(*os.File)
	return ok && term.IsTerminal(int(f.Fd()))
}

// Mode returns how this console draws progress; it is never Auto.
func (c *Console) Mode() Mode { return c.mode }

// Write writes p as it is, above the bar if there is one.
func (c *Console) Write(p []byte) (int, error) {
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.task != nil && c.task.bar != nil {
		if err := c.task.bar.Clear(); err != nil {
			return 0, err
		}
	}
	n, err := c.w.Write(p)
	if err != nil {
		return n, err
	}
	if c.task != nil && c.task.bar != nil {
		err = c.task.bar.RenderBlank()
	}
	return n, err
}
