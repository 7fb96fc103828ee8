package benchmark_test

import (
	"errors"
	"strings"
	"testing"

	"wavemill/models/nn/benchmark"
)

func TestRun(t *testing.T) {
	var names []string
	err := benchmark.Run(benchmark.Options{Threads: []int{1, 2}, Only: []string{"generator-b1"}, Seconds: 1e-3}, func(l benchmark.Line) error {
		names = append(names, l.Name)
		if l.Threads != len(names) || l.MS <= 0 || l.GFLOPS <= 0 || l.Peak <= 0 || !strings.Contains(l.String(), "% of the peak") {
			t.Errorf("line %d: %+v", len(names), l)
		}
		return nil
	})
	if err != nil || strings.Join(names, " ") != "generator-b1 generator-b1" {
		t.Errorf("%q, %v", names, err)
	}
	full := errors.New("disk full")
	o := benchmark.Options{Threads: []int{1}, Only: []string{"generator-b1"}, Seconds: 1e-3}
	if err := benchmark.Run(o, func(benchmark.Line) error { return full }); !errors.Is(err, full) {
		t.Errorf("a line that cannot be written: %v", err)
	}
}

func TestRunRefuses(t *testing.T) {
	for want, o := range map[string]benchmark.Options{
		"generator-b64": {Threads: []int{1}, Seconds: 1, Only: []string{"generator-b7"}},
		"threads":       {Threads: []int{0}, Seconds: 1},
		"seconds":       {Threads: []int{1}},
	} {
		if err := benchmark.Run(o, nil); err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("%+v: %v", o, err)
		}
	}
}
