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
	}
	c.Steps += c.Classifiers * o.Steps
	return c, nil
}

// trained is the number of classifiers of usefulness for so many models: those on real clips serve all of them.
func (o EvaluatorOptions) trained(models int) int {
	if models == 0 {
		return 0
	}
	onReal := o.classifiers()
	for _, s := range o.Shares {
		if s != 1 { // the whole is among the others
			onReal++
		}
	}
	return onReal + models*(o.classifiers()+len(o.Shares))
}

// Remaining is the expected time for the rows of so many more models, from the speed of the evaluator's own training.
func (e *Evaluator) Remaining(models int) time.Duration {
	if !e.options.Useful || models == 0 {
		return 0
	}
	n := e.options.trained(models) - len(e.baselines)
	return time.Duration(n*e.options.Steps) * e.perStep
}
