package training_test

import (
	"encoding/json"
	"slices"
	"strings"
	"testing"

	"wavemill/audio/spectrogram"
	"wavemill/models/eval"
	"wavemill/models/frontend"
	"wavemill/models/training"
)

// A ceiling warns where labels or spectra suffer, where clips are cut and values clamped, and not otherwise.
func TestCeilingWarnings(t *testing.T) {
	fe := frontend.Plan(nil, nil)
	good := frontend.Ceiling{Clips: 100, LogSpectral: 5, SpectralSNR: 15, SNR: -12, Cut: 0.02, Lost: 0.001}
	for name, c := range map[string]struct {
		change func(*training.Ceiling)
		want   []string
	}{
		"good": {func(*training.Ceiling) {}, nil},
		"labels lost": {func(c *training.Ceiling) {
			c.Classifier = &training.CeilingLabels{Clips: 300, Real: 0.98, RoundTrip: 0.90, Error: 0.016, Seconds: 1}
		}, []string{"98.0 % of the recordings, and 90.0 %", "--mels 128"}},
		"labels by chance": {func(c *training.Ceiling) {
			c.Classifier = &training.CeilingLabels{Clips: 20, Real: 0.95, RoundTrip: 0.90, Error: 0.05, Seconds: 1}
		}, nil},
		"labels kept": {func(c *training.Ceiling) {
			c.Classifier = &training.CeilingLabels{Clips: 300, Real: 0.98, RoundTrip: 0.97, Error: 0.01, Seconds: 1}
		}, nil},
		"spectra":            {func(c *training.Ceiling) { c.LogSpectral = 8 }, []string{"may be the bottleneck", "--n-fft 256"}},
		"magnitudes":         {func(c *training.Ceiling) { c.SpectralSNR = 2 }, []string{"may be the bottleneck"}},
		"cut":                {func(c *training.Ceiling) { c.Cut, c.Lost = 0.5, 0.2 }, []string{"50 % of the clips are cut", "--frames 128"}},
		"cut, but inaudibly": {func(c *training.Ceiling) { c.Cut = 0.5 }, nil},
		"clamped":            {func(c *training.Ceiling) { c.Clamped = 0.01 }, []string{"above the scaling's range", "Leave --front-end out"}},
		"clamped one-shots":  {func(c *training.Ceiling) { c.Clamped = 0.01 }, []string{"come back quieter than the rest of their clips"}},
	} {
		x, fe := training.Ceiling{Ceiling: good}, fe
		if strings.Contains(name, "one-shots") {
			fe.Spectrogram = spectrogram.OneShot(44100)
		}
		c.change(&x)
		got := strings.Join(x.Warnings(fe), "\n")
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

// The classifier of a ceiling predicts recordings that it did not learn from, before and after the round trip.
func TestMeasureCeiling(t *testing.T) {
	if testing.Short() {
		t.Skip("trains a classifier")
	}
	recordings := lasting(t, 40, 3000)
	var progress int
	fe := frontend.PlanFor(nil)
	c, err := training.MeasureCeiling(t.Context(), fe, recordings, -1, func(eval.Progress) { progress++ })
	if err != nil {
		t.Fatal(err)
	}
	// The round trip changes little.
	if l := c.Classifier; l == nil || l.Clips < 10 || l.Real < 0.8 || l.RoundTrip < l.Real-0.35 || progress == 0 {
		t.Errorf("%+v, progress %d", l, progress)
	}
	if c, err := training.MeasureCeiling(t.Context(), fe, recordings[:9], -1, nil); err != nil || c.Classifier != nil {
		t.Errorf("a classifier of nine recordings: %+v, %v", c, err)
	}
}

func TestMakePlan(t *testing.T) {
	recordings := synthetic(t, 4)
	fe := frontend.PlanFor(nil)
	p, err := training.MakePlan(t.Context(), fe, recordings, training.PlanOptions{Ceiling: true})
	if err != nil || p.Labels != 3 || p.Clips.Clips != 12 || p.Ceiling == nil || p.Seconds <= 0 {
		t.Fatalf("%+v, %v", p, err)
	}
	text, err := json.Marshal(p)
	if err != nil {
		t.Fatal(err)
	}
	for _, field := range []string{`"front_end":`, `"seconds":`, `"labels":3`, `"clips":{`, `"ceiling":{"clips":12`, `"log_spectral_db":`, `"warnings":[`} {
		if !strings.Contains(string(text), field) {
			t.Errorf("no %s in %s", field, text)
		}
	}
	lines := p.Lines()
	if !slices.ContainsFunc(lines, func(l string) bool { return strings.HasPrefix(l, "ceiling   a round trip") }) || !strings.HasPrefix(lines[2], "clips     12 of 3 labels") {
		t.Errorf("%q", lines)
	}
	p, err = training.MakePlan(t.Context(), fe, recordings, training.PlanOptions{})
	if err != nil || p.Ceiling != nil || p.Warnings == nil {
		t.Errorf("%+v, %v", p, err)
	}
	fe.Frames = 0
	if _, err := training.MakePlan(t.Context(), fe, recordings, training.PlanOptions{}); err == nil {
		t.Error("a front end without frames")
	}
}
