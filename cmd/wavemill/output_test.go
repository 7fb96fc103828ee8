package main

import (
	"bytes"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"testing"

	"wavemill/models"
)

// TestUnusableOutputs checks that every command refuses an output that it cannot write before it works: nothing on
// standard output, and no line of progress.
func TestUnusableOutputs(t *testing.T) {
	data := recordingsFolder(t, 4)
	model := trainSmall(t, data, "vae", 2)
	clips := t.TempDir()
	mustRun(t, "generate", "--model", model, "--label", "chirp", "--seed", "7", "--out", clips)
	file := filepath.Join(t.TempDir(), "file")
	if err := os.WriteFile(file, []byte("text"), 0o600); err != nil {
		t.Fatal(err)
	}
	below := filepath.Join(file, "below")
	for _, c := range []struct{ args, want string }{
		{"generate --model MODEL --label chirp --out FILE", "--out: "},
		{"generate --model MODEL --label chirp --out BELOW", "--out: "},
		{"export --model MODEL --out FILE", "--out: "},
		{"latents --model MODEL --out FILE", "--out: "},
		{"regenerate --model MODEL --out FILE CLIP", "--out: "},
		{"topup --model MODEL --data DATA --to 9 --out FILE", "--out: "},
		{"compare --model MODEL --data DATA --out FILE", "--out: "},
		{"eval --model MODEL --data DATA --html BELOW", "--html: "},
		{"judge --data DATA --out BELOW", "--out: "},
	} {
		names := strings.NewReplacer("MODEL", model, "DATA", data, "CLIP", filepath.Join(clips, "chirp_7.wav"), "FILE", file, "BELOW", below)
		code, stdout, stderr := runCLI(t, strings.Fields(names.Replace(c.args))...)
		if want := names.Replace(c.want); code != exitFailed || stdout != "" || !strings.HasPrefix(stderr, "wavemill: "+want) || !strings.Contains(stderr, "not a directory") {
			t.Errorf("%s: exit code %d, %q\n%s", c.args, code, stdout, stderr)
		}
	}
}

// TestEndlessCheckpoints gives a device that never ends to every command that reads a checkpoint.
func TestEndlessCheckpoints(t *testing.T) {
	const zero = "/dev/zero"
	data := recordingsFolder(t, 4)
	out := filepath.Join(t.TempDir(), "out")
	for _, args := range []string{
		"generate --model ZERO --label a --out OUT", "export --model ZERO --out OUT", "latents --model ZERO --out OUT", "eval --model ZERO --data DATA",
		"topup --model ZERO --data DATA --to 9 --out OUT", "compare --model ZERO --data DATA --out OUT", "judge --data DATA --model ZERO --out OUT",
		"train --data DATA --init ZERO --out OUT --steps 1", "bench generate --model ZERO", "regenerate ZERO",
	} {
		code, stdout, stderr := runCLI(t, strings.Fields(strings.NewReplacer("ZERO", zero, "DATA", data, "OUT", out).Replace(args))...)
		if code != exitFailed || stdout != "" || !strings.Contains(stderr, zero+": is not a regular file") && !strings.Contains(stderr, zero+": is a device") {
			t.Errorf("%s: exit code %d, %q\n%s", args, code, stdout, stderr)
		}
	}
}

// TestFilterIsNoModel gives a filter to commands that take a model.
func TestFilterIsNoModel(t *testing.T) {
	data := recordingsFolder(t, 4)
	c, err := models.Read(trainSmall(t, data, "vae", 2))
	if err != nil {
		t.Fatal(err)
	}
	c.Arch = models.FilterArch
	file, out := filepath.Join(t.TempDir(), "filter.safetensors"), filepath.Join(t.TempDir(), "out")
	if err := c.Write(file); err != nil {
		t.Fatal(err)
	}
	for _, args := range [][]string{{"generate", "--label", "chirp"}, {"export"}, {"latents"}, {"topup", "--data", data, "--to", "9"}} {
		code, _, stderr := runCLI(t, append(args, "--model", file, "--out", out)...)
		if code != exitFailed || !strings.Contains(stderr, file) || !strings.Contains(stderr, "this is a filter") {
			t.Errorf("%s: exit code %d\n%s", args[0], code, stderr)
		}
	}
}

// TestFailedGenerationIsNoSuccess makes the folder of the clips unusable after the check.
func TestFailedGenerationIsNoSuccess(t *testing.T) {
	model, out := trainSmall(t, recordingsFolder(t, 4), "vae", 2), t.TempDir()
	if err := os.Mkdir(filepath.Join(out, "chirp_7.wav"), 0o700); err != nil { // in the place of the clip
		t.Fatal(err)
	}
	code, _, stderr := runCLI(t, "generate", "--model", model, "--label", "chirp", "--seed", "7", "--out", out)
	if code != exitFailed || strings.Contains(stderr, "1 clips in") || !strings.Contains(stderr, "generate: stopped at 0/1 clips") {
		t.Errorf("exit code %d\n%s", code, stderr)
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
	progress := &spoiler{spoil: func() { // The first line comes after the folder was tried, which was not there before.
		if err := os.WriteFile(folder, nil, 0o600); err != nil {
			t.Error(err)
		}
	}}
	args := []string{"eval", "--model", model, "--data", data, "--test", recordingsFolder(t, 9), "--useful=false", "--clips", "6", "--html", filepath.Join(folder, "page.html")}
	if code := quickExecute(t.Context(), args, &out, progress); code != exitFailed || !strings.Contains(out.String(), "1-NN") {
		t.Errorf("exit code %d, %s", code, out.String())
	}
}
