package main

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"maps"
	"os"
	"slices"
	"strings"

	"wavemill/models"
	"wavemill/models/architecture"
	"wavemill/models/architectures"
	"wavemill/models/monitor"
)

// trainJob is a learner and what drives it.
type trainJob struct {
	arch     string
	learner  models.Learner
	trainer  models.Trainer
	frontEnd models.FrontEnd
	labels   []string
}

// from is the step after which the training goes on, -1 for one that begins.
func (j *trainJob) from() int64 {
	if j.trainer.Resume == nil {
		return -1
	}
	return j.trainer.Resume.Step
}

// trainJob prepares a new learner for the recordings, or the one in the checkpoint.
func (a *app) trainJob(o trainOptions, recordings []recording) (*trainJob, error) {
	j := &trainJob{arch: o.arch, trainer: models.Trainer{
		Steps: o.steps, Budget: o.budget, BatchSize: o.batch, Seed: o.seed,
		EvalEvery: o.evalEvery, SaveEvery: o.saveEvery, Patience: o.patience, BestBy: o.bestBy,
	}}
	if err := o.rotation().Sweep(); err != nil {
		return nil, err
	}
	if o.resume {
		return j, a.resumeJob(o, j)
	}
	if o.bestBy == bestByLast {
		j.trainer.BestBy = ""
	}
	config, err := o.settings()
	if err != nil {
		return nil, err
	}
	j.labels = labelNames(recordings)
	if j.frontEnd, err = o.front.frontEnd(recordings); err != nil {
		return nil, err
	}
	j.learner, err = architectures.NewLearner(o.arch, config, j.frontEnd, j.labels, o.seed)
	return j, err
}

// resumeJob takes over what the checkpoint says.
func (a *app) resumeJob(o trainOptions, j *trainJob) error {
	c, path, err := o.rotation().Read()
	if err != nil {
		return err
	}
	if path != o.out {
		a.note("%s is missing or damaged; going on from the one before, %s, at step %d", o.out, path, c.Step)
	}
	switch {
	case o.bestBy == bestByLast:
		j.trainer.BestBy = ""
	case !o.bestBySet && c.Best != nil:
		j.trainer.BestBy = c.Best.Metric
	}
	j.arch, j.labels, j.frontEnd = c.Arch, c.Labels, c.FrontEnd
	j.trainer.Resume, j.trainer.Seed, j.trainer.BatchSize = &c, c.Seed, c.BatchSize
	j.learner, err = architectures.NewLearner(c.Arch, c.Config, c.FrontEnd, c.Labels, c.Seed)
	return err
}

// settings are --config with what other flags say.
func (o *trainOptions) settings() (json.RawMessage, error) {
	var config json.RawMessage
	if o.config != "" {
		var err error
		if config, err = os.ReadFile(o.config); err != nil {
			return nil, fmt.Errorf("--config: %w", err)
		}
	}
	if o.latent == 0 {
		return config, nil
	}
	with, err := architectures.WithLatent(o.arch, config, o.latent)
	switch {
	case errors.Is(err, architecture.ErrNoEncoder):
		return nil, usagef("--latent is for %s; a %s draws noise, whose size is in --config", strings.Join(architectures.WithEncoder(), " and "), o.arch)
	case err != nil:
		return nil, fmt.Errorf("--config: %w", err)
	}
	return with, nil
}

// judge sets what looks at the model while it learns.
func (j *trainJob) judge(ctx context.Context, o trainOptions, x, val models.Batch, l *ledger) error {
	if by, ok := strings.CutPrefix(j.trainer.BestBy, "val/"); ok {
		if val.B == 0 {
			return fmt.Errorf("--best-by %s: there are too few recordings to hold some out", j.trainer.BestBy)
		}
		losses, err := j.learner.Eval(ctx, val.Select(models.Batch{}, []int{0, val.B - 1}))
		if err != nil {
			return err
		}
		if _, ok := losses[by]; !ok {
			return usagef("--best-by %s: a %s has no such loss; it has: val/%s", j.trainer.BestBy, j.arch,
				strings.Join(slices.Sorted(maps.Keys(losses)), ", val/"))
		}
	}
	options := monitor.Options{Seed: j.trainer.Seed}
	if o.previews != "" || o.tensorboard != "" {
		options.Gallery = &monitor.PreviewWriter{Dir: o.previews, Show: l.show}
	}
	if x.B == 0 {
		return errors.New("none of the recordings can be learnt from")
	}
	w, err := monitor.New(x, val, j.labels, j.frontEnd, options)
	if err != nil {
		return err
	}
	j.trainer.Evaluate = w.Evaluate
	return nil
}
