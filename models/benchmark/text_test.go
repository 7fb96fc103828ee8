package benchmark_test

import (
	"strings"
	"testing"

	"wavemill/models/benchmark"
)

func TestGenerationText(t *testing.T) {
	g := benchmark.Generation{
		Model: "m.safetensors", Arch: "vae", Kernels: "go", Threads: 2, Clips: 10, Silent: 1, Seconds: 0.5,
		All: benchmark.StageTime{P50: 1, P95: 2, P99: 3}, Workers: 4, PerSec: 99.6,
	}
	for _, want := range []string{
		"m.safetensors: vae, kernels go, 2 threads, 10 clips of 0.50 s\n  1 clips were silent and not timed\n",
		"label to WAV   p50   1.000 ms   p95   2.000 ms   p99   3.000 ms\n", "\nthroughput     100 clips/s, 4 at once",
	} {
		if !strings.Contains(g.String(), want) {
			t.Errorf("no %q in\n%v", want, g)
		}
	}
}

// TestGenerationValidate checks that an error begins with the name of the wrong field.
func TestGenerationValidate(t *testing.T) {
	one := []string{"one"}
	for want, o := range map[string]benchmark.GenerationOptions{
		"label is missing": {Clips: 1, Workers: 1},
		"clips 0":          {Labels: one, Workers: 1},
		"workers 0":        {Labels: one, Clips: 1},
	} {
		if err := o.Validate(); err == nil || !strings.HasPrefix(err.Error(), want) {
			t.Errorf("%v, want %q", err, want)
		}
		if _, err := benchmark.TimeGeneration(t.Context(), nil, o); err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("TimeGeneration: %v, want %q", err, want)
		}
	}
}
