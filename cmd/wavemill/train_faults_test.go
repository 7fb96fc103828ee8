package main

import (
	"context"
	"io"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"wavemill/audio"
	"wavemill/audio/wav"
	"wavemill/models"
	"wavemill/models/training"
)

// quickTraining are the arguments of a training that takes no time.
func quickTraining(t *testing.T, data, out string, more ...string) []string {
	t.Helper()
	return append([]string{
		"train", "--model", "vae", "--data", data, "--out", out, "--config", smallModel(t), "--batch", "8", "--ceiling", "off", "--no-curves",
	}, more...)
}

// What makes a training useless is found before it, not after it.
func TestTrainChecksFirst(t *testing.T) {
	data, dir := recordingsFolder(t, 4), t.TempDir()
	file := filepath.Join(dir, "file")
	if err := os.WriteFile(file, nil, 0o600); err != nil {
		t.Fatal(err)
	}
	for name, c := range map[string]struct {
		out  string
		more []string
		code int
		want string
	}{
		"no budget":          {filepath.Join(dir, "a"), []string{"--budget", "0s"}, exitUsage, "--budget must be positive"},
		"no steps":           {filepath.Join(dir, "a"), []string{"--steps", "0"}, exitUsage, "--steps must be positive"},
		"a folder's name":    {filepath.Join(dir, "none") + "/", []string{"--steps", "1"}, exitFailed, "it names a folder"},
		"a folder":           {dir, []string{"--steps", "1", "--overwrite"}, exitFailed, "it is a folder"},
		"no folder possible": {filepath.Join(file, "m.safetensors"), []string{"--steps", "1"}, exitFailed, "not a directory"},
		"a group's value":    {filepath.Join(dir, "a"), []string{"--steps", "1", "--hold-out", "speaker"}, exitUsage, "FIELD=VALUE"},
		"two fields":         {filepath.Join(dir, "a"), []string{"--steps", "1", "--hold-out", "speaker=x", "--hold-out", "kit=y"}, exitUsage, "grouped by speaker"},
	} {
		code, _, stderr := runCLI(t, quickTraining(t, data, c.out, c.more...)...)
		if code != c.code || !strings.Contains(stderr, c.want) {
			t.Errorf("%s: exit code %d, %q; want %d and %q", name, code, stderr, c.code, c.want)
		}
		if strings.Contains(stderr, "to learn from") {
			t.Errorf("%s: found after the training began", name)
		}
	}
}

// Two trainings do not write to one checkpoint.
func TestTrainLocksItsOutput(t *testing.T) {
	data, out := recordingsFolder(t, 4), filepath.Join(t.TempDir(), "m.safetensors")
	release, err := training.LockOutput(out)
	if err != nil {
		t.Fatal(err)
	}
	if code, _, stderr := runCLI(t, quickTraining(t, data, out, "--steps", "1")...); code != exitFailed || !strings.Contains(stderr, "another training writes to this file") {
		t.Errorf("exit code %d, %s", code, stderr)
	}
	if err := release(); err != nil {
		t.Fatal(err)
	}
	mustRun(t, quickTraining(t, data, out, "--steps", "1")...)
	if entries, err := os.ReadDir(filepath.Dir(out)); err != nil || len(entries) != 1 {
		t.Errorf("%v, %v", entries, err)
	}
}

// --resume takes the first command line again, and refuses flags that the checkpoint contradicts.
func TestResumeAgreesWithTheCheckpoint(t *testing.T) {
	data, out := recordingsFolder(t, 4), filepath.Join(t.TempDir(), "m.safetensors")
	// smallModel's file is another for each call, with the same content.
	first := func(steps string, more ...string) []string {
		return quickTraining(t, data, out, append([]string{"--steps", steps, "--channels", "2", "--latent", "4", "--mels", "32", "--frames", "32", "--seed", "3"}, more...)...)
	}
	mustRun(t, first("2")...)
	mustRun(t, first("3", "--resume")...)
	if c, err := models.Read(out); err != nil || c.Step != 3 {
		t.Fatalf("step %d, %v", c.Step, err)
	}
	mustRun(t, "train", "--resume", "--data", data, "--out", out, "--steps", "4", "--no-curves")
	other := filepath.Join(t.TempDir(), "other.json")
	if err := os.WriteFile(other, []byte(`{"embedding":8}`), 0o600); err != nil {
		t.Fatal(err)
	}
	for _, c := range []struct{ flags, want string }{
		{"--model gan", "the checkpoint is a vae, not a gan"},
		{"--channels 8", "the network of the checkpoint, 2 channels"},
		{"--latent 2", "latent is another one"},
		{"--config " + other, "embedding is another one"},
		{"--mels 64", "the front end of the checkpoint (n-fft"},
		{"--frames 64", "frames 32"},
		{"--n-fft 128", "the front end of the checkpoint"},
		{"--hold-out speaker=theo", "the split of the checkpoint"},
	} {
		args := append([]string{"train", "--resume", "--data", data, "--out", out, "--steps", "5", "--no-curves"}, strings.Fields(c.flags)...)
		if code, _, stderr := runCLI(t, args...); code != exitUsage || !strings.Contains(stderr, c.want) {
			t.Errorf("%s: exit code %d, %q; want %q", c.flags, code, stderr, c.want)
		}
	}
	if c, err := models.Read(out); err != nil || c.Step != 4 {
		t.Errorf("step %d after refused flags, %v", c.Step, err)
	}
}

// An interruption is reported as one, with the command to go on: not as an end, and not as an error of the program.
func TestInterruptionIsNotAnEnd(t *testing.T) {
	data := recordingsFolder(t, 4)
	for _, limit := range [][]string{{"--steps", "500000"}, {"--budget", "10m"}} {
		for until, want := range map[string]string{"held out": "wavemill: interrupted at step ", "recordings, ": "wavemill: interrupted before the first step; nothing was saved"} {
			ctx, cancel := context.WithCancel(t.Context())
			var text strings.Builder
			stderr := writerFunc(func(p []byte) (int, error) {
				if text.Write(p); strings.Contains(string(p), until) {
					cancel()
				}
				return len(p), nil
			})
			args := quickTraining(t, data, filepath.Join(t.TempDir(), "m.safetensors"), limit...)
			if code := execute(ctx, args, strings.NewReader(""), io.Discard, stderr); code != exitFailed {
				t.Errorf("exit code %d", code)
			}
			cancel()
			got := text.String()
			if !strings.Contains(got, want) {
				t.Errorf("%q is missing in\n%s", want, got)
			}
			for _, wrong := range []string{"context canceled", "100%", "100 %", "train: done"} {
				if strings.Contains(got, wrong) {
					t.Errorf("%q in\n%s", wrong, got)
				}
			}
		}
	}
}

// Constant recordings have no variance: they are trained on, with a warning.
func TestConstantRecordings(t *testing.T) {
	data := t.TempDir()
	for i := range 12 {
		c := audio.Clip{Samples: make([]float32, 4000), Channels: 1, Rate: 8000}
		for j := range c.Samples {
			c.Samples[j] = 0.5
		}
		c.Samples[i] = 0.25 // no two files are equal
		b, err := wav.Encode(c, wav.Options{NoDither: true})
		if err != nil {
			t.Fatal(err)
		}
		name := filepath.Join(data, string(rune('a'+i%2)), string(rune('a'+i))+".wav")
		if err := os.MkdirAll(filepath.Dir(name), 0o755); err != nil {
			t.Fatal(err)
		}
		if err := os.WriteFile(name, b, 0o600); err != nil {
			t.Fatal(err)
		}
	}
	out := filepath.Join(t.TempDir(), "m.safetensors")
	stdout, _ := mustRun(t, quickTraining(t, data, out, "--steps", "4", "--json")...)
	if r := decodeLines[training.Report](t, stdout)[0]; r.Steps != 4 {
		t.Errorf("%s", stdout)
	}
}

// A tenth of the recordings is held out, and the checkpoint says which.
func TestTrainRecordsItsData(t *testing.T) {
	data, out := recordingsFolder(t, 12), filepath.Join(t.TempDir(), "m.safetensors")
	_, stderr := mustRun(t, quickTraining(t, data, out, "--steps", "2", "--seed", "7")...)
	c, err := models.Read(out)
	if err != nil {
		t.Fatal(err)
	}
	d := c.Data
	if d == nil || d.Seed != 7 || d.Share != 0.1 || d.Validation != 0.05 || len(d.HeldOut) < 3 || len(d.Learnt)+len(d.Chosen)+len(d.HeldOut) != 36 {
		t.Fatalf("%+v", d)
	}
	if !strings.Contains(stderr, "held out") {
		t.Errorf("%s", stderr)
	}
}
