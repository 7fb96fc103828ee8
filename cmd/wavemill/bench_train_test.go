package main

import (
	"strings"
	"testing"

	"wavemill/models/nn/benchmark"
)

// TestBenchTrainUsage: what cannot be timed is a usage error that says what can.
func TestBenchTrainUsage(t *testing.T) {
	for _, c := range []struct {
		b    benchTrain
		want string
	}{
		{benchTrain{Options: benchmark.Options{Threads: []int{1}, Only: []string{"generator-b7"}}, seconds: 1}, "generator-b64"},
		{benchTrain{Options: benchmark.Options{Threads: []int{0}}, seconds: 1}, "--threads"},
		{benchTrain{Options: benchmark.Options{Threads: []int{1}}}, "--seconds"},
	} {
		err := new(app).benchTrain(c.b)
		if !isUsage(err) || !strings.Contains(err.Error(), c.want) {
			t.Errorf("%+v: got %v, want a usage error with %q", c.b, err, c.want)
		}
	}
}
