package comparison

import (
	"cmp"
	"fmt"
	"math"
	"slices"

	"wavemill/models/eval"
)

// A Verdict says which model to ship, and why.
type Verdict struct {
	Ship     string   `json:"ship"`     // name of the model; empty where none is fit
	Headline string   `json:"headline"` // one sentence
	Reasons  []string `json:"reasons"`
	Cautions []string `json:"cautions"`
}

// Limits beyond which a model is not to be shipped.
const (
	collapsed   = 0.3  // diversity within a label, of that of recordings
	mostSilent  = 0.05 // share of clips without sound
	leastRight  = 0.5  // share of clips heard as asked
	tieStandard = 2    // standard errors within which two models are equal
)

// Decide reaches a verdict. What counts is what the clips are good for: the accuracy on held-out recordings of
// classifiers trained on them alone or, where that was not measured, the share of clips heard as asked. Models that
// differ by less than chance are equal; then the Fréchet distance decides.
func Decide(r eval.Report) Verdict {
	v := Verdict{Reasons: []string{}, Cautions: cautions(r)}
	models := ofKind(r, "model")
	var fit []eval.Row
	for _, m := range models {
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
	slices.SortStableFunc(fit, func(a, b eval.Row) int { return cmp.Compare(worth(b), worth(a)) })
	margin := tieStandard * math.Sqrt2 * standardError(fit[0], r.HeldOut)
	equals := fit
	for i, m := range fit {
		if worth(fit[0])-worth(m) > margin {
			equals = fit[:i]
			break
		}
	}
	best := slices.MinFunc(equals, func(a, b eval.Row) int { return cmp.Compare(a.Frechet, b.Frechet) })
	v.Ship, v.Headline = best.Name, fmt.Sprintf("Ship %s.", best.Name)
	v.Reasons = append([]string{strength(best, r)}, v.Reasons...)
	for _, m := range fit {
		if m.Name != best.Name {
			v.Reasons = append(v.Reasons, against(best, m, margin))
		}
	}
	v.Reasons = append(v.Reasons, gain(best)...)
	return v
}

// worth is the figure that decides, 0 to 1.
func worth(m eval.Row) float64 {
	if m.Usefulness != nil {
		return m.Usefulness.Alone
	}
	return m.LabelAccuracy
}

// standardError is that of worth as a share of n trials.
func standardError(m eval.Row, heldOut int) float64 {
	n := heldOut
	if m.Usefulness == nil {
		n = m.Clips
	}
	// Half a clip either way keeps a perfect score from looking certain.
	p := min(worth(m), 1-0.5/float64(max(n, 1)))
	return math.Sqrt(p * (1 - p) / float64(max(n, 1)))
}

// unfit says why a model must not be shipped, or nothing.
func unfit(m eval.Row) string {
	switch {
	case m.Memorisation.Alarm:
		return fmt.Sprintf("it gives training clips back (one clip in twenty is within %.0f %% of the usual distance to one)", 100*m.Memorisation.Spectrogram)
	case m.DiversityRatio < collapsed && hasPairs(m):
		return fmt.Sprintf("it has collapsed: its clips of one label differ only %.0f %% as much as recordings do", 100*m.DiversityRatio)
	case m.Silent > mostSilent:
		return fmt.Sprintf("%.0f %% of its clips are silent", 100*m.Silent)
	case m.LabelAccuracy < leastRight:
		return fmt.Sprintf("only %.0f %% of its clips are heard as what was asked for", 100*m.LabelAccuracy)
	}
	return ""
}

// hasPairs tells whether there are two clips of a label, so that diversity could be measured.
func hasPairs(m eval.Row) bool {
	for _, row := range m.Confusion {
		n := 0
		for _, heard := range row {
			n += heard
		}
		if n > 1 {
			return true
		}
	}
	return false
}

// strength says what speaks for a model.
func strength(m eval.Row, r eval.Report) string {
	if u := m.Usefulness; u != nil {
		return fmt.Sprintf("Classifiers trained on its clips alone name %.1f %% of the %d held-out recordings rightly; trained on recordings they name %.1f %%.",
			100*u.Alone, r.HeldOut, 100*u.Real)
	}
	return fmt.Sprintf("%.1f %% of its clips are heard as what was asked for.", 100*m.LabelAccuracy)
}

// against says how a model compares with the best.
func against(best, m eval.Row, margin float64) string {
	what := "with the same clips heard as asked"
	if m.Usefulness != nil {
		what = "by that measure"
	}
	d := 100 * (worth(best) - worth(m))
	switch {
	case math.Abs(d) <= 100*margin && m.Frechet > best.Frechet:
		return fmt.Sprintf("%s is no different %s (%.1f %%, within chance), but its clips are further from real ones: %.1f against %.1f times the distance of fresh recordings.",
			m.Name, what, 100*worth(m), m.FrechetRatio, best.FrechetRatio)
	case m.Frechet < best.Frechet:
		return fmt.Sprintf("%s sounds nearer to recordings (%.1f against %.1f times the distance of fresh ones), but is worth less: %.1f points less.",
			m.Name, m.FrechetRatio, best.FrechetRatio, d)
	}
	return fmt.Sprintf("%s is %.1f points behind, and further from recordings.", m.Name, d)
}

// gain says what adding the clips to recordings brings.
func gain(m eval.Row) []string {
	if m.Usefulness == nil || len(m.Usefulness.Added) == 0 {
		return nil
	}
	best := slices.MaxFunc(m.Usefulness.Added, func(a, b eval.Gain) int { return cmp.Compare(a.Points, b.Points) })
	if best.Points <= 0 {
		return []string{"Adding its clips to recordings does not help a classifier here: use them where recordings are missing."}
	}
	return []string{fmt.Sprintf("Added to %d recordings, its clips lift a classifier from %.1f to %.1f %%.", best.RealClips, 100*best.Before, 100*best.After)}
}

// cautions are what limits the whole comparison.
func cautions(r eval.Report) []string {
	out := []string{}
	if !r.Evaluator.Trusted {
		out = append(out, fmt.Sprintf("The judge names only %.1f %% of held-out recordings rightly; below %.0f %% its figures are no more than a comparison.",
			100*r.Evaluator.Accuracy, 100*eval.Gate))
	}
	if r.HeldOut < 100 {
		out = append(out, fmt.Sprintf("Only %d recordings were held out: differences of a few points are chance.", r.HeldOut))
	}
	for _, c := range ofKind(r, "ceiling") {
		if c.FrechetRatio > 2 || c.LabelAccuracy < r.Evaluator.Accuracy-0.02 {
			out = append(out, fmt.Sprintf("The front end is a bottleneck: real recordings sent through it and back are heard rightly in %.1f %% and lie %.1f times as far from the training clips. More bins or a shorter hop would help all models.",
				100*c.LabelAccuracy, c.FrechetRatio))
		}
	}
	return out
}
