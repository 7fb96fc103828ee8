package main

import (
	"bytes"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"wavemill/models"
	"wavemill/models/architectures"
	"wavemill/models/frontend"
	"wavemill/models/training"
)

func TestPlanCommand(t *testing.T) {
	data := recordingsFolder(t, 12)
	stdout, _ := mustRun(t, "plan", "--data", data, "--json", "--ceiling", "fast")
	got := decodeLines[training.Plan](t, stdout)
	if len(got) != 1 || got[0].FrontEnd.Spectrogram.SampleRate != 8000 || got[0].Labels != 3 || got[0].Clips.Clips != 36 || got[0].Ceiling == nil || got[0].Ceiling.Classifier != nil || got[0].Ceiling.LogSpectral <= 0 {
		t.Fatalf("plan --json: %s", stdout)
	}
	// What plan prints, train takes.
	file := filepath.Join(t.TempDir(), "plan.json")
	if err := os.WriteFile(file, []byte(stdout), 0o644); err != nil {
		t.Fatal(err)
	}
	model := filepath.Join(t.TempDir(), "m.safetensors")
	mustRun(t, "train", "--data", data, "--out", model, "--steps", "1", "--front-end", file, "--mels", "32", "--channels", "8", "--ceiling", "off")
	c, err := models.Read(model)
	if err != nil {
		t.Fatal(err)
	}
	if want := (frontend.Overrides{Mels: 32}).Apply(got[0].FrontEnd); c.FrontEnd != want {
		t.Errorf("front end %+v, want %+v", c.FrontEnd, want)
	}
	if channels, set, err := architectures.Width(c.Arch, c.Config); channels != 8 || !set || err != nil {
		t.Errorf("%d channels, error %v", channels, err)
	}
	stdout, _ = mustRun(t, "plan", "--data", data, "--mels", "16", "--ceiling", "off", "--frames", "16")
	for _, want := range []string{"plan      8000 Hz", "16 mel bins", "16 frames", "clips     36 of 3 labels"} {
		if !strings.Contains(stdout, want) {
			t.Errorf("plan lacks %q:\n%s", want, stdout)
		}
	}
}

func TestPlanRefuses(t *testing.T) {
	data := recordingsFolder(t, 2)
	wrong := filepath.Join(t.TempDir(), "wrong.json")
	if err := os.WriteFile(wrong, []byte(`{"framse": 3}`), 0o644); err != nil {
		t.Fatal(err)
	}
	for name, c := range map[string]struct {
		args []string
		code int
		want string
	}{
		"no data":    {[]string{"plan"}, exitUsage, "--data is missing"},
		"odd mels":   {[]string{"plan", "--data", data, "--mels", "20"}, exitUsage, "multiples of 16"},
		"odd frames": {[]string{"plan", "--data", data, "--frames", "20"}, exitUsage, "multiples of 16"},
		"wide hop":   {[]string{"plan", "--data", data, "--hop", "400"}, exitUsage, "hop"},
		"ceiling":    {[]string{"plan", "--data", data, "--ceiling", "high"}, exitUsage, "auto, full, fast, off"},
		"no file":    {[]string{"plan", "--data", data, "--front-end", "none.json"}, exitFailed, "none.json"},
		"wrong file": {[]string{"plan", "--data", data, "--front-end", wrong}, exitFailed, "framse"},
		"channels":   {[]string{"train", "--data", data, "--out", "x", "--channels", "many"}, exitUsage, "--channels"},
	} {
		var out, errOut bytes.Buffer
		code := execute(t.Context(), c.args, nil, &out, &errOut)
		if code != c.code || !strings.Contains(errOut.String(), c.want) {
			t.Errorf("%s: exit %d, %q; want %d and %q", name, code, errOut.String(), c.code, c.want)
		}
	}
}
