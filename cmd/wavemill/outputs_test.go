package main

import (
	"bytes"
	"errors"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"testing"
)

// Commands that work for minutes find out first whether they can write their results: nothing is read or trained before the
// error.
func TestOutputsAreTriedFirst(t *testing.T) {
	dir := t.TempDir()
	file := filepath.Join(dir, "file")
	if err := os.WriteFile(file, nil, 0o600); err != nil {
		t.Fatal(err)
	}
	none := filepath.Join(dir, "none") // What is read is not there: an error about it would mean that it was read first.
	for name, args := range map[string][]string{
		"eval":    {"eval", "--data", none, "--model", none, "--html", filepath.Join(file, "x.html")},
		"a page":  {"eval", "--data", none, "--model", none, "--html", dir},
		"compare": {"compare", "--data", none, "--model", "vae", "--model", "gan", "--out", filepath.Join(file, "x")},
		"judge":   {"judge", "--data", none, "--out", filepath.Join(file, "x.safetensors")},
		"topup":   {"topup", "--data", none, "--model", none, "--to", "9", "--out", filepath.Join(file, "x")},
		"latents": {"latents", "--model", none, "--out", filepath.Join(file, "x")},
	} {
		code, stdout, stderr := runCLI(t, args...)
		if code != exitFailed || stdout != "" || strings.Contains(stderr, none) || !strings.Contains(stderr, "not a") {
			t.Errorf("%s: exit code %d, %s%s", name, code, stdout, stderr)
		}
	}
}

// spoiler does something at the first write.
type spoiler struct {
	once  sync.Once
	spoil func()
}

func (s *spoiler) Write(p []byte) (int, error) {
	s.once.Do(s.spoil)
	return len(p), nil
}

// A page that cannot be written at the end does not take the result with it.
func TestEvalWithoutItsPage(t *testing.T) {
	data, dir := recordingsFolder(t, 6), t.TempDir()
	model, folder := filepath.Join(dir, "m.safetensors"), filepath.Join(dir, "pages")
	mustRun(t, quickTraining(t, data, model, "--steps", "2")...)
	var out bytes.Buffer
	progress := &spoiler{spoil: func() { // The first line comes after the folder was tried.
		if err := errors.Join(os.Remove(folder), os.WriteFile(folder, nil, 0o600)); err != nil {
			t.Error(err)
		}
	}}
	args := []string{"eval", "--model", model, "--data", data, "--test", recordingsFolder(t, 9), "--useful=false", "--clips", "6", "--html", filepath.Join(folder, "page.html")}
	if code := quickExecute(t.Context(), args, &out, progress); code != exitFailed || !strings.Contains(out.String(), "1-NN") {
		t.Errorf("exit code %d, %s", code, out.String())
	}
}
