package benchmark

import (
	"strings"
	"testing"

	"wavemill/models/eval"
)

// TestGainsHaveTheirBaseline checks the lines of the table about generated clips: what recordings alone give, what
// augmentation gives, and a verdict on the difference that the clips make.
func TestGainsHaveTheirBaseline(t *testing.T) {
	run := func(model string, after float64, gain eval.Interval) Run {
		g := eval.Gain{
			Share: 0.05, Alone: 0.6, Before: 0.9, After: after, Points: 100 * (after - 0.9),
			Intervals: eval.Intervals{"recordings_alone": {0.5, 0.7}, "real_only": {0.85, 0.95}, "with_synthetic": {after - 0.1, after + 0.05}, "gain_points": gain},
		}
		few := g
		return Run{Model: model, Seed: 1, Few: &few, Row: eval.Row{Kind: "model", Usefulness: &eval.Usefulness{Added: []eval.Gain{g}}}}
	}
	r := Result{FewShare: 0.05, Models: []Run{run("good", 0.94, eval.Interval{1, 7}), run("bad", 0.85, eval.Interval{-9, -2}), run("idle", 0.91, eval.Interval{-1, 3})}}
	for _, name := range []string{"good", "bad", "idle"} {
		r.Means = append(r.Means, means(name, r.runsOf(name)))
	}
	text := r.Markdown()
	for _, want := range []string{
		"| 5 % of the recordings alone: accuracy, % | 60.0 [50.0, 70.0] |",
		"| … with tuned augmentation | 90.0 [85.0, 95.0] |",
		"| … with tuned augmentation and clips | 94.0 [84.0, 99.0] | 85.0 [75.0, 90.0] |",
		"| points gained by clips beside 5 % of the recordings, beyond augmentation | 4.0 [1.0, 7.0]: use them | -5.0 [-9.0, -2.0]: do not use them | 1.0 [-1.0, 3.0]: no difference shown |",
		"| points gained by clips of a model that learnt from 5 % of the recordings, beyond augmentation of those | 4.0 [1.0, 7.0]: use them |",
	} {
		if !strings.Contains(text, want) {
			t.Errorf("no %q in\n%s", want, text)
		}
	}
	// Where recordings without augmentation are better, they count.
	worse := run("worse", 0.94, eval.Interval{1, 7})
	for _, g := range []*eval.Gain{worse.Few, &worse.Row.Usefulness.Added[0]} {
		g.OverAlone, g.Intervals["over_alone_points"] = -4, eval.Interval{-8, 1}
	}
	mixed := Result{FewShare: 0.05, Models: []Run{worse}, Means: []Means{means("worse", []Run{worse})}}
	if text := mixed.Markdown(); strings.Count(text, "4.0 [1.0, 7.0]: no difference shown |") != 2 || strings.Count(text, "| … over recordings without augmentation | -4.0 [-8.0, 1.0] |") != 2 {
		t.Errorf("\n%s", text)
	}
	if strings.Count(text, "with tuned augmentation and clips") != 2 {
		t.Errorf("not for both kinds of gains:\n%s", text)
	}
	// A result of an older version has no accuracy without augmentation.
	old := run("old", 0.9, eval.Interval{0, 1})
	delete(old.Row.Usefulness.Added[0].Intervals, "recordings_alone")
	old.Few = nil
	r = Result{Models: []Run{old}, Means: []Means{means("old", []Run{old})}}
	if text := r.Markdown(); strings.Contains(text, "alone: accuracy") || !strings.Contains(text, "beyond augmentation | 0.0 [0.0, 1.0]: no difference shown |") {
		t.Errorf("\n%s", text)
	}
}
