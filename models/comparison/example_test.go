package comparison_test

import (
	"fmt"

	"wavemill/models/comparison"
	"wavemill/models/eval"
)

// The verdict prefers a model only where the interval of the difference does not hold 0.
func ExampleDecide() {
	row := func(name string, accuracy, frechet float64) eval.Row {
		return eval.Row{
			Name: name, Kind: "model", LabelAccuracy: accuracy, Frechet: frechet, FrechetRatio: frechet, DiversityRatio: 1,
			Intervals: eval.Intervals{
				"label_accuracy": {accuracy - 0.02, accuracy + 0.02},
				"frechet":        {frechet - 0.5, frechet + 0.5},
			},
		}
	}
	report := comparison.Report{Report: eval.Report{HeldOut: 300, Evaluator: eval.EvaluatorAccuracy{Trusted: true}}}
	report.Rows = []eval.Row{row("vae", 0.95, 1.6), row("gan", 0.94, 1.5)}
	fmt.Println(comparison.Decide(report).Headline)
	report.Rows[1] = row("gan", 0.80, 1.5)
	fmt.Println(comparison.Decide(report).Headline)
	// Output:
	// No difference between vae and gan: ship any of them.
	// Ship vae.
}
