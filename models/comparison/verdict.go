package comparison

import (
	"cmp"
	"fmt"
	"math"
	"slices"
	"strings"

	"wavemill/models/eval"
	"wavemill/models/eval/metric"
)

// A Verdict says which model to ship, and why.
type Verdict struct {
	// Ship names the model. It is empty where none is fit and where several do not differ, which Equal then names.
	Ship     string   `json:"ship"`
	Equal    []string `json:"equal,omitempty"`
	Headline string   `json:"headline"` // one sentence
	Reasons  []string `json:"reasons"`
	Cautions []string `json:"cautions"`
}

// Limits beyond which a model is not to be shipped.
const (
	mostSilent = 0.05 // share of clips without sound
	leastRight = 0.5  // share of clips classified as requested
)

// Decide reaches a verdict. The figure that decides is what the clips are good for: the accuracy on held-out recordings of
// classifiers trained on them alone or, where that was not measured, the share of clips classified as requested. Among
// models that do not differ in it, the Fréchet distance decides. Models that do not differ in that either are equal, and
// none of them is preferred. Two models differ where the 95 % interval of their difference does not hold 0.
func Decide(r Report) Verdict {
	v := Verdict{Reasons: []string{}, Cautions: cautions(r)}
	var fit []eval.Row
	for _, m := range ofKind(r.Rows, "model") {
		if why := unfit(m); why != "" {
			v.Reasons = append(v.Reasons, fmt.Sprintf("%s is out: %s.", m.Name, why))
			continue
		}
		fit = append(fit, m)
	}
	if len(fit) == 0 {
		v.Headline = "Ship none of them yet."
		v.Reasons = append(v.Reasons, "Give the training more time (--budget) or more recordings, then compare again.")
		return v
	}
	figure := deciding(fit)
	slices.SortStableFunc(fit, func(a, b eval.Row) int { return cmp.Compare(worth(b), worth(a)) })
	equals := undistinguished(fit[0], fit, figure)
	nearest := slices.MinFunc(equals, func(a, b eval.Row) int { return cmp.Compare(a.Frechet, b.Frechet) })
	best := undistinguished(nearest, equals, "frechet")
	if len(best) == 1 {
		v.Ship, v.Headline = best[0].Name, fmt.Sprintf("Ship %s.", best[0].Name)
	} else {
		for _, m := range best {
			v.Equal = append(v.Equal, m.Name)
		}
		v.Headline = fmt.Sprintf("No difference between %s: ship any of them.", list(v.Equal))
	}
	var reasons []string
	for _, m := range best {
		reasons = append(reasons, strength(m, r))
	}
	v.Reasons = append(reasons, v.Reasons...)
	for _, m := range fit {
		if !slices.ContainsFunc(best, func(b eval.Row) bool { return b.Name == m.Name }) {
			v.Reasons = append(v.Reasons, against(best[0], m, figure))
		}
	}
	for _, m := range best {
		v.Reasons = append(v.Reasons, gain(m)...)
	}
	return v
}

// deciding is the JSON name of the figure that decides.
func deciding(rows []eval.Row) string {
	if slices.ContainsFunc(rows, func(m eval.Row) bool { return m.Usefulness == nil }) {
		return "label_accuracy"
	}
	return eval.FigureAlone
}

// worth is the value of that figure, 0 to 1.
func worth(m eval.Row) float64 {
	if m.Usefulness != nil {
		return m.Usefulness.Alone
	}
	return m.LabelAccuracy
}

// undistinguished returns best and those that do not differ from it in a figure. Rows without intervals do not differ.
func undistinguished(best eval.Row, rows []eval.Row, figure string) []eval.Row {
	var out []eval.Row
	for _, m := range rows {
		d, ok := eval.Compare(best, m, figure)
		if m.Name == best.Name || !ok || d.None {
			out = append(out, m)
		}
	}
	return out
}

// list joins names as a sentence does.
func list(names []string) string {
	last := len(names) - 1
	return strings.Join(names[:last], ", ") + " and " + names[last]
}

// unfit says why a model must not be shipped, or nothing.
func unfit(m eval.Row) string {
	switch {
	case m.Memorisation.Alarm:
		return fmt.Sprintf("its clips are copies of training recordings (one clip in twenty is within %.0f %% of the usual distance to one)", 100*m.Memorisation.Spectrogram)
	case m.DiversityRatio < metric.CollapseLimit && hasPairs(m):
		return fmt.Sprintf("it has collapsed: its clips of one label differ only %.0f %% as much as recordings do", 100*m.DiversityRatio)
	case m.Silent > mostSilent:
		return fmt.Sprintf("%.0f %% of its clips are silent", 100*m.Silent)
	case m.LabelAccuracy < leastRight:
		return fmt.Sprintf("only %.0f %% of its clips are classified as requested", 100*m.LabelAccuracy)
	}
	return ""
}

// hasPairs reports whether diversity could be measured: there are two clips of a label, and recordings to divide by.
func hasPairs(m eval.Row) bool {
	for _, name := range []string{"diversity", "diversity_ratio"} {
		if _, missing := m.NotMeasured[name]; missing {
			return false
		}
	}
	for _, row := range m.Confusion {
		n := 0
		for _, assigned := range row {
			n += assigned
		}
		if n > 1 {
			return true
		}
	}
	return false
}

// strength says what a model achieves.
func strength(m eval.Row, r Report) string {
	if u := m.Usefulness; u != nil {
		return fmt.Sprintf("Classifiers trained on clips of %s alone are right about %s of the %d held-out recordings; trained on recordings, about %s.",
			m.Name, percent(u.Alone, u.Intervals["trained_on_synthetic"]), r.Report.HeldOut, percent(u.Real, u.Intervals["trained_on_real"]))
	}
	return fmt.Sprintf("%s of the clips of %s are classified as requested.", percent(m.LabelAccuracy, m.Intervals["label_accuracy"]), m.Name)
}

// against says how a model compares with one that is better.
func against(best, m eval.Row, figure string) string {
	what := map[string]string{"label_accuracy": "label accuracy", eval.FigureAlone: "what classifiers learn from its clips"}[figure]
	use, known := eval.Compare(m, best, figure)
	distance, measured := eval.Compare(m, best, "frechet_ratio")
	nearness := ""
	if measured && !distance.None {
		nearness = fmt.Sprintf("its clips are %s recordings (Fréchet ratio %+.2f [%+.2f, %+.2f])",
			map[bool]string{true: "nearer to", false: "further from"}[distance.Value < 0], distance.Value, distance.Interval[0], distance.Interval[1])
	}
	if !known || use.None {
		text := fmt.Sprintf("%s does not differ from %s in %s", m.Name, best.Name, what)
		if known {
			text += " " + points(use)
		}
		if nearness != "" {
			text += ", but " + nearness
		}
		return text + "."
	}
	text := fmt.Sprintf("%s is behind %s in %s %s", m.Name, best.Name, what, points(use))
	switch {
	case nearness != "" && distance.Value < 0:
		text += ", though " + nearness
	case nearness != "":
		text += ", and " + nearness
	}
	return text + "."
}

// points prints a difference of shares.
func points(d eval.Difference) string {
	return fmt.Sprintf("(%+.1f points [%+.1f, %+.1f])", 100*d.Value, 100*d.Interval[0], 100*d.Interval[1])
}

// gain says what adding the clips to recordings brings beyond augmentation.
func gain(m eval.Row) []string {
	if m.Usefulness == nil || len(m.Usefulness.Added) == 0 {
		return nil
	}
	helpful := slices.DeleteFunc(slices.Clone(m.Usefulness.Added), func(g eval.Gain) bool {
		return g.Points <= 0 || g.None || g.Intervals == nil || g.Conclusion() != eval.UseThem
	})
	if len(helpful) == 0 {
		return []string{fmt.Sprintf("Clips of %s added to recordings are not shown to help a classifier beyond augmentation of the recordings.", m.Name)}
	}
	best := slices.MaxFunc(helpful, func(a, b eval.Gain) int { return cmp.Compare(a.Points, b.Points) })
	i := best.Intervals["gain_points"]
	return []string{fmt.Sprintf("Added to %d recordings with augmentation, clips of %s raise a classifier's accuracy from %.1f to %.1f %% (%+.1f points [%+.1f, %+.1f]).",
		best.RealClips, m.Name, 100*best.Before, 100*best.After, best.Points, i[0], i[1])}
}

// cautions are what limits the whole comparison.
func cautions(r Report) []string {
	out := slices.Clone(r.Warnings)
	if out == nil {
		out = []string{}
	}
	if r.Quick {
		out = append(out, "Quick: one classifier of each kind, with fewer steps. The intervals leave out the deviation between trainings.")
	}
	if v := r.Evaluator; !v.Trusted {
		out = append(out, fmt.Sprintf("The evaluator assigns only %s of the held-out recordings to their label; below %.0f %% its figures are no more than a comparison.",
			percent(v.Accuracy, v.Intervals["accuracy"]), 100*eval.Gate))
	}
	if n := r.Report.HeldOut; n < 100 {
		out = append(out, fmt.Sprintf("Only %d recordings were held out: most differences are within chance.", n))
	}
	for _, m := range ofKind(r.Rows, "model") {
		if m.Memorisation.Reason != "" && !m.Memorisation.Alarm {
			out = append(out, fmt.Sprintf("Whether %s copies training recordings could not be measured: %s.", m.Name, m.Memorisation.Reason))
		}
	}
	return append(out, bottleneck(r)...)
}

// bottleneck warns where a front end costs more than chance.
func bottleneck(r Report) []string {
	var out []string
	real := ofKind(r.Rows, "real")
	for _, c := range ofKind(r.Rows, "ceiling") {
		far := c.FrechetRatio > 2
		if i, ok := c.Interval("frechet_ratio"); ok {
			far = far && i[0] > 1
		}
		worse := c.LabelAccuracy < r.Evaluator.Accuracy-0.02
		if len(real) > 0 {
			if d, ok := eval.Compare(c, real[0], "label_accuracy"); ok {
				worse = worse && !d.None
			}
		}
		if far || worse {
			i := c.Intervals["frechet_ratio"]
			out = append(out, fmt.Sprintf("The front end is a bottleneck: of real recordings sent through it and back %s are classified rightly, and they lie %s times as far from the training clips as recordings do. More bins or a shorter hop would help all models.",
				percent(c.LabelAccuracy, c.Intervals["label_accuracy"]), bracketed("%.1f", math.Max(c.FrechetRatio, 0), i)))
		}
	}
	return out
}
