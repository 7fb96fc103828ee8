package benchmark

import (
	"errors"
	"strings"
	"testing"
	"time"
)

// TestRun times one work on two numbers of threads.
func TestRun(t *testing.T) {
	var lines []Line
	emit := func(l Line) error {
		lines = append(lines, l)
		return nil
	}
	o := Options{Threads: []int{1, 2}, Only: []string{"generator-b1"}, Time: time.Nanosecond}
	if err := Run(o, 50, emit); err != nil {
		t.Fatal(err)
	}
	if len(lines) != 2 || lines[0].Name != "generator-b1" || lines[1].Threads != 2 || !(lines[0].MS > 0) || lines[0].Peak != 50 {
		t.Errorf("%+v", lines)
	}
	l := Line{Timing{Name: "x", Threads: 2, MS: 1.5, GFLOPS: 25}, 50}
	if got := l.String(); !strings.HasPrefix(got, "x ") || !strings.Contains(got, "2 thread(s)      1.500 ms     25.0 GFLOPS  25.0 % of the peak") {
		t.Errorf("%s", got)
	}
	full := errors.New("disk full")
	if err := Run(o, 50, func(Line) error { return full }); !errors.Is(err, full) {
		t.Errorf("the error of emit: %v", err)
	}
}

// TestOptionsValidate checks that an error begins with the name of the wrong field.
func TestOptionsValidate(t *testing.T) {
	for want, o := range map[string]Options{
		"threads 0":             {Threads: []int{1, 0}, Time: 1},
		"seconds 0":             {Threads: []int{1}},
		`only: "generator-b7" `: {Threads: []int{1}, Time: 1, Only: []string{"generator-b7"}},
	} {
		if err := o.Validate(); err == nil || !strings.HasPrefix(err.Error(), want) {
			t.Errorf("%v, want %q", err, want)
		}
		if err := Run(o, 1, nil); err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("Run: %v, want %q", err, want)
		}
	}
}
