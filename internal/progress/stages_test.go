package progress

import (
	"strings"
	"testing"
)

// TestStages requires one summary line for each stage, in order, and the notes between them.
func TestStages(t *testing.T) {
	var out strings.Builder
	s := NewStages(NewConsole(&out, Lines))
	s.Stop() // before the first stage there is nothing to end
	s.Stage("read", 0.5)
	s.Note("a note of %d lines\n", 1)
	s.Stage("train", 0)
	s.Stage("train", 1)
	s.Done()
	s.Stage("test", 0.25)
	s.Stop()
	var got []string
	for line := range strings.Lines(out.String()) {
		got = append(got, strings.SplitN(strings.TrimSpace(line), ":", 2)[0])
	}
	if want := "a note of 1 lines|read|train|test"; strings.Join(got, "|") != want {
		t.Errorf("lines of %q, want %s", got, want)
	}
}
