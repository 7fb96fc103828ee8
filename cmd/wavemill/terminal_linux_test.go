package main

import (
	"os"
	"strconv"
	"strings"
	"testing"

	"golang.org/x/sys/unix"
)

// terminal opens a terminal of so many columns. What is written to tty can be read from the other end.
func terminal(t *testing.T, columns uint16) (tty, other *os.File) {
	t.Helper()
	other, err := os.OpenFile("/dev/ptmx", os.O_RDWR|unix.O_NOCTTY, 0)
	if err != nil {
		t.Skipf("no terminals here: %v", err)
	}
	t.Cleanup(func() { other.Close() })
	fd := int(other.Fd())
	n, err := unix.IoctlGetInt(fd, unix.TIOCGPTN)
	if err == nil {
		err = unix.IoctlSetPointerInt(fd, unix.TIOCSPTLCK, 0)
	}
	if err == nil {
		err = unix.IoctlSetWinsize(fd, unix.TIOCSWINSZ, &unix.Winsize{Row: 24, Col: columns})
	}
	if err == nil {
		tty, err = os.OpenFile("/dev/pts/"+strconv.Itoa(n), os.O_RDWR|unix.O_NOCTTY, 0)
	}
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { tty.Close() })
	return tty, other
}

// written returns what has been written to the terminal. It marks the end, because a terminal hands text on in pieces.
func written(t *testing.T, tty, other *os.File) string {
	t.Helper()
	const end = "END OF TEXT"
	if _, err := tty.WriteString(end); err != nil {
		t.Fatal(err)
	}
	var text strings.Builder
	buffer := make([]byte, 1<<12)
	for !strings.HasSuffix(text.String(), end) {
		n, err := other.Read(buffer)
		if err != nil {
			t.Fatal(err)
		}
		text.Write(buffer[:n])
	}
	return strings.TrimSuffix(text.String(), end)
}

// https://no-color.org: any value but the empty string takes the colours away.
func TestNoColor(t *testing.T) {
	for value, colored := range map[string]bool{"": true, "1": false, "0": false, "false": false} {
		t.Setenv("NO_COLOR", value)
		t.Setenv("TERM", "xterm-256color")
		tty, other := terminal(t, 80)
		a := &app{err: tty, logFormat: "auto", logLevel: "info", progressMode: "auto"}
		if err := a.setup(t.Context()); err != nil {
			t.Fatal(err)
		}
		task := a.console.Start("work", 10, "steps")
		a.log.Warn("something", "key", "value")
		task.Done()
		if text := written(t, tty, other); strings.Contains(text, "\x1b[") != colored || !strings.Contains(text, "something") || !strings.Contains(text, "work") {
			t.Errorf("NO_COLOR=%q: %q", value, text)
		}
	}
}

// A bar is drawn for the width of the terminal at hand.
func TestBarOnANarrowTerminal(t *testing.T) {
	t.Setenv("TERM", "xterm")
	for _, columns := range []uint16{20, 40, 80} {
		tty, other := terminal(t, columns)
		a := &app{err: tty, logFormat: "auto", logLevel: "info", progressMode: "auto"}
		if err := a.setup(t.Context()); err != nil {
			t.Fatal(err)
		}
		task := a.console.Start("evaluate a checkpoint with a long name", 1000, "recordings")
		task.Note("%s", strings.Repeat("loss ", 20))
		for range 3 { // what is written above a bar has it drawn anew
			task.Add(300)
			a.note("note")
		}
		rows := strings.Split(written(t, tty, other), "\r")
		if len(rows) < 6 {
			t.Errorf("%d columns: %q is no bar", columns, rows)
		}
		for _, row := range rows {
			if n := len([]rune(row)); n >= int(columns) {
				t.Errorf("%d columns: a row of %d: %q", columns, n, row)
			}
		}
	}
}
