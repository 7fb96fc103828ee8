package main

import (
	"os"
	"strings"
	"testing"
)

// A pipeline file without operators runs nothing: that is an error, whose message states what is missing.
func TestUpNeedsOperators(t *testing.T) {
	t.Chdir(t.TempDir())
	for _, text := range []string{"name: demo\n", "name: demo\noperators: []\n"} {
		if err := os.WriteFile("pipeline.yaml", []byte(text), 0o600); err != nil {
			t.Fatal(err)
		}
		for _, args := range [][]string{{"up", "-f", "pipeline.yaml"}, {"operator", "train", "-f", "pipeline.yaml", "--nats", "nats://127.0.0.1:1"}} {
			code, _, stderr := runCLI(t, args...)
			if code != exitFailed || !strings.Contains(stderr, "the pipeline has no operators; list them") || !strings.Contains(stderr, "pipeline.yaml") {
				t.Errorf("%v: exit code %d, %s", args, code, stderr)
			}
		}
	}
	if _, err := os.Stat(defaultDataDir); err == nil {
		t.Error("a server was started")
	}
}
