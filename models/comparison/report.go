package comparison

import (
	"fmt"
	"slices"

	"wavemill/models/eval"
	"wavemill/models/training"
)

// A Report is what an evaluation found.
type Report struct {
	eval.Report
	// HeldOut are the recordings that figures were measured on. Trusted is false where a model may have seen some of them:
	// its checkpoint does not record what it was trained on.
	HeldOut []training.HeldOut `json:"held_out"`
	Trusted bool               `json:"held_out_trusted"`
	// Warnings say what limits the figures.
	Warnings []string `json:"warnings"`
	// Differences between each two models, figure by figure; empty for a single model.
	Differences []eval.Difference `json:"differences,omitempty"`
}

// Differences compares each two models in every figure of the table that has intervals.
func Differences(rows []eval.Row) []eval.Difference {
	var out []eval.Difference
	compared := ofKind(rows, "model")
	for i, a := range compared {
		for _, b := range compared[i+1:] {
			for _, name := range differing(a) {
				if d, ok := eval.Compare(a, b, name); ok {
					out = append(out, d)
				}
			}
		}
	}
	return out
}

// differing are the figures by which models are compared.
func differing(row eval.Row) []string {
	var names []string
	for _, f := range tableFigures() {
		if f.key != "" {
			names = append(names, f.key)
		}
	}
	if row.Usefulness != nil {
		for _, g := range row.Usefulness.Added {
			names = append(names, eval.FigureGain(g.Share))
		}
	}
	return names
}

// ofKind returns the rows of a kind, in order.
func ofKind(rows []eval.Row, kind string) []eval.Row {
	return slices.DeleteFunc(slices.Clone(rows), func(r eval.Row) bool { return r.Kind != kind })
}

// percent prints a share with its interval in per cent, as "95.0 % [93.1, 96.4]".
func percent(v float64, i eval.Interval) string {
	if i == (eval.Interval{}) {
		return fmt.Sprintf("%.1f %%", 100*v)
	}
	return fmt.Sprintf("%.1f %% [%.1f, %.1f]", 100*v, 100*i[0], 100*i[1])
}

// bracketed prints a value with its interval, as "0.98 [0.96, 0.99]", by a format of one value.
func bracketed(format string, v float64, i eval.Interval) string {
	if i == (eval.Interval{}) {
		return fmt.Sprintf(format, v)
	}
	return fmt.Sprintf(format+" ["+format+", "+format+"]", v, i[0], i[1])
}
