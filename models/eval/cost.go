package eval

import (
	"context"
	"time"

	"wavemill/audio"
)

// A Cost is what training the classifiers of an evaluation takes, which is nearly all of its time.
type Cost struct {
	Classifiers int           // of usefulness, beside the evaluator's own
	Steps       int           // of all together, the evaluator's own included
	PerStep     time.Duration // measured on this machine
}

// Duration is the expected time.
func (c Cost) Duration() time.Duration { return time.Duration(c.Steps) * c.PerStep }

// EstimateCost measures a few steps of a classifier on some of the training clips, which takes about a second, and counts
// the steps of an evaluation of so many models. Train and o are as NewEvaluator will get them.
func EstimateCost(ctx context.Context, train []audio.Clip, models int, o EvaluatorOptions) (Cost, error) {
	o, err := o.complete()
	if err != nil {
		return Cost{}, err
	}
	s, err := newFront(train)
	if err != nil {
		return Cost{}, err
	}
	if s.train, err = s.batch(ctx, train[:min(len(train), 2*batchSize)]); err != nil {
		return Cost{}, err
	}
	const few, more = 2, 10
	times := map[int]time.Duration{}
	for _, steps := range []int{few, more} {
		began := time.Now()
		if _, _, err := plainRecipe(Options{Seed: o.Seed}, 1, steps).fit(ctx, s); err != nil {
			return Cost{}, err
		}
		times[steps] = time.Since(began)
	}
	// What is not step, such as compiling the network, is in both.
	c := Cost{PerStep: max(times[more]-times[few], 0) / (more - few)}
	_, c.Steps = Options{Epochs: o.Epochs}.steps(len(train) - len(train)/10)
	if o.Useful {
		c.Classifiers = o.trained(models)
		c.Steps += o.usefulSteps(models, len(train))
	}
	return c, nil
}

// trained is the number of classifiers of usefulness for so many models: those on real clips serve all of them. Those
// by which augmentation is chosen, each with a sixth of the steps, are not among them.
func (o EvaluatorOptions) trained(models int) int {
	if models == 0 {
		return 0
	}
	return o.classifiers() * ((1 + models) + len(o.Shares)*(2+models))
}

// usefulSteps is the number of steps of the classifiers of usefulness for so many models and recordings.
func (o EvaluatorOptions) usefulSteps(models, recordings int) int {
	if models == 0 {
		return 0
	}
	steps := o.classifiers() * (1 + models) * o.Steps
	policies := len(o.Policies)
	if policies == 0 {
		policies = len(Policies())
	}
	for _, share := range o.Shares {
		folds := tuningFolds
		if share*float64(recordings) >= manyToTune {
			folds = 1
		}
		if policies > 1 {
			steps += policies * folds * max(o.gainSteps/tuningPart, 1)
		}
		steps += o.classifiers() * (2 + models) * o.gainSteps
	}
	return steps
}

// Remaining is the expected time for the rows of so many more models, from the speed of the evaluator's own training.
func (e *Evaluator) Remaining(models int) time.Duration {
	if !e.options.Useful || models == 0 {
		return 0
	}
	steps := e.options.usefulSteps(models, e.train.batch.B) - len(e.onRecordings)*e.options.Steps
	steps -= 2 * e.options.classifiers() * len(e.baselines) * e.options.gainSteps
	return time.Duration(steps) * e.perStep
}
