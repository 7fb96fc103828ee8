package main

import (
	"maps"
	"slices"

	"wavemill/cmd/wavemill/report"
	"wavemill/models/training"
)

// lossCurves returns the losses of a training as the page draws them.
func lossCurves(model string, h training.History) []report.Curve {
	var out []report.Curve
	for _, name := range slices.Sorted(maps.Keys(h.Losses)) {
		c := report.Curve{Name: model + ": " + name, Lines: []report.Line{{Name: "training", Steps: h.Steps, Values: h.Losses[name]}}}
		if v := h.Val[name]; len(v) > 0 {
			c.Lines = append(c.Lines, report.Line{Name: "validation", Steps: h.Evals, Values: v})
		}
		out = append(out, c)
	}
	return out
}
