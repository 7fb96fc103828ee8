package comparison_test

import (
	"encoding/json"
	"strings"
	"testing"

	"wavemill/models/comparison"
	"wavemill/models/eval"
)

// model is a row of a model that is fit to ship, with intervals of two points either way on usefulness and of a tenth on the
// Fréchet distance.
func model(name string, alone, frechet float64) eval.Row {
	return eval.Row{
		Name: name, Kind: "model", Clips: 900, LabelAccuracy: 0.95, DiversityRatio: 0.9, InceptionRatio: 0.8,
		Frechet: frechet, FrechetRatio: frechet,
		Confusion: [][]int{{9, 1}, {0, 10}},
		Usefulness: &eval.Usefulness{
			Alone: alone, Real: 0.99, Ratio: alone / 0.99,
			Intervals: eval.Intervals{"trained_on_synthetic": around(alone, 0.02), "trained_on_real": around(0.99, 0.005)},
			Added: []eval.Gain{{
				Share: 0.05, RealClips: 45, Added: 900, Before: 0.9, After: 0.94, Points: 4, Intervals: eval.Intervals{"gain_points": {1, 7}},
			}},
		},
		Training:  &eval.Training{Arch: name, CPUSeconds: 100, Steps: 10, PerClip: 2},
		Intervals: eval.Intervals{"label_accuracy": around(0.95, 0.01), "frechet": around(frechet, 0.1), "frechet_ratio": around(frechet, 0.1)},
	}
}

func around(v, half float64) eval.Interval { return eval.Interval{v - half, v + half} }

// reported is a report of models measured on 300 held-out recordings.
func reported(models ...eval.Row) comparison.Report {
	rows := []eval.Row{
		{Name: "real", Kind: "real", LabelAccuracy: 0.99, FrechetRatio: 1, DiversityRatio: 1},
		{Name: "ceiling", Kind: "ceiling", LabelAccuracy: 0.99, FrechetRatio: 1.1, DiversityRatio: 1},
	}
	return comparison.Report{Report: eval.Report{
		Labels: []string{"no", "yes"}, TrainClips: 900, HeldOut: 300, Rows: append(rows, models...),
		Evaluator: eval.EvaluatorAccuracy{Accuracy: 0.99, Trusted: true},
	}}
}

func TestVerdict(t *testing.T) {
	alarmed, collapsed, silent, wrong := model("a", 0.98, 1), model("b", 0.98, 1), model("c", 0.98, 1), model("d", 0.98, 1)
	alarmed.Memorisation.Alarm = true
	collapsed.DiversityRatio = 0.1
	silent.Silent = 0.5
	wrong.LabelAccuracy = 0.2
	plain, better := model("plain", 0, 2), model("better", 0, 3)
	plain.Usefulness, better.Usefulness = nil, nil
	better.LabelAccuracy, better.Intervals["label_accuracy"] = 0.999, around(0.999, 0.001)
	bare, barer := model("bare", 0.98, 2), model("barer", 0.8, 9)
	for _, m := range []*eval.Row{&bare, &barer} {
		m.Intervals, m.Usefulness.Intervals = nil, nil
	}
	useless := model("useless", 0.9, 2)
	useless.Usefulness.Added[0].None = true
	for name, c := range map[string]struct {
		report comparison.Report
		ship   string
		equal  string
		says   []string
	}{
		"the more useful one":               {reported(model("vae", 0.98, 3), model("gan", 0.8, 2)), "vae", "", []string{"98.0 % [96.0, 100.0] of the 300", "gan is behind vae", "-18.0 points [-20.8, -15.2]", "though its clips are nearer", "(+4.0 points [+1.0, +7.0])"}},
		"of equals the nearer one":          {reported(model("vae", 0.98, 3), model("gan", 0.975, 2)), "gan", "", []string{"vae does not differ from gan", "further from recordings (Fréchet ratio +1.00 [+0.86, +1.14])"}},
		"equal in both":                     {reported(model("vae", 0.98, 2.05), model("gan", 0.975, 2)), "", "vae gan", []string{"No difference between vae and gan"}},
		"equal in both, the third apart":    {reported(model("vae", 0.98, 2.05), model("gan", 0.975, 2), model("flow", 0.7, 1)), "", "vae gan", []string{"flow is behind vae"}},
		"without intervals there is no one": {reported(bare, barer), "", "bare barer", nil},
		"behind in both":                    {reported(model("vae", 0.98, 2), model("gan", 0.8, 3)), "vae", "", []string{"gan is behind vae", "and its clips are further from recordings"}},
		"none fit":                          {reported(alarmed, collapsed, silent, wrong), "", "", []string{"Ship none", "copies of training recordings", "collapsed", "silent", "classified as requested"}},
		"the unfit one is out":              {reported(alarmed, model("vae", 0.9, 9)), "vae", "", []string{"a is out"}},
		"without usefulness by accuracy":    {reported(plain, better), "better", "", []string{"99.9 % [99.8, 100.0] of the clips of better"}},
		"no gain":                           {reported(useless), "useless", "", []string{"are not shown to help a classifier beyond augmentation"}},
		"no models":                         {reported(), "", "", []string{"Ship none"}},
	} {
		v := comparison.Decide(c.report)
		text := strings.Join(append([]string{v.Headline}, v.Reasons...), "\n")
		if v.Ship != c.ship || strings.Join(v.Equal, " ") != c.equal {
			t.Errorf("%s: ships %q, equal %q; want %q, %q", name, v.Ship, v.Equal, c.ship, c.equal)
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
	r.Report.HeldOut, r.Evaluator, r.Quick = 40, eval.EvaluatorAccuracy{Accuracy: 0.8, Intervals: eval.Intervals{"accuracy": {0.6, 0.9}}}, true
	r.Rows[1].FrechetRatio = 3
	r.Rows[2].Memorisation.Reason = "12 generated clips are too few"
	r.Warnings = []string{"not to be trusted"}
	text := strings.Join(comparison.Decide(r).Cautions, "\n")
	for _, want := range []string{"only 80.0 % [60.0, 90.0]", "Only 40 recordings", "front end is a bottleneck", "Quick", "could not be measured: 12 generated", "not to be trusted"} {
		if !strings.Contains(text, want) {
			t.Errorf("no %q in\n%s", want, text)
		}
	}
	// A bottleneck within chance is none.
	r.Rows[1].Intervals = eval.Intervals{"frechet_ratio": {0.5, 4}}
	if text := strings.Join(comparison.Decide(r).Cautions, "\n"); strings.Contains(text, "bottleneck") {
		t.Errorf("a ratio of 3 [0.5, 4]:\n%s", text)
	}
}

func TestTable(t *testing.T) {
	vae, gan := model("vae", 0.98, 3), model("gan", 0.8, 2.95)
	vae.NotMeasured = map[string]string{"inception_ratio": "it is 0 of the real clips"}
	r := reported(vae, gan)
	r.Warnings = []string{"not to be trusted"}
	columns := map[string]comparison.Column{}
	for _, c := range comparison.Columns(r.Report) {
		columns[c.Name] = c
	}
	useful := columns["Train on it, test on real"]
	if useful.Difference != "vae" || !useful.Cells[2].Best || useful.Cells[3].Best || useful.Cells[2].Text != "0.980 [0.960, 1.000]" || useful.Cells[0].Text != "–" {
		t.Errorf("%+v", useful)
	}
	distance := columns["Fréchet distance / real"]
	if distance.Difference != "none" || distance.Cells[2].Best || distance.Cells[3].Best {
		t.Errorf("a difference of 0.05 with intervals of 0.1 either way: %+v", distance)
	}
	if c := columns["Steps"]; c.Difference != "" {
		t.Errorf("steps are ranked: %+v", c)
	}
	if c := columns["Inception score / real"]; c.Cells[2].Text != "–" || c.Cells[3].Text != "0.800" {
		t.Errorf("a figure that was not measured: %+v", c)
	}
	var b strings.Builder
	if err := comparison.WriteTable(&b, r); err != nil {
		t.Fatal(err)
	}
	for _, want := range []string{"Fréchet/real", "3.00 [2.90, 3.10]", "none", "better", "+4.0 points [+1.0, +7.0]", "inception_ratio was not measured: it is 0", "warning: not to be trusted"} {
		if !strings.Contains(b.String(), want) {
			t.Errorf("no %q in\n%s", want, b.String())
		}
	}
	if one := comparison.Columns(reported(vae).Report); one[0].Difference != "" || one[0].Cells[2].Best {
		t.Errorf("a single model is the best: %+v", one[0])
	}
}

func TestDifferences(t *testing.T) {
	d := comparison.Differences(reported(model("vae", 0.98, 3), model("gan", 0.8, 3.05), model("flow", 0.8, 9)).Rows)
	found := map[string]bool{}
	for _, x := range d {
		found[x.A+"-"+x.B+" "+x.Figure] = x.None
	}
	for name, none := range map[string]bool{
		"vae-gan " + eval.FigureAlone: false, "vae-gan frechet_ratio": true, "vae-flow frechet_ratio": false, "gan-flow " + eval.FigureAlone: true,
		"vae-gan " + eval.FigureGain(0.05): true,
	} {
		if got, ok := found[name]; !ok || got != none {
			t.Errorf("%s: none %v (found %v)", name, got, ok)
		}
	}
	text, err := json.Marshal(comparison.Report{Differences: d})
	if err != nil || !strings.Contains(string(text), `"held_out_trusted"`) || !strings.Contains(string(text), `"held_out_clips"`) {
		t.Errorf("%s, error %v", text, err)
	}
}
