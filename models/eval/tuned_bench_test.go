package eval_test

import (
	"fmt"
	"math/rand/v2"
	"testing"

	"wavemill/audio"
	"wavemill/models/eval"
)

// BenchmarkTuned measures the classifier with tuned augmentation on few of the spoken digits: for five draws, it trains
// on so many recordings and tests on all others, with the policy chosen or given. Run it with `make few`.
func BenchmarkTuned(b *testing.B) {
	all, _ := spokenDigits(b, 1<<30)
	for _, n := range []int{27, 135} {
		for name, policies := range map[string][]eval.Policy{"chosen": nil, "medium": eval.Policies()[2:3]} {
			b.Run(fmt.Sprintf("recordings=%d/policy=%s", n, name), func(b *testing.B) {
				for b.Loop() {
					measureTuned(b, all, n, policies)
				}
			})
		}
	}
}

// measureTuned trains and tests on five draws of n recordings.
func measureTuned(b *testing.B, all []audio.Clip, n int, policies []eval.Policy) {
	const draws = 5
	mean := 0.0
	for seed := range uint64(draws) {
		train, test := draw(all, n, seed+1)
		c, tuning, err := eval.TrainTuned(b.Context(), train, eval.TunedOptions{Seed: seed + 1, Policies: policies})
		if err != nil {
			b.Fatal(err)
		}
		a := accuracy(b, c, test)
		fmt.Printf("%d recordings, draw %d: %.4f of %d others; policy %s of %+v\n", n, seed+1, a, len(test), tuning.Policy.Name, tuning.Policies)
		mean += a / draws
	}
	b.ReportMetric(mean, "accuracy")
	b.ReportMetric(b.Elapsed().Seconds()/draws, "s/classifier")
}

// draw returns n clips, as many of each label as of the others, give or take one, and all other clips.
func draw(all []audio.Clip, n int, seed uint64) (some, others []audio.Clip) {
	rng := rand.New(rand.NewPCG(seed, 0x64726177))
	var labels []string
	room := map[string]int{}
	for _, c := range all {
		if _, known := room[c.Label]; !known {
			room[c.Label] = 0
			labels = append(labels, c.Label)
		}
	}
	for i, at := range rng.Perm(len(labels)) {
		room[labels[at]] = (n + len(labels) - 1 - i) / len(labels)
	}
	for _, i := range rng.Perm(len(all)) {
		if c := all[i]; room[c.Label] > 0 {
			room[c.Label]--
			some = append(some, c)
		} else {
			others = append(others, c)
		}
	}
	return some, others
}
