package eval

import (
	"context"
	"errors"

	"wavemill/audio"
	"wavemill/models"
)

// A Trial asks whether generated clips help: it trains classifiers on real clips with and without them, with equally
// many steps, and tests both on real clips that neither has heard. With them, real clips of a label are at least half
// of what is learnt from.
type Trial struct {
	// Seeds of the classifiers; the accuracies are means over them. nil means three, because one training differs from
	// the next by as much as a small gain.
	Seeds []uint64
	// Steps of each classifier; 0 means 1000.
	Steps int
	// OnProgress, when not nil, is called before each training with how many are done and how many there are.
	OnProgress func(done, all int)
}

// trialSteps is the number of steps of a classifier that clips are tried on: where the accuracy of most sets has
// settled.
const trialSteps = 1000

// Run runs the trial. All clips need labels, and test may have none that train lacks.
func (t Trial) Run(ctx context.Context, train, generated, test []audio.Clip) (Gain, error) {
	if len(train) == 0 || len(test) == 0 {
		return Gain{}, errors.New("eval: a trial needs real clips to train on and others to test on")
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
		return Gain{}, err
	}
	extra, err := s.batch(ctx, generated)
	if err != nil {
		return Gain{}, err
	}
	g := Gain{Share: 1, RealClips: len(train), Added: len(generated)}
	for i, seed := range seeds {
		for j, part := range []*set{s, s.with(extra)} {
			if t.OnProgress != nil {
				t.OnProgress(2*i+j, 2*len(seeds))
			}
			a, err := accuracy(ctx, part, seed, steps)
			if err != nil {
				return Gain{}, err
			}
			if j == 0 {
				g.Before += a / float64(len(seeds))
			} else {
				g.After += a / float64(len(seeds))
			}
		}
	}
	g.Points = 100 * (g.After - g.Before)
	return g, nil
}

// newTrialSet analyzes clips to train on and to test on, by the front end of the former.
func newTrialSet(ctx context.Context, train, test []audio.Clip) (*set, error) {
	s, err := newFront(train)
	if err != nil {
		return nil, err
	}
	if s.train, err = s.batch(ctx, train); err != nil {
		return nil, err
	}
	s.heldOut, err = s.batch(ctx, test)
	return s, err
}

// with returns the set with generated clips added to those to train on.
func (s *set) with(generated models.Batch) *set {
	more := *s
	more.train, more.generated = join(s.train, generated), s.generated+generated.B
	return &more
}

// accuracy trains a classifier on a set and returns what share of its held-out clips it names rightly.
func accuracy(ctx context.Context, s *set, seed uint64, steps int) (float64, error) {
	m, _, err := fit(ctx, s, Options{Seed: seed}, 1, steps)
	if err != nil {
		return 0, err
	}
	answers, err := m.answers(ctx, s.heldOut)
	if err != nil {
		return 0, err
	}
	right := 0
	for i, l := range m.prediction(answers).Labels() {
		if l == s.heldOut.Labels[i] {
			right++
		}
	}
	if s.heldOut.B == 0 {
		return 0, errors.New("eval: no clips to test on")
	}
	return float64(right) / float64(s.heldOut.B), nil
}
