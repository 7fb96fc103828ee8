package eval_test

import (
	"context"
	"fmt"
	"log"

	"wavemill/audio"
	"wavemill/audio/synth"
	"wavemill/models/eval"
)

// recordings returns n synthetic recordings of each of two labels.
func recordings(n int, seed uint64) []audio.Clip {
	var clips []audio.Clip
	for i := range n {
		for _, class := range []string{"kick", "bell"} {
			c, err := synth.Clip(class, seed+uint64(i), 8000)
			if err != nil {
				log.Fatal(err)
			}
			clips = append(clips, c)
		}
	}
	return clips
}

// A filter keeps generated clips that are no silence, no copies of training clips and, by a classifier trained on these,
// what was requested.
func ExampleFilter() {
	ctx := context.Background()
	train := recordings(12, 0)
	classifier, err := eval.Train(ctx, train, eval.Options{Epochs: 20})
	if err != nil {
		log.Fatal(err)
	}
	filter, err := eval.NewFilter(ctx, classifier, train, 0.5)
	if err != nil {
		log.Fatal(err)
	}
	generated := recordings(1, 900) // stand for a model's
	copied, silent := train[4], generated[0]
	silent.Samples = make([]float32, 4000)
	results, err := filter.Check(ctx, append(generated, copied, silent))
	if err != nil {
		log.Fatal(err)
	}
	for _, r := range results {
		fmt.Printf("%v %q\n", r.OK, r.Reason)
	}
	// Output:
	// true ""
	// true ""
	// false "copy"
	// false "silent"
}

// Two rows read from JSON are compared by their intervals.
func ExampleCompare() {
	a := eval.Row{Name: "vae", LabelAccuracy: 0.95, Intervals: eval.Intervals{"label_accuracy": {0.93, 0.97}}}
	b := eval.Row{Name: "gan", LabelAccuracy: 0.94, Intervals: eval.Intervals{"label_accuracy": {0.92, 0.96}}}
	d, _ := eval.Compare(a, b, "label_accuracy")
	fmt.Printf("%.2f [%.2f, %.2f] none: %v\n", d.Value, d.Interval[0], d.Interval[1], d.None)
	// Output: 0.01 [-0.02, 0.04] none: true
}
