package eval

import (
	"context"
	"errors"

	"wavemill/audio"
	"wavemill/models"
)

// A Trial measures whether generated clips help a classifier: it trains classifiers on real clips with and without them,
// with equally many steps, and tests both on real clips that neither has seen. Beside generated clips, real clips of a
// label are at least half of what is learnt from.
type Trial struct {
	// Seeds of the classifiers; the accuracies are means over them. nil means three, because one training differs from
	// the next by as much as a small gain.
	Seeds []uint64
	// Steps of each classifier; 0 means 1000.
	Steps int
	// OnProgress, when not nil, is called before each training with how many are done and how many there are.
	OnProgress func(done, all int)
}

// trialSteps is the number of steps of a classifier by which clips are tried: where the accuracy of most sets has
// settled.
const trialSteps = 1000

// Run runs the trial. All clips need labels, and test may have none that train lacks.
func (t Trial) Run(ctx context.Context, train, generated, test []audio.Clip) (Gain, error) {
	outcomes, err := t.Outcomes(ctx, train, [][]audio.Clip{nil, generated}, test)
	if err != nil {
		return Gain{}, err
	}
	return OutcomeGain(outcomes[0], outcomes[1], len(train), len(generated)), nil
}

// tableOf is the hit table of outcomes, [seed][test clip].
func tableOf(right [][]bool) hitTable {
	t := make(hitTable, len(right))
	for s, row := range right {
		t[s] = make([]float64, len(row))
		for i, hit := range row {
			if hit {
				t[s][i] = 1
			}
		}
	}
	return t
}

// fill fills in the accuracies, the gain and their intervals, and returns the gain's draws.
func (g *Gain) fill(before, after draws) draws {
	g.Before, g.After = before.value, after.value
	gain := draws{value: after.value - before.value, values: make([]float64, len(after.values))}
	for i := range gain.values {
		gain.values[i] = after.values[i] - before.values[i]
	}
	g.Points = 100 * gain.value
	points := pairedInterval(after, before)
	g.Intervals = Intervals{
		"real_only": before.interval(), "with_synthetic": after.interval(),
		"gain_points": {100 * points[0], 100 * points[1]},
	}
	g.None = points.Holds(0)
	return gain.scaled(100)
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

// testHits trains a classifier on a set and returns for each held-out clip 1 where it names the label, else 0.
func (r recipe) testHits(ctx context.Context, s *set) ([]float64, error) {
	if s.heldOut.B == 0 {
		return nil, errors.New("eval: no clips to test on")
	}
	m, _, err := r.fit(ctx, s)
	if err != nil {
		return nil, err
	}
	outputs, err := m.outputs(ctx, s.heldOut)
	if err != nil {
		return nil, err
	}
	hits := make([]float64, s.heldOut.B)
	for i, l := range m.prediction(outputs).Labels() {
		if l == s.heldOut.Labels[i] {
			hits[i] = 1
		}
	}
	return hits, nil
}
