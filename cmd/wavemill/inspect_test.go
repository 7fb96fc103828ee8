package main

import (
	"os"
	"path/filepath"
	"strings"
	"testing"

	"wavemill/audio"
	"wavemill/audio/wav"
	"wavemill/models"
	"wavemill/models/training"
)

// recorded writes a checkpoint with a record of its recordings, from a fixture without one.
func recorded(t *testing.T, data *models.TrainingData) string {
	t.Helper()
	c, err := models.Read(filepath.Join("testdata", "compat", "vae.safetensors"))
	if err != nil {
		t.Fatal(err)
	}
	c.Data = data
	path := filepath.Join(t.TempDir(), "model.safetensors")
	if err := c.Write(path); err != nil {
		t.Fatal(err)
	}
	return path
}

func TestInspectHeldOut(t *testing.T) {
	path := recorded(t, &models.TrainingData{
		Share: 0.1, Validation: 0.05, Seed: 9, Group: "speaker", HoldOut: []string{"speaker=theo"},
		Learnt:  []models.Recording{{Source: "0_a_1.wav", Label: "0", Digest: "aa"}, {Source: "1_a_1.wav", Label: "1", Digest: "bb"}},
		Chosen:  []models.Recording{{Source: "0_a_2.wav", Label: "0", Digest: "cc"}},
		HeldOut: []models.Recording{{Source: "0_theo_1.wav", Label: "0", Group: "theo", Digest: "dd", Print: "p"}},
	})
	stdout, _ := mustRun(t, "inspect", path, "--held-out", "--json")
	if want := `{"held_out":[{"source":"0_theo_1.wav","label":"0","digest":"dd"}]}` + "\n"; stdout != want {
		t.Errorf("%s, want %s", stdout, want)
	}
	stdout, _ = mustRun(t, "inspect", path, "--held-out")
	for _, want := range []string{"1 recording held out", "10 % of the recordings", "5 % of the others", "seed 9, by speaker, and speaker=theo", "0_theo_1.wav", "dd"} {
		if !strings.Contains(stdout, want) {
			t.Errorf("no %q in\n%s", want, stdout)
		}
	}
	stdout, _ = mustRun(t, "inspect", path)
	if want := "2 to learn from, 1 for validation, 1 held out ("; !strings.Contains(stdout, want) {
		t.Errorf("no %q in\n%s", want, stdout)
	}
	stdout, _ = mustRun(t, "inspect", path, "--json")
	facts := decodeLines[training.Facts](t, stdout)[0]
	if d := facts.Data; d == nil || d.Train != 2 || d.Validation != 1 || d.HeldOut != 1 || d.Share != 0.1 || d.Seed != 9 || d.HoldOut[0] != "speaker=theo" {
		t.Errorf("%s", stdout)
	}
}

// Where nothing was held out, the list is empty and not null.
func TestInspectHeldOutOfNothing(t *testing.T) {
	stdout, _ := mustRun(t, "inspect", recorded(t, &models.TrainingData{}), "--held-out", "--json")
	if stdout != `{"held_out":[]}`+"\n" {
		t.Errorf("%s", stdout)
	}
}

// A checkpoint of an earlier version does not say what it was trained on.
func TestInspectHeldOutWithoutRecord(t *testing.T) {
	old := filepath.Join("testdata", "compat", "vae.safetensors")
	for _, args := range [][]string{{"inspect", old, "--held-out"}, {"inspect", old, "--held-out", "--json"}} {
		code, stdout, stderr := runCLI(t, args...)
		if code != exitFailed || stdout != "" || !strings.Contains(stderr, "does not record which recordings were held out") {
			t.Errorf("%v: exit code %d, %q, %s", args, code, stdout, stderr)
		}
	}
	if stdout, _ := mustRun(t, "inspect", old); !strings.Contains(stdout, "recordings  not recorded") {
		t.Errorf("%s", stdout)
	}
	wav := filepath.Join("testdata", "compat", "vae-1_7.wav")
	if code, _, stderr := runCLI(t, "inspect", wav, "--held-out"); code != exitUsage || !strings.Contains(stderr, "--held-out is for checkpoints") {
		t.Errorf("a recording: exit code %d, %s", code, stderr)
	}
}

// A training lists what it held out in the form that evaluations use.
func TestInspectHeldOutOfATraining(t *testing.T) {
	model := filepath.Join(t.TempDir(), "model.safetensors")
	mustRun(t, "train", "--data", recordingsFolder(t, 12), "--out", model, "--model", "vae", "--steps", "2", "--seed", "5")
	stdout, _ := mustRun(t, "inspect", model, "--held-out", "--json")
	r := decodeLines[struct {
		HeldOut []training.HeldOut `json:"held_out"`
	}](t, stdout)[0]
	c, err := models.Read(model)
	if err != nil {
		t.Fatal(err)
	}
	if len(r.HeldOut) == 0 || len(r.HeldOut) != len(c.Data.HeldOut) || r.HeldOut[0].Digest == "" || r.HeldOut[0].Source == "" {
		t.Errorf("%s", stdout)
	}
}

// Names with escape sequences and line ends cannot write to the terminal.
func TestNamesAreEscaped(t *testing.T) {
	dir := t.TempDir()
	name := filepath.Join(dir, "a\x1b[2J\nb.wav")
	clip := audio.Clip{Samples: make([]float32, 100), Channels: 1, Rate: 8000}
	if err := wav.WriteFile(name, clip, wav.Options{Tags: map[string]string{"INAM": "x\x1by"}}); err != nil {
		t.Skip("the file system refuses such names: ", err)
	}
	if err := os.WriteFile(filepath.Join(dir, "\x1b.txt"), nil, 0o600); err != nil {
		t.Fatal(err)
	}
	for _, args := range [][]string{
		{"inspect", name}, {"inspect", filepath.Join(dir, "none\x1b\n.wav")}, {"convert", dir, "--labels", "prefix", "--out", filepath.Join(t.TempDir(), "o")}, {"plan", "--data", dir, "--ceiling", "off"},
	} {
		var stdout, stderr strings.Builder
		execute(t.Context(), args, strings.NewReader(""), &stdout, &stderr)
		text := stdout.String() + stderr.String()
		if strings.ContainsRune(text, '\x1b') || !strings.Contains(text, `\u001b`) || strings.Contains(text, "\nb.wav") || strings.Contains(text, "\n.wav") {
			t.Errorf("%q prints %q", args, text)
		}
	}
}
