package models

import (
	"context"
	"fmt"
	"maps"
	"slices"
	"strings"
	"time"
)

// evaluate puts the means of the losses on the validation batch into valLosses, and measures generated clips where that is due.
func (r *run) evaluate(ctx context.Context, last bool) error {
	again := r.lastEval == r.step
	if again && (!r.measureDue(last) || r.measuredAt == r.step) {
		return nil
	}
	began := r.now()
	defer func() {
		r.evaluated = r.now()
		r.overhead += r.evaluated.Sub(began)
	}()
	if !again {
		if err := r.validate(ctx); err != nil {
			return err
		}
		if err := r.keepGood(); err != nil {
			return err
		}
	}
	if r.measureDue(last) {
		if err := r.measureClips(ctx); err != nil {
			return err
		}
	}
	r.lastEval = r.step
	r.report(EventEval)
	return nil
}

func (r *run) validate(ctx context.Context) error {
	if r.val.B == 0 {
		return nil
	}
	sum := Losses{}
	var part Batch
	for lo := 0; lo < r.val.B; lo += r.batchSize() {
		hi := min(lo+r.batchSize(), r.val.B)
		part = r.val.Select(part, sequence(lo, hi))
		losses, err := r.learner.Eval(context.WithoutCancel(ctx), part)
		if err != nil {
			return fmt.Errorf("training: evaluation after step %d: %w", r.step, err)
		}
		for name, v := range losses {
			sum[name] += v * float64(hi-lo) / float64(r.val.B)
		}
	}
	if name, bad := sum.NonFinite(); bad {
		return &LossError{Step: r.step, Loss: "val/" + name, Value: sum[name]}
	}
	r.valLosses = sum
	return nil
}

// keepGood keeps the state of this step, to which a rollback returns. Values that are not finite are an error.
func (r *run) keepGood() error {
	c, err := r.learner.Checkpoint()
	if err != nil {
		return fmt.Errorf("training: after step %d: %w", r.step, err)
	}
	if err := c.finite(); err != nil {
		return err
	}
	c.Averages = r.trainLosses.clone()
	r.good = c
	return nil
}

// measureShare is the share of a budget of time that calls of Evaluate may take.
const measureShare = 0.03

// measureDue reports whether this evaluation measures generated clips. With Steps, every one does, so that the chosen
// weights do not depend on the speed of the machine.
func (r *run) measureDue(last bool) bool {
	switch {
	case r.Evaluate == nil && r.BestBy == "":
		return false
	case last || r.Steps > 0:
		return true
	}
	// The last measurement will take as long as this one.
	return r.measuring+2*r.measureTook <= time.Duration(measureShare*float64(r.Budget))
}

// measureClips calls Evaluate with the model and decides whether its weights are the best.
func (r *run) measureClips(ctx context.Context) error {
	began := r.now()
	defer func() {
		r.measureTook = r.now().Sub(began)
		r.measuring += r.measureTook
	}()
	c, err := r.snapshot(ctx)
	if err != nil {
		return err
	}
	r.metrics, r.warnings, r.measuredAt = map[string]float64{}, nil, r.step
	if r.Evaluate != nil {
		v, err := r.Evaluate(context.WithoutCancel(ctx), c)
		if err == nil {
			if name, bad := Losses(v.Metrics).NonFinite(); bad {
				err = fmt.Errorf("%s is %v", name, v.Metrics[name])
			}
		}
		if err != nil {
			v = Evaluation{Warnings: []Warning{{
				Kind: "judge", Finding: fmt.Sprintf("step %d could not be evaluated: %v", r.step, err),
				Advice: "check clips of this model before using it",
			}}}
		}
		r.metrics, r.warnings = v.Metrics, v.Warnings
	}
	c.Metrics, c.Warnings = maps.Clone(c.Metrics), slices.Clone(r.warnings)
	maps.Copy(c.Metrics, r.metrics)
	r.state = &c
	return r.choose(c)
}

// choose takes the weights of c for those to generate with, if they are good enough.
func (r *run) choose(c Checkpoint) error {
	if r.BestBy == "" {
		return nil
	}
	value, ok := c.Metrics[r.BestBy]
	switch {
	case !ok && r.best == nil && !slices.ContainsFunc(r.warnings, func(w Warning) bool { return w.Kind == "judge" }):
		names := slices.Sorted(maps.Keys(c.Metrics))
		names = slices.DeleteFunc(names, func(n string) bool { return strings.HasPrefix(n, "train/") })
		return fmt.Errorf("training: the best weights cannot be chosen by %q: there is no such figure; there are: %s", r.BestBy, strings.Join(names, ", "))
	case !ok || (r.best != nil && r.best.Evaluated >= r.step): // not measured, or measured before this run was resumed
		return nil
	}
	if r.best == nil {
		r.best = &Best{Metric: r.BestBy}
	}
	if r.best.take(r.step, value, c.Metrics, c.Warnings) {
		r.chosen = generating(c.Tensors)
	}
	return nil
}

// snapshot returns the calibrated and complete checkpoint of this step.
func (r *run) snapshot(ctx context.Context) (Checkpoint, error) {
	if r.state != nil {
		return *r.state, nil
	}
	if err := r.learner.Calibrate(context.WithoutCancel(ctx), r.train); err != nil {
		return Checkpoint{}, fmt.Errorf("training: after step %d: %w", r.step, err)
	}
	c, err := r.learner.Checkpoint()
	if err != nil {
		return Checkpoint{}, fmt.Errorf("training: after step %d: %w", r.step, err)
	}
	if c.Step != r.step {
		return Checkpoint{}, fmt.Errorf("training: the learner counts %d steps, the trainer %d", c.Step, r.step)
	}
	c.Format, c.Planned, c.BatchSize, c.Seed, c.DataHash = Format, r.steps, r.batchSize(), r.Seed, r.dataHash
	if c.RNG, err = r.pcg.MarshalBinary(); err != nil {
		return Checkpoint{}, fmt.Errorf("training: %w", err)
	}
	c.Averages, c.Rollbacks = r.trainLosses.clone(), slices.Clone(r.rollbacks)
	c.Metrics = map[string]float64{}
	for name, v := range r.trainLosses.values() {
		c.Metrics["train/"+name] = v
	}
	for name, v := range r.valLosses {
		c.Metrics["val/"+name] = v
	}
	if err := c.finite(); err != nil {
		return Checkpoint{}, err
	}
	if err := c.Validate(); err != nil {
		return Checkpoint{}, fmt.Errorf("training: after step %d: nothing saved: %w", r.step, err)
	}
	r.state = &c
	return c, nil
}

// save keeps the checkpoint of this step, with the best weights to generate with.
func (r *run) save(ctx context.Context) (Checkpoint, error) {
	began := r.now()
	defer func() {
		r.saved = r.now()
		r.overhead += r.saved.Sub(began)
	}()
	c, err := r.snapshot(ctx)
	if err != nil {
		return Checkpoint{}, err
	}
	c = c.choosing(r.best, r.chosen)
	if r.Save != nil {
		if err := r.Save(c); err != nil {
			return Checkpoint{}, fmt.Errorf("training: save after step %d: %w", r.step, err)
		}
	}
	r.report(EventSave)
	return c, nil
}

func (r *run) report(e Event) {
	if r.OnEvent == nil {
		return
	}
	p := Progress{
		Event: e, Step: r.step, Steps: r.steps, Elapsed: r.now().Sub(r.began), Val: r.valLosses, Train: r.trainLosses.values(),
		Metrics: r.metrics, EvaluatedAt: r.measuredAt, Warnings: r.warnings, Best: r.best.clone(), Rollbacks: r.rollbacks,
	}
	if e == EventDone {
		p.Reason = r.ended
	}
	if l, ok := r.learner.(LearningRater); ok {
		p.Rate = l.LearningRate()
	}
	if r.stepTime.Weight > 0 {
		p.StepTime = time.Duration(r.stepTime.Value() * float64(time.Second))
		if r.steps > 0 {
			p.Remaining = time.Duration(r.steps-r.step) * p.StepTime
		}
	}
	r.OnEvent(p)
}
