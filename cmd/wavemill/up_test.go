package main

import (
	"encoding/json"
	"io"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"
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

// Other programs reach the server that up runs, with and without a file; the file or --listen may name another address.
func TestUpListens(t *testing.T) {
	t.Chdir(t.TempDir())
	for _, c := range []struct{ text, nats, listen, want string }{
		{"", "", "", defaultListen},
		{"", "", "127.0.0.1:5000", "127.0.0.1:5000"},
		{"operators: [{operator: spectrogram}]\n", "", "", defaultListen},
		{"listen: 127.0.0.1:6000\noperators: [{operator: spectrogram}]\n", "", "", "127.0.0.1:6000"},
		{"listen: 127.0.0.1:6000\noperators: [{operator: spectrogram}]\n", "", "127.0.0.1:7000", "127.0.0.1:7000"},
		{"operators: [{operator: spectrogram}]\n", "nats://host:4222", "", ""},
	} {
		flags := runFlags{listen: c.listen}
		flags.url = c.nats
		if c.text != "" {
			flags.file = "pipeline.yaml"
			if err := os.WriteFile(flags.file, []byte(c.text), 0o600); err != nil {
				t.Fatal(err)
			}
		}
		spec, err := flags.runnable(&app{err: io.Discard})
		if err != nil || spec.Listen != c.want || spec.NATS != c.nats {
			t.Errorf("%+v: listen %q, nats %q, %v", c, spec.Listen, spec.NATS, err)
		}
	}
}

// With --log json every line on standard error is JSON, when a signal stops the command and when it fails.
func TestJSONLogsAreJSONAlone(t *testing.T) {
	s := newShell(t)
	stop := s.start("wavemill up --log json --listen 127.0.0.1:0 --data-dir data")
	for deadline := time.Now().Add(time.Minute); ; time.Sleep(10 * time.Millisecond) { // A poll: the file is written by the server.
		if _, err := os.Stat(filepath.Join(s.dir, "data", "jetstream", "$G", "streams", "KV_WAVEMILL_MODEL")); err == nil {
			break
		}
		if time.Now().After(deadline) {
			t.Fatal("it does not start")
		}
	}
	_, stderr, err := stop()
	if err != nil {
		t.Errorf("%v: %s", err, stderr)
	}
	code, _, failed := runCLI(t, "publish", "--log", "json", "--progress", "lines", "--nats", "nats://127.0.0.1:1", recordingsFolder(t, 1))
	if code != exitFailed {
		t.Errorf("exit code %d", code)
	}
	for want, text := range map[string]string{"stopping and saving": stderr, "nats://127.0.0.1:1": failed} {
		if !strings.Contains(text, want) {
			t.Errorf("%q does not occur in %s", want, text)
		}
		for line := range strings.Lines(text) {
			if !json.Valid([]byte(line)) {
				t.Errorf("not JSON: %s", line)
			}
		}
	}
}
