package eval

import (
	"context"
	"errors"
	"fmt"
	"time"

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
	// Budget is the longest time that the trial may take; 0: no limit. Where the steps do not fit on this machine, all
	// classifiers make fewer, but not fewer than LeastTrialSteps. Where the machine becomes slower meanwhile, the trial ends
	// with the seeds whose classifiers are all trained, two or more.
	Budget time.Duration
	// OnProgress, when not nil, is called often, with how many steps of networks are made and how many there are.
	OnProgress func(done, all int)
	// Note, when not nil, gets messages for the user: how the budget has changed the trial.
	Note func(message string)
}

// LeastTrialSteps is the number of steps that a budget does not reduce the classifiers of a Trial to less than: with a fifth of
// the default, they have learnt few recordings, and differences between them begin to mean something.
const LeastTrialSteps = tunedSteps / 5

// ErrTrialBudget is returned, wrapped, where a Trial's budget does not suffice for an answer.
var ErrTrialBudget = errors.New("the time for the proof does not suffice")

// Run runs the trial. All clips need labels, and test may have none that train lacks.
func (t Trial) Run(ctx context.Context, train, generated, test []audio.Clip) (Gain, error) {
	o, err := t.Outcomes(ctx, train, generated, test)
	if err != nil {
		return Gain{}, err
	}
	return o.Gain(len(train), len(generated)), nil
}

// Outcomes trains the classifiers and returns which test clips they name correctly. Where the budget does not suffice, the error
// is ErrTrialBudget.
func (t Trial) Outcomes(ctx context.Context, train, generated, test []audio.Clip) (Outcomes, error) {
	began := time.Now()
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
	if len(t.Seeds) == 0 {
		t.Seeds = []uint64{1, 2, 3}
	}
	o := TunedOptions{Seed: t.Seeds[0], Steps: t.Steps, Policies: t.Policies}.complete()
	if t.Budget == 0 {
		return t.outcomes(ctx, s, o, extra)
	}
	limited, cancel := context.WithDeadline(ctx, began.Add(t.Budget))
	defer cancel()
	perStep, err := stepTime(limited, s, o)
	if err != nil {
		return Outcomes{}, t.overtime(ctx, limited, err)
	}
	if o.Steps, err = t.fitting(s, o, perStep, time.Since(began)); err != nil {
		return Outcomes{}, err
	}
	return t.until(ctx, limited, s, o, extra)
}

// until is outcomes, ended by limited, a context of ctx.
func (t Trial) until(ctx, limited context.Context, s *set, o TunedOptions, generated models.Batch) (Outcomes, error) {
	out, err := t.outcomes(limited, s, o, generated)
	if err == nil {
		return out, nil
	}
	if err = t.overtime(ctx, limited, err); errors.Is(err, ErrTrialBudget) && len(out.After) >= leastSeeds {
		t.note("the proof has ended after %v with %d of %d seeds: the machine has become slower, and the budget is spent", t.Budget, len(out.After), len(t.Seeds))
		return out, nil
	}
	return Outcomes{}, err
}

// leastSeeds is the number of seeds without which a trial that ran out of time has no outcome: with one, the intervals do not
// show what the seed of a classifier does.
const leastSeeds = 2

// overtime is the error of a trial that was ended by its budget, or err.
func (t Trial) overtime(ctx, limited context.Context, err error) error {
	if ctx.Err() == nil && limited.Err() != nil {
		return fmt.Errorf("eval: %w: its budget of %v is over, with the classifiers of fewer than %d seeds; give it more time, fewer steps or fewer policies of augmentation",
			ErrTrialBudget, t.Budget, leastSeeds)
	}
	return err
}

func (t Trial) note(format string, args ...any) {
	if t.Note != nil {
		t.Note(fmt.Sprintf(format, args...))
	}
}

// outcomes trains the classifiers, seed by seed. With an error it returns those of the seeds that are complete.
func (t Trial) outcomes(ctx context.Context, s *set, o TunedOptions, generated models.Batch) (Outcomes, error) {
	all, done := o.tuningSteps(s)+3*members*len(t.Seeds)*o.Steps, 0
	tell := func(more int) {
		if t.OnProgress != nil {
			t.OnProgress(min(done+more, all), all)
		}
	}
	tuning := o.tuningSteps(s)
	o.OnProgress = func(_ string, part float64) { tell(int(part * float64(tuning))) }
	out := Outcomes{Steps: o.Steps}
	tell(0)
	var err error
	if out.Tuning, _, err = s.tune(ctx, o); err != nil {
		return Outcomes{}, err
	}
	done += tuning
	part := s
	if generated.B > 0 {
		part = s.with(generated)
	}
	train := func(s *set, p Policy, seed uint64) ([]bool, error) {
		r := tunedRecipe(p, members, seed, o.Steps)
		r.onProgress = func(p Progress) { tell(members * o.Steps * p.Epoch / p.Epochs) }
		tell(0)
		hits, err := r.named(ctx, s)
		done += members * o.Steps
		return hits, err
	}
	for _, seed := range t.Seeds {
		plain, err := train(s, NoAugmentation(), seed)
		if err != nil {
			return out, err
		}
		before, err := train(s, out.Tuning.Policy, seed)
		if err != nil {
			return out, err
		}
		after, err := train(part, out.Tuning.Policy, seed)
		if err != nil {
			return out, err
		}
		out.Plain, out.Before, out.After = append(out.Plain, plain), append(out.Before, before), append(out.After, after)
	}
	tell(0)
	return out, nil
}

// tuningSteps is the number of steps that the choice of a policy makes.
func (o TunedOptions) tuningSteps(s *set) int {
	folds := tuningFolds
	if s.train.B >= manyToTune {
		folds = 1
	}
	if len(o.Policies) == 1 {
		return 0
	}
	return len(o.Policies) * folds * max(o.Steps/tuningPart, 1)
}

// spare is the part of a budget that a trial is planned for: steps are timed at the beginning, and the machine may get other
// work.
const spare = 0.75

// fitting is the number of steps of each classifier that fit into what is left of the budget, at most those of o, by what a step
// takes and what has been spent.
func (t Trial) fitting(s *set, o TunedOptions, perStep, spent time.Duration) (int, error) {
	takes := func(steps int) time.Duration {
		o := o
		o.Steps = steps
		return perStep * time.Duration(o.tuningSteps(s)/members+3*len(t.Seeds)*steps)
	}
	room := time.Duration(spare*float64(t.Budget)) - spent
	if whole := takes(o.Steps); whole > room {
		steps := int(float64(o.Steps) * float64(room) / float64(whole))
		least := min(LeastTrialSteps, o.Steps)
		if steps < least && takes(least) <= t.Budget-spent {
			steps = least // without anything to spare
		}
		if steps < least {
			return 0, fmt.Errorf("eval: %w: %d steps of each classifier would take about %v here, and the budget is %v; give it more time, or fewer seeds or policies of augmentation",
				ErrTrialBudget, least, takes(least).Round(time.Second), t.Budget)
		}
		t.note("%d steps of each classifier would take about %v; the classifiers make %d, which fit into the budget of %v", o.Steps, whole.Round(time.Second), steps, t.Budget)
		return steps, nil
	}
	return o.Steps, nil
}

// stepTime measures what a step of a classifier takes, in a few.
func stepTime(ctx context.Context, s *set, o TunedOptions) (time.Duration, error) {
	const few, more = 2, 8
	times := map[int]time.Duration{}
	for _, steps := range []int{few, more} {
		began := time.Now()
		if _, _, err := tunedRecipe(o.Policies[len(o.Policies)-1], members, o.Seed, steps).fit(ctx, s); err != nil {
			return 0, err
		}
		times[steps] = time.Since(began)
	}
	// What is not step, such as compiling the network, is in both.
	return max(times[more]-times[few], 0) / (more - few), nil
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
		var err error
		if out[i], err = tunedRecipe(p, m.members, seed, steps).named(ctx, s); err != nil {
			return nil, err
		}
	}
	return out, nil
}

// named trains a classifier on a set and says which held-out clips it names correctly.
func (r recipe) named(ctx context.Context, s *set) ([]bool, error) {
	hits, err := r.testHits(ctx, s)
	out := make([]bool, len(hits))
	for i, hit := range hits {
		out[i] = hit == 1
	}
	return out, err
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
