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
		seeds = []uint64{1, 2, 3}
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
			hits, err := testHits(ctx, part, seed, steps)
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
