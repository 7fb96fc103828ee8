package main

import (
	"context"
	"encoding/json"
	"fmt"
	"strconv"
	"time"

	"wavemill/models"
	"wavemill/models/architectures"
)

// channelsAuto is the --channels that lets the budget decide.
const channelsAuto = "auto"

// parseChannels reads --channels: a number, or 0 for auto.
func parseChannels(text string) (int, error) {
	if text == channelsAuto || text == "" {
		return 0, nil
	}
	n, err := strconv.Atoi(text)
	if err != nil || n < 1 {
		return 0, usagef("--channels is auto or a positive number, not %q", text)
	}
	return n, nil
}

// prepareTraining shows what is about to be trained and fits the network to the budget, of which it takes its own time.
// With --steps nothing is measured, so that the same command makes the same checkpoint on every machine. A resumed
// training keeps all its choices; one without clips is refused later.
func (a *app) prepareTraining(ctx context.Context, o trainOptions, job *trainJob, recordings []recording, x models.Batch) error {
	if o.resume || x.B == 0 {
		return nil
	}
	began := time.Now()
	budget := o.budget
	if o.steps > 0 {
		budget = 0
	}
	if err := a.showPlan(ctx, o.front, job.frontEnd, recordings, budget); err != nil {
		return err
	}
	channels, err := parseChannels(o.channels)
	if err != nil {
		return err
	}
	config, err := o.settings()
	if err != nil {
		return err
	}
	if config, err = a.forFew(o.arch, config, x.B, job.labels); err != nil {
		return err
	}
	if channels > 0 {
		if config, err = architectures.WithWidth(o.arch, config, channels); err != nil {
			return err
		}
		a.note("network   %s of %d channels", o.arch, channels)
	}
	if budget > 0 {
		f, err := architectures.SearchSize(ctx, o.arch, config, job.frontEnd, job.labels, x, budget)
		if err != nil {
			return err
		}
		config = f.Config
		if o.batch == 0 {
			job.trainer.BatchSize = f.Batch
		} else {
			f.Batch = o.batch
		}
		a.note("network   %s of %s", o.arch, f)
		// The budget is the user's time: what looking at the machine and the data took is part of it.
		job.trainer.Budget = max(budget-time.Since(began), budget/2)
	}
	if job.learner, err = architectures.NewLearner(o.arch, config, job.frontEnd, job.labels, o.seed); err != nil {
		return fmt.Errorf("--channels, --config: %w", err)
	}
	return nil
}

// forFew has the clips varied where they are few, and says so.
func (a *app) forFew(arch string, config json.RawMessage, clips int, labels []string) (json.RawMessage, error) {
	config, varied, err := architectures.ForFew(arch, config, clips, len(labels))
	if varied {
		a.note("few       %d recordings of %d labels: they are varied in pace, formants and tilt to learn from (\"vary\": 1; 0 leaves them as they are)", clips, len(labels))
	}
	return config, err
}

// fit shows the plan, once, and fits an architecture to the budget, of which it leaves the rest. With steps, nothing is
// measured.
func (s *school) fit(ctx context.Context, arch string, fe models.FrontEnd, labels []string, recordings []recording, x models.Batch) (config json.RawMessage, batch int, left time.Duration, err error) {
	if !s.shown {
		s.shown = true
		if err := s.app.showPlan(ctx, frontOptions{ceiling: ceilingFast}, fe, recordings, 0); err != nil {
			return nil, 0, 0, err
		}
	}
	if config, err = s.app.forFew(arch, nil, x.B, labels); err != nil || s.steps > 0 {
		return config, 0, 0, err
	}
	f, err := architectures.SearchSize(ctx, arch, config, fe, labels, x, s.budget)
	if err != nil {
		return nil, 0, 0, err
	}
	s.app.note("network   %s of %s", arch, f)
	return f.Config, f.Batch, max(s.budget-f.Took, s.budget/2), nil
}
