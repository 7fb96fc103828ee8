package charttest

import (
	"path/filepath"
	"regexp"
	"testing"
)

// TestNATSVersion: the server of the chart, of compose.yaml and of the documents is the one that all tests run, whose version go.mod
// of the main module has. With -update the files are changed.
func TestNATSVersion(t *testing.T) {
	of := func(elem ...string) string {
		m := regexp.MustCompile(`(?m)^\s*(?:require )?github\.com/nats-io/nats-server/v2 v([0-9.]+)`).FindStringSubmatch(readFile(t, elem...))
		if m == nil {
			t.Fatalf("%s has no nats-server", filepath.Join(elem...))
		}
		return m[1]
	}
	root := filepath.Join("..", "..")
	version := of(root, "go.mod")
	if own := of("go.mod"); own != version {
		t.Errorf("the tests of the chart run nats-server %s, those of the binary %s", own, version)
	}
	for file, pattern := range map[string]string{
		filepath.Join(chartDir, "values.yaml"):                   `(\n      repository: nats\n      tag: )([0-9.]+)(-alpine\n)`,
		filepath.Join(root, "charts", "compose", "compose.yaml"): `(\n    image: nats:)([0-9.]+)(-alpine\n)`,
		filepath.Join(root, "docs", "bus.md"):                    `(tested with nats-server )([0-9.]+)(\))`,
	} {
		text := readFile(t, file)
		wanted := regexp.MustCompile(pattern)
		if n := len(wanted.FindAllString(text, -1)); n != 1 {
			t.Errorf("%s names the server %d times in the form %q, want once", file, n, pattern)
			continue
		}
		checkGenerated(t, file, wanted.ReplaceAllString(text, "${1}"+version+"${3}"))
	}
}
