package comparison_test

import (
	"bytes"
	"errors"
	"math"
	"strings"
	"testing"
	"time"

	"wavemill/cmd/wavemill/comparison"
	"wavemill/cmd/wavemill/report"
	results "wavemill/models/comparison"
	"wavemill/models/eval"
)

// model is a row of a model that is fit to ship, with intervals of a point either way.
func model(name string, alone, frechet float64) eval.Row {
	return eval.Row{
		Name: name, Kind: "model", Clips: 900, LabelAccuracy: 0.95, DiversityRatio: 0.9, InceptionRatio: 0.8,
		Frechet: frechet, FrechetRatio: frechet,
		Confusion: [][]int{{9, 1}, {0, 10}},
		Usefulness: &eval.Usefulness{
			Alone: alone, Real: 0.99, Ratio: alone / 0.99,
			Intervals: eval.Intervals{"trained_on_synthetic": {alone - 0.01, alone + 0.01}},
			Added: []eval.Gain{{
				Share: 0.05, RealClips: 45, Added: 900, Before: 0.9, After: 0.94, Points: 4,
				Intervals: eval.Intervals{"gain_points": {1, 7}},
			}},
		},
		Training: &eval.Training{Arch: name, CPUSeconds: 100, Steps: 10, PerClip: 2},
	}
}

// reported is a report of models judged on 300 held-out recordings.
func reported(models ...eval.Row) eval.Report {
	rows := []eval.Row{
		{Name: "real", Kind: "real", LabelAccuracy: 0.99, FrechetRatio: 1, DiversityRatio: 1},
		{Name: "ceiling", Kind: "ceiling", LabelAccuracy: 0.99, FrechetRatio: 1.1, DiversityRatio: 1},
	}
	return eval.Report{
		Labels: []string{"no", "yes"}, TrainClips: 900, HeldOut: 300, Rows: append(rows, models...),
		Evaluator: eval.EvaluatorAccuracy{Accuracy: 0.99, Trusted: true},
	}
}

func page() comparison.Page {
	r := reported(model("vae", 0.98, 3), model("<b>gan</b>", 0.8, 2))
	sound := report.Sound{Name: "clip 1", WAV: []byte("RIFF"), PNG: []byte("PNG")}
	return comparison.Page{
		Title: "title", Made: time.Unix(0, 0).UTC(), Report: r, Verdict: results.Decide(results.Report{Report: r}), Command: "wavemill compare",
		Labels: []comparison.Label{{Name: "yes", Real: []report.Sound{sound}, Models: []comparison.Sounds{
			{Model: "vae", Clips: []comparison.Clip{{Sound: sound, Nearest: sound}, {Sound: report.Sound{Name: "silent", Doubted: true}}}},
		}}},
		Curves: []report.Curve{
			{Name: "vae: loss", Lines: []report.Line{{Name: "training", Steps: []float64{1, 2, 3}, Values: []float64{3, math.NaN(), 1}}}},
			{Name: "flat", Lines: []report.Line{{Name: "training", Steps: []float64{1, 2}, Values: []float64{1, 1}}}},
			{Name: "empty", Lines: []report.Line{{Name: "training"}}},
		},
		Facts: []report.Fact{{Name: "seed", Value: "1"}},
	}
}

// The page is one file that asks nobody for anything, and what it shows is escaped.
func TestPageIsSelfContained(t *testing.T) {
	var b bytes.Buffer
	if err := comparison.Write(&b, page()); err != nil {
		t.Fatal(err)
	}
	html := b.String()
	for _, want := range []string{"Ship vae.", "data:audio/wav;base64,UklGRg==", "data:image/png;base64,", "<polyline", "&lt;b&gt;gan&lt;/b&gt;", `class="best">0.980 [0.970, 0.990]`, "vae: loss", "Written 1970-01-01"} {
		if !strings.Contains(html, want) {
			t.Errorf("no %q in the page", want)
		}
	}
	for _, bad := range []string{"http://", "https://", "<b>gan</b>", "NaN", "Inf", "ZgotmplZ", "<no value>"} {
		if strings.Contains(html, bad) {
			t.Errorf("%q in the page", bad)
		}
	}
	if err := comparison.Write(&b, comparison.Page{}); err != nil {
		t.Errorf("an empty page: %v", err)
	}
	if err := comparison.Write(broken{}, page()); err == nil {
		t.Error("a full disk: no error")
	}
}

type broken struct{}

func (broken) Write([]byte) (int, error) { return 0, errors.New("no space left") }
