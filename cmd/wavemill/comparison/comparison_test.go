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
	"wavemill/models/eval"
)

// model is a row of a model that is fit to ship.
func model(name string, alone, frechet float64) eval.Row {
	return eval.Row{
		Name: name, Kind: "model", Clips: 900, LabelAccuracy: 0.95, DiversityRatio: 0.9, InceptionRatio: 0.8,
		Frechet: frechet, FrechetRatio: frechet,
		Confusion:  [][]int{{9, 1}, {0, 10}},
		Usefulness: &eval.Usefulness{Alone: alone, Real: 0.99, Ratio: alone / 0.99, Added: []eval.Gain{{Share: 0.05, RealClips: 45, Added: 900, Before: 0.9, After: 0.94, Points: 4}}},
		Training:   &eval.Training{Arch: name, CPUSeconds: 100, Steps: 10, PerClip: 2},
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

func TestVerdict(t *testing.T) {
	alarmed, collapsed, silent, deaf := model("a", 0.98, 1), model("b", 0.98, 1), model("c", 0.98, 1), model("d", 0.98, 1)
	alarmed.Memorisation.Alarm = true
	collapsed.DiversityRatio = 0.1
	silent.Silent = 0.5
	deaf.LabelAccuracy = 0.2
	plain, better := model("plain", 0, 2), model("better", 0, 3)
	plain.Usefulness, better.Usefulness = nil, nil
	better.LabelAccuracy = 0.999
	for name, c := range map[string]struct {
		report eval.Report
		ship   string
		says   []string
	}{
		"the more useful one":            {reported(model("vae", 0.98, 3), model("gan", 0.8, 2)), "vae", []string{"name 98.0 % of the 300", "gan sounds nearer", "18.0 points less", "from 90.0 to 94.0 %"}},
		"of equals the nearer one":       {reported(model("vae", 0.98, 3), model("gan", 0.975, 2)), "gan", []string{"vae is no different"}},
		"behind in both":                 {reported(model("vae", 0.98, 2), model("gan", 0.8, 3)), "vae", []string{"gan is 18.0 points behind"}},
		"none fit":                       {reported(alarmed, collapsed, silent, deaf), "", []string{"Ship none", "gives training clips back", "collapsed", "silent", "heard as what was asked"}},
		"the unfit one is out":           {reported(alarmed, model("vae", 0.9, 9)), "vae", []string{"a is out"}},
		"without usefulness by accuracy": {reported(plain, better), "better", []string{"99.9 % of its clips are heard"}},
		"no models":                      {reported(), "", []string{"Ship none"}},
	} {
		v := comparison.Decide(c.report)
		text := strings.Join(append([]string{v.Headline}, v.Reasons...), "\n")
		if v.Ship != c.ship {
			t.Errorf("%s: ships %q, want %q", name, v.Ship, c.ship)
		}
		for _, want := range c.says {
			if !strings.Contains(text, want) {
				t.Errorf("%s: no %q in\n%s", name, want, text)
			}
		}
		if len(v.Cautions) != 0 || v.Cautions == nil || v.Reasons == nil {
			t.Errorf("%s: cautions %#v, reasons %#v", name, v.Cautions, v.Reasons)
		}
	}
}

func TestCautions(t *testing.T) {
	r := reported(model("vae", 0.98, 3))
	r.HeldOut, r.Evaluator = 40, eval.EvaluatorAccuracy{Accuracy: 0.8}
	r.Rows[1].FrechetRatio = 3
	text := strings.Join(comparison.Decide(r).Cautions, "\n")
	for _, want := range []string{"names only 80.0 %", "Only 40 recordings", "front end is a bottleneck"} {
		if !strings.Contains(text, want) {
			t.Errorf("no %q in\n%s", want, text)
		}
	}
}

func page() comparison.Page {
	r := reported(model("vae", 0.98, 3), model("<b>gan</b>", 0.8, 2))
	sound := report.Sound{Name: "clip 1", WAV: []byte("RIFF"), PNG: []byte("PNG")}
	return comparison.Page{
		Title: "title", Made: time.Unix(0, 0).UTC(), Report: r, Verdict: comparison.Decide(r), Command: "wavemill compare",
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
	for _, want := range []string{"Ship vae.", "data:audio/wav;base64,UklGRg==", "data:image/png;base64,", "<polyline", "&lt;b&gt;gan&lt;/b&gt;", `class="best">0.980`, "vae: loss", "Written 1970-01-01"} {
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
