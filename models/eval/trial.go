package eval

import (
	"context"
	"errors"

	"wavemill/audio"
	"wavemill/models"
)

// A Trial measures whether generated clips help a classifier beyond what augmentation gives without a model. It trains
// classifiers on recordings alone, with tuned augmentation, and with the same augmentation and the clips, all with equally
// many steps and the same seeds, and tests them on recordings that none has seen. Beside generated clips, recordings of a
// label are at least half of what is learnt from.
type Trial struct {
	// Seeds of the classifiers; the accuracies are means over them. nil means 1, 2 and 3, because one training differs
	// from the next by as much as a small gain.
	Seeds []uint64
	// Steps of each classifier; 0 means 1500.
	Steps int
	// Policies of augmentation to choose from; nil means Policies.
	Policies []Policy
	// OnProgress, when not nil, is called before each training with how many are done and how many there are.
	OnProgress func(done, all int)
}

// Run runs the trial. All clips need labels, and test may have none that train lacks.
func (t Trial) Run(ctx context.Context, train, generated, test []audio.Clip) (Gain, error) {
	o, err := t.Outcomes(ctx, train, generated, test)
	if err != nil {
		return Gain{}, err
	}
	return o.Gain(len(train), len(generated)), nil
}

// Outcomes trains the classifiers and returns which test clips they name correctly.
func (t Trial) Outcomes(ctx context.Context, train, generated, test []audio.Clip) (Outcomes, error) {
	if len(train) == 0 || len(test) == 0 {
		return Outcomes{}, errors.New("eval: a trial needs real clips to train on and others to test on")
	}
	s, err := newTunedSet(ctx, train)
	if err != nil {
		return Outcomes{}, err
	}
	if s.heldOut, err = s.batch(ctx, test); err != nil {
		return Outcomes{}, err
	}
	extra, err := s.batch(ctx, generated)
	if err != nil {
		return Outcomes{}, err
	}
	m := measure{seeds: t.Seeds, members: members, TunedOptions: TunedOptions{Steps: t.Steps, Policies: t.Policies}}
	if len(m.seeds) == 0 {
		m.seeds = []uint64{1, 2, 3}
	}
	m.Seed = m.seeds[0]
	done := 0
	m.tell = func() {
		if t.OnProgress != nil {
			t.OnProgress(done, 1+3*len(m.seeds))
		}
		done++
	}
	o, err := m.baseline(ctx, s)
	if err != nil {
		return Outcomes{}, err
	}
	return m.with(ctx, s, o, extra)
}

// A measure trains the classifiers of one comparison.
type measure struct {
	TunedOptions
	seeds   []uint64
	members int    // of each classifier
	tell    func() // called before the choice of a policy and before each classifier
}

// baseline chooses a policy and fills in what recordings give without clips.
func (m measure) baseline(ctx context.Context, s *set) (Outcomes, error) {
	o := Outcomes{Steps: m.TunedOptions.complete().Steps}
	m.tell()
	tuning, _, err := s.tune(ctx, m.TunedOptions.complete())
	if err != nil {
		return Outcomes{}, err
	}
	o.Tuning = tuning
	if o.Plain, err = m.hits(ctx, s, NoAugmentation(), o.Steps); err != nil {
		return Outcomes{}, err
	}
	o.Before, err = m.hits(ctx, s, tuning.Policy, o.Steps)
	return o, err
}

// with fills in what generated clips add to a baseline.
func (m measure) with(ctx context.Context, s *set, o Outcomes, generated models.Batch) (Outcomes, error) {
	part := s
	if generated.B > 0 {
		part = s.with(generated)
	}
	var err error
	o.After, err = m.hits(ctx, part, o.Tuning.Policy, o.Steps)
	return o, err
}

// hits trains a classifier with each seed, and says which held-out clips each names correctly.
func (m measure) hits(ctx context.Context, s *set, p Policy, steps int) ([][]bool, error) {
	out := make([][]bool, len(m.seeds))
	for i, seed := range m.seeds {
		m.tell()
		hits, err := tunedRecipe(p, m.members, seed, steps).testHits(ctx, s)
		if err != nil {
			return nil, err
		}
		for _, hit := range hits {
			out[i] = append(out[i], hit == 1)
		}
	}
	return out, nil
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
