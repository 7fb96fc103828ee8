package benchmark_test

import (
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"

	"wavemill/internal/oracle"
)

// fakePeer prints the lines of a peer script, and torch's version when asked for it.
const fakePeer = `#!/bin/sh
case "$*" in
*__version__*) echo 9.9.9 ;;
*discriminator-step*)
	echo '{"name": "discriminator-step", "threads": 1, "layout": "nchw", "ms": 90}'
	echo '{"name": "discriminator-step", "threads": 2, "layout": "nhwc", "ms": 60}' ;;
*) exit 1 ;;
esac
`

// fakeWavemill prints what bench train would.
const fakeWavemill = `#!/bin/sh
line() { echo "{\"name\":\"$1\",\"threads\":$2,\"layout\":\"nhwc\",\"ms\":$3,\"kernel\":\"avx512\",\"gflops\":400,\"bytes\":35000000,\"peak_gflops\":250}"; }
case "$WAVEMILL_KERNEL $*" in
avx2*) exit 1 ;;
*--scaling*) line discriminator-step-b4 2 3.5; line stock-gorgonia-discriminator-step 2 700 ;;
*) line discriminator-step 1 50; line discriminator-step 2 24 ;;
esac
`

// TestCompare runs the driver against stand-ins with known times.
func TestCompare(t *testing.T) {
	python, err := exec.LookPath("python3")
	if err != nil {
		oracle.Missing(t, "python3 is not installed")
	}
	if _, err := os.ReadFile("compare.py"); err != nil { // so that the test's cached result depends on it
		t.Fatal(err)
	}
	dir := t.TempDir()
	script := func(name, text string) string {
		path := filepath.Join(dir, name)
		if err := os.WriteFile(path, []byte(text), 0o755); err != nil {
			t.Fatal(err)
		}
		return path
	}
	wavemill, peer := script("wavemill", fakeWavemill), script("python", fakePeer)
	out := filepath.Join(dir, "docs", "benchmarks.md")
	compare := func() string {
		t.Helper()
		c := exec.CommandContext(t.Context(), python, "compare.py", "--wavemill", wavemill, "--peer", "peer.py", "--python", peer,
			"--only", "discriminator-step", "--rounds", "2", "--busy", "1.1", "--out", out)
		c.Env = append(os.Environ(), "PYTHONDONTWRITEBYTECODE=1")
		if b, err := c.CombinedOutput(); err != nil {
			t.Fatalf("%v\n%s", err, b)
		}
		b, err := os.ReadFile(out)
		if err != nil {
			t.Fatal(err)
		}
		return string(b)
	}
	text := compare()
	for _, want := range []string{
		"# Benchmarks\n", "<!-- bench-train -->\n", "250 GFLOPS",
		// 60/24 = 2.50 with the peer at its best, 90/50 = 1.80 one thread against one; 400 of 2*250.
		"| discriminator-step | 50 | 24 | 400 | 80% | 60 (nhwc, 2) | 2.50x (aim 1.3x) | 1.80x (aim 1.2x) |",
		"| discriminator-step | 24 | - | 24 |", // avx512, avx2 (which fails), go
		"| discriminator-step-b4 | 3.5 | 400 | 35 |",
		"| stock-gorgonia-discriminator-step | 700 |",
	} {
		if !strings.Contains(text, want) {
			t.Errorf("%q is missing from\n%s", want, text)
		}
	}
	if err := os.WriteFile(out, []byte("# Benchmarks\n\nBefore.\n\n<!-- bench-train -->\nold\n<!-- /bench-train -->\n\nAfter.\n"), 0o600); err != nil {
		t.Fatal(err)
	}
	text = compare()
	if strings.Contains(text, "old") || !strings.HasPrefix(text, "# Benchmarks\n\nBefore.\n") || !strings.HasSuffix(text, "<!-- /bench-train -->\n\nAfter.\n") {
		t.Errorf("the text around the table is not kept:\n%s", text)
	}
}
