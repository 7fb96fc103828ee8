package main

import (
	"bytes"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"wavemill/audio/dataset"
	"wavemill/audio/synth"
	"wavemill/models"
	"wavemill/models/architectures"
	"wavemill/models/frontend"
)

func TestPlanCommand(t *testing.T) {
	data := recordingsFolder(t, 12)
	stdout, _ := mustRun(t, "plan", "--data", data, "--json", "--ceiling", "fast")
	got := decodeLines[planReport](t, stdout)
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
		"no data":       {[]string{"plan"}, exitUsage, "--data is missing"},
		"odd mels":      {[]string{"plan", "--data", data, "--mels", "20"}, exitUsage, "multiples of 16"},
		"odd frames":    {[]string{"plan", "--data", data, "--frames", "20"}, exitUsage, "multiples of 16"},
		"wide hop":      {[]string{"plan", "--data", data, "--hop", "400"}, exitUsage, "hop"},
		"ceiling":       {[]string{"plan", "--data", data, "--ceiling", "high"}, exitUsage, "auto, full, fast, off"},
		"no file":       {[]string{"plan", "--data", data, "--front-end", "none.json"}, exitFailed, "none.json"},
		"wrong file":    {[]string{"plan", "--data", data, "--front-end", wrong}, exitFailed, "framse"},
		"channels":      {[]string{"train", "--data", data, "--out", "x", "--channels", "many"}, exitUsage, "--channels"},
		"resume, wider": {[]string{"train", "--data", data, "--out", wrong, "--resume", "--channels", "8"}, exitUsage, "--resume keeps"},
		"resume, finer": {[]string{"train", "--data", data, "--out", wrong, "--resume", "--mels", "128"}, exitUsage, "--resume keeps"},
	} {
		var out, errOut bytes.Buffer
		code := execute(t.Context(), c.args, nil, &out, &errOut)
		if code != c.code || !strings.Contains(errOut.String(), c.want) {
			t.Errorf("%s: exit %d, %q; want %d and %q", name, code, errOut.String(), c.code, c.want)
		}
	}
}

// A ceiling warns where labels or spectra suffer, where clips are cut and values clamped, and else is silent.
func TestCeilingWarnings(t *testing.T) {
	fe := frontend.Plan(nil, nil)
	good := frontend.Ceiling{Clips: 100, LogSpectral: 5, SpectralSNR: 15, SNR: -12, Cut: 0.02, Lost: 0.001}
	for name, c := range map[string]struct {
		change func(*ceiling)
		want   []string
	}{
		"good":               {func(*ceiling) {}, nil},
		"labels lost":        {func(c *ceiling) { c.Classifier = &ceilingLabels{300, 0.98, 0.90, 0.016, 1} }, []string{"98.0 % of the recordings, and 90.0 %", "--mels 128"}},
		"labels by chance":   {func(c *ceiling) { c.Classifier = &ceilingLabels{20, 0.95, 0.90, 0.05, 1} }, nil},
		"labels kept":        {func(c *ceiling) { c.Classifier = &ceilingLabels{300, 0.98, 0.97, 0.01, 1} }, nil},
		"spectra":            {func(c *ceiling) { c.LogSpectral = 8 }, []string{"may be the bottleneck", "--n-fft 256"}},
		"magnitudes":         {func(c *ceiling) { c.SpectralSNR = 2 }, []string{"may be the bottleneck"}},
		"cut":                {func(c *ceiling) { c.Cut, c.Lost = 0.5, 0.2 }, []string{"50 % of the clips are cut", "--frames 128"}},
		"cut, but inaudibly": {func(c *ceiling) { c.Cut = 0.5 }, nil},
		"clamped":            {func(c *ceiling) { c.Clamped = 0.01 }, []string{"above the scaling's range"}},
	} {
		x := ceiling{Ceiling: good}
		c.change(&x)
		got := strings.Join(x.warnings(fe), "\n")
		for _, want := range c.want {
			if !strings.Contains(got, want) {
				t.Errorf("%s: %q lacks %q", name, got, want)
			}
		}
		if c.want == nil && got != "" {
			t.Errorf("%s: %q", name, got)
		}
	}
}

// The classifier is in the ceiling where it is asked for, or where a twentieth of the budget is enough for it.
func TestCeilingHearsLabels(t *testing.T) {
	for name, c := range map[string]struct {
		mode   string
		budget time.Duration
		some   bool
	}{"a short budget": {ceilingAuto, 2 * time.Minute, false}, "a long one": {ceilingAuto, 10 * time.Minute, true}, "fast": {ceilingFast, 10 * time.Minute, false}, "full": {ceilingFull, 0, true}} {
		o := frontOptions{ceiling: c.mode}
		if got := o.classifierTime(c.budget); (got != 0) != c.some || got > c.budget/20 {
			t.Errorf("%s: %v", name, got)
		}
	}
	a := &app{out: io.Discard, err: io.Discard, logFormat: "auto", logLevel: "info", progressMode: "off"}
	if err := a.setup(t.Context()); err != nil {
		t.Fatal(err)
	}
	var recordings []recording
	for i := range uint64(40) {
		for _, class := range []string{"bell", "hihat", "kick"} {
			clip, err := synth.Clip(class, i, 8000)
			if err != nil {
				t.Fatal(err)
			}
			name := fmt.Sprintf("%s_%d", class, i)
			recordings = append(recordings, recording{item: dataset.Item{Path: name, Name: name, Label: class}, clip: clip})
		}
	}
	c, err := a.measureCeiling(t.Context(), planFrontEnd(recordings), recordings, 2*time.Second)
	if err != nil {
		t.Fatal(err)
	}
	// Two seconds teach little, but the round trip changes little of what is heard.
	if l := c.Classifier; l == nil || l.Clips < 10 || l.Real < 0.4 || l.RoundTrip < l.Real-0.35 {
		t.Errorf("%+v", l)
	}
}
