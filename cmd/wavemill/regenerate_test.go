package main

import (
	"bytes"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"wavemill/models/sampling"
)

func TestRegenerate(t *testing.T) {
	data := recordingsFolder(t, 6)
	dir := t.TempDir()
	model, other := filepath.Join(dir, "model.safetensors"), filepath.Join(t.TempDir(), "other.safetensors")
	mustRun(t, "train", "--data", data, "--out", model, "--steps", "3", "--seed", "5")
	mustRun(t, "train", "--data", data, "--out", other, "--steps", "3", "--seed", "6")
	// Temperature is part of what a file says.
	stdout, _ := mustRun(t, "generate", "--model", model, "--label", "all", "--n", "2", "--seed", "40", "--temperature", "0.7", "--out", dir, "--json")
	var files []string
	for _, clip := range decodeLines[sampling.ClipFacts](t, stdout) {
		files = append(files, clip.File)
	}

	// The checkpoint is found beside the files.
	again := filepath.Join(t.TempDir(), "again")
	stdout, _ = mustRun(t, append([]string{"regenerate", "--json", "--out", again}, files...)...)
	for i, r := range decodeLines[sampling.Regenerated](t, stdout) {
		if !r.Same || r.File != files[i] {
			t.Errorf("%+v, want the same bytes as %s", r, files[i])
		}
		a, err := os.ReadFile(files[i])
		if err != nil {
			t.Fatal(err)
		}
		b, err := os.ReadFile(r.Out)
		if err != nil || !bytes.Equal(a, b) {
			t.Errorf("%s differs from %s (%v)", r.Out, files[i], err)
		}
	}

	edited := filepath.Join(dir, "edited.wav")
	sound, err := os.ReadFile(files[0])
	if err != nil {
		t.Fatal(err)
	}
	at := bytes.Index(sound, []byte("data")) + 8
	sound[at]++
	if err := os.WriteFile(edited, sound, 0o600); err != nil {
		t.Fatal(err)
	}
	recording, err := filepath.Glob(filepath.Join(data, "*", "*.wav"))
	if err != nil || len(recording) == 0 {
		t.Fatalf("no recordings (%v)", err)
	}
	// A file that cannot be generated again does not hide the others.
	code, stdout, stderr := runCLI(t, "regenerate", "--json", recording[0], edited, filepath.Join(dir, "absent.wav"), files[1])
	if r := decodeLines[sampling.Regenerated](t, stdout); code != exitFailed || len(r) != 2 || r[0].File != edited || r[0].Same || !r[1].Same {
		t.Errorf("exit code %d, %s", code, stdout)
	}
	for _, want := range []string{recording[0] + ": ", "absent.wav: ", "1 of 4 files differ"} {
		if !strings.Contains(stderr, want) {
			t.Errorf("no %q in %s", want, stderr)
		}
	}
	far := filepath.Join(again, filepath.Base(files[0])) // no checkpoint beside it or above
	checkSearch(t, dir, files[0], far)
	for name, c := range map[string]struct {
		args []string
		code int
		want string
	}{
		"edited":        {[]string{edited}, exitFailed, "1 of 1 files differ"},
		"recording":     {[]string{recording[0]}, exitFailed, "names no model"},
		"another model": {[]string{"--model", other, files[0]}, exitFailed, "generated it; "},
		"no model":      {[]string{far}, exitFailed, again + " or " + filepath.Dir(again) + " or "},
		"name it":       {[]string{far}, exitFailed, "with --model"},
		"absent":        {[]string{filepath.Join(dir, "absent.wav")}, exitFailed, "no such file"},
		"no file":       {nil, exitUsage, "needs a generated WAV file"},
	} {
		code, _, stderr := runCLI(t, append([]string{"regenerate"}, c.args...)...)
		if code != c.code || !strings.Contains(stderr, c.want) {
			t.Errorf("%s: exit code %d, %s", name, code, stderr)
		}
	}
}

// checkSearch regenerates clips whose checkpoint lies in dir: README's layout, where the clips lie in a folder below, and
// a clip that lies elsewhere, with dir as the working directory. It leaves another working directory.
func checkSearch(t *testing.T, dir, clip, elsewhere string) {
	t.Helper()
	below := filepath.Join(dir, "clips", "three.wav")
	if err := os.Mkdir(filepath.Dir(below), 0o755); err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(below, read(t, clip), 0o600); err != nil {
		t.Fatal(err)
	}
	mustRun(t, "regenerate", below)
	t.Chdir(dir)
	mustRun(t, "regenerate", elsewhere)
	t.Chdir(t.TempDir())
}
