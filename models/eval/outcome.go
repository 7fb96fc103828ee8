package eval

import (
	"context"
	"errors"

	"wavemill/audio"
)

// Outcomes trains one classifier per arm and seed of t, on train together with the generated clips of the arm, and
// returns which test clips it names correctly: [arm][seed][test clip]. An arm without clips is the baseline. All
// classifiers make the same number of steps; with generated clips, the real clips of a label are at least half of what
// is trained on. All clips need labels, and test may have none that train lacks.
func (t Trial) Outcomes(ctx context.Context, train []audio.Clip, arms [][]audio.Clip, test []audio.Clip) ([][][]bool, error) {
	if len(train) == 0 || len(test) == 0 {
		return nil, errors.New("eval: a trial needs real clips to train on and others to test on")
	}
	seeds, steps := t.Seeds, t.Steps
	if len(seeds) == 0 {
		for seed := range uint64(Classifiers) {
			seeds = append(seeds, seed+1)
		}
	}
	if steps == 0 {
		steps = trialSteps
	}
	s, err := newTrialSet(ctx, train, test)
	if err != nil {
		return nil, err
	}
	out := make([][][]bool, len(arms))
	for a, clips := range arms {
		part := s
		if len(clips) > 0 {
			extra, err := s.batch(ctx, clips)
			if err != nil {
				return nil, err
			}
			part = s.with(extra)
		}
		for i, seed := range seeds {
			if t.OnProgress != nil {
				t.OnProgress(a*len(seeds)+i, len(arms)*len(seeds))
			}
			hits, err := plainRecipe(Options{Seed: seed}, 1, steps).testHits(ctx, part)
			if err != nil {
				return nil, err
			}
			right := make([]bool, len(hits))
			for k, hit := range hits {
				right[k] = hit == 1
			}
			out[a] = append(out[a], right)
		}
	}
	return out, nil
}

// OutcomeAccuracy returns the share of correct outcomes, [seed][test clip], and its 95 % interval by bootstrap over test
// clips and seeds.
func OutcomeAccuracy(outcomes [][]bool) (float64, Interval) {
	d := tableOf(outcomes).twoLevel(1, "accuracy", 0)
	return d.value, d.interval()
}

// OutcomeGain compares the outcomes of classifiers trained on real clips (before) with those of classifiers trained on
// the same and added generated clips (after).
func OutcomeGain(before, after [][]bool, recordings, added int) Gain {
	g := Gain{Share: 1, RealClips: recordings, Added: added}
	g.fill(tableOf(before).twoLevel(1, "before", 0), tableOf(after).twoLevel(1, "after", 0))
	return g
}
