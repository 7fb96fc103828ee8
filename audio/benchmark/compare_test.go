package benchmark

import (
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"

	"wavemill/internal/oracle"
)

// fakePython answers as a Python with the peers would: compare.py runs itself on it.
const fakePython = `#!/bin/sh
case "$*" in
*"--child versions"*) echo '{"torch": "9.9", "torchaudio": "9.8", "scipy": "9.7"}' ;;
*"--child script"*"--threads 1"*logmel-in-memory*) echo '{"name": "logmel-in-memory", "threads": 1, "ms": 50}' ;;
*"--child script"*logmel-in-memory*) echo '{"name": "logmel-in-memory", "threads": 2, "ms": 20}' ;;
*"--child phase"*) echo '{"name": "phase-fsdd", "threads": 1, "ms": 900, "clips": 200, "db": -23}' ;;
*) exit 1 ;;
esac
`

// bareTorch is a Python without torchaudio.
const bareTorch = `#!/bin/sh
echo "ModuleNotFoundError: No module named 'torchaudio'" >&2
exit 1
`

const fakeWavemill = `#!/bin/sh
case "$*" in
*"--threads 1 "*logmel-in-memory*) echo '{"name":"logmel-in-memory","threads":1,"ms":4,"clips":200,"kernel":"avx512"}' ;;
*logmel-in-memory*) echo '{"name":"logmel-in-memory","threads":2,"ms":2,"clips":200,"kernel":"avx512"}' ;;
*phase-fsdd*) echo '{"name":"phase-fsdd","threads":1,"ms":90,"clips":200,"db":-27.5,"kernel":"avx512"}' ;;
esac
`

// TestCompare runs the driver against stand-ins with known times, and with a peer that is not there.
func TestCompare(t *testing.T) {
	python, err := exec.LookPath("python3")
	if err != nil {
		oracle.Missing(t, "python3 is not installed")
	}
	dir := t.TempDir()
	script := func(name, text string) string {
		path := filepath.Join(dir, name)
		if err := os.WriteFile(path, []byte(text), 0o755); err != nil {
			t.Fatal(err)
		}
		return path
	}
	wavemill := script("wavemill", fakeWavemill)
	script("audio_torch.py", "")
	out := filepath.Join(dir, "docs", "benchmarks.md")
	compare := func(peer string) (table, said string) {
		t.Helper()
		c := exec.CommandContext(t.Context(), python, "compare.py", "--data", dir, "--wavemill", wavemill, "--peers", dir, "--python", peer,
			"--only", "logmel-in-memory,phase-fsdd", "--rounds", "1", "--busy", "1.1", "--out", out)
		c.Env = append(os.Environ(), "PYTHONDONTWRITEBYTECODE=1")
		b, err := c.CombinedOutput()
		if err != nil {
			t.Fatalf("%v\n%s", err, b)
		}
		written, err := os.ReadFile(out)
		if err != nil {
			t.Fatal(err)
		}
		return string(written), string(b)
	}
	if err := os.MkdirAll(filepath.Dir(out), 0o755); err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(out, []byte("# Benchmarks\n\nMore.\n"), 0o644); err != nil {
		t.Fatal(err)
	}
	table, _ := compare(script("python", fakePython))
	for _, want := range []string{
		"# Benchmarks\n\nMore.\n", "torchaudio 9.8", "| 4 ms | 2 ms | torchaudio | 20 ms (2) | 10.00x (aim 3x) |",
		"-27.50 dB | -23.00 dB | 4.50 dB (aim 3 dB)",
	} {
		if !strings.Contains(table, want) {
			t.Errorf("no %q in:\n%s", want, table)
		}
	}
	table, said := compare(script("bare", bareTorch))
	if !strings.Contains(said, "left out:") || !strings.Contains(said, "No module named 'torchaudio'") {
		t.Errorf("the missing peer is not named:\n%s", said)
	}
	if strings.Count(table, "<!-- bench-audio -->") != 1 || strings.Contains(table, "20 ms (2)") || !strings.Contains(table, "More.") {
		t.Errorf("the table was not replaced:\n%s", table)
	}
}
