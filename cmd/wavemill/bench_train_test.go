package main

import (
	"strings"
	"testing"

	"wavemill/models/nn/benchmark"
)

// TestBenchTrainUsage: what cannot be timed is a usage error that says what can.
func TestBenchTrainUsage(t *testing.T) {
	for _, c := range []struct {
		o    benchmark.Options
		want string
	}{
		{benchmark.Options{Threads: []int{1}, Seconds: 1, Only: []string{"generator-b7"}}, "generator-b64"},
		{benchmark.Options{Threads: []int{0}, Seconds: 1}, "--threads"},
		{benchmark.Options{Threads: []int{1}}, "--seconds"},
	} {
		err := new(app).benchTrain(c.o, false)
		if !isUsage(err) || !strings.Contains(err.Error(), c.want) {
			t.Errorf("%+v: got %v, want a usage error with %q", c.o, err, c.want)
		}
	}
}
