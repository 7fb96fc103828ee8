package main

import (
	"fmt"
	"maps"
	"path/filepath"
	"slices"
	"time"

	"wavemill/models"
	"wavemill/models/training"
)

// trained is the result of a training as --json prints it.
type trained struct {
	Out     string             `json:"out"`
	Model   string             `json:"model"`
	Digest  string             `json:"digest"`
	Steps   int64              `json:"steps"`
	Seconds float64            `json:"seconds"`
	Seed    uint64             `json:"seed"`
	Labels  []string           `json:"labels"`
	Metrics map[string]float64 `json:"metrics"` // of the weights that generate

	EndedBy   string            `json:"ended_by"`  // steps, budget or plateau
	BestStep  int64             `json:"best_step"` // of the weights that generate
	BestBy    string            `json:"best_by"`   // the figure by which they were chosen, or last
	Best      *float64          `json:"best"`      // its value; null for last
	Warnings  []models.Warning  `json:"warnings"`  // about these weights
	Rollbacks []models.Rollback `json:"rollbacks"`

	Curves      string `json:"curves,omitempty"`     // JSON lines
	CurvesCSV   string `json:"curves_csv,omitempty"` // the same as a table
	Previews    string `json:"previews,omitempty"`
	Tensorboard string `json:"tensorboard,omitempty"`
}

func (a *app) reportTraining(o trainOptions, c models.Checkpoint, l *metricsLog, ended string, took time.Duration) error {
	digest, err := c.Digest()
	if err != nil {
		return err
	}
	r := trained{
		Out: o.out, Model: c.Arch, Digest: digest, Steps: c.Step, Seconds: took.Seconds(), Seed: c.Seed, Labels: c.Labels, Metrics: c.Metrics,
		EndedBy: ended, BestStep: c.GeneratesFrom(), BestBy: training.BestByLast,
		Warnings: append([]models.Warning{}, c.Warnings...), Rollbacks: append([]models.Rollback{}, c.Rollbacks...),
		Previews: o.previews, Tensorboard: o.tensorboard,
	}
	r.Curves, r.CurvesCSV = l.files()
	if c.Best != nil {
		r.BestBy, r.Best = c.Best.Metric, &c.Best.Value
	}
	if o.asJSON {
		return a.printJSON(r)
	}
	for _, name := range slices.Sorted(maps.Keys(c.Metrics)) {
		a.note("%s: %.4g", name, c.Metrics[name])
	}
	for _, w := range c.Warnings {
		a.note("warning: %v", w)
	}
	switch {
	case len(c.Rollbacks) == 1:
		a.note("learning diverged once and went back")
	case len(c.Rollbacks) > 1:
		a.note("learning diverged %d times and went back", len(c.Rollbacks))
	}
	if ended == models.EndedByPlateau {
		a.note("stopped early: %d evaluations without a better %s", c.Best.Stale, c.Best.Metric)
	}
	if r.Curves != "" {
		a.note("curves: %s, %s", r.Curves, filepath.Base(r.CurvesCSV))
	}
	a.note("try: wavemill generate --model %s --label %s --n 10 --seed 1 --out clips", quote(o.out), quote(c.Labels[0]))
	if o.latent == 2 {
		a.note("try: wavemill latents --model %s --data %s", quote(o.out), quote(o.data[0]))
	}
	return a.say("%s: %s, %s in %v, digest %s", o.out, c.Arch, stepText(c), roundDuration(took), digest[:12])
}

// stepText says how many steps were made and, where they are not the last ones, of which step the weights are.
func stepText(c models.Checkpoint) string {
	if c.GeneratesFrom() == c.Step {
		return fmt.Sprintf("%d steps", c.Step)
	}
	return fmt.Sprintf("%d steps, rolled back to the best weights of step %d (%s %.4g)", c.Step, c.GeneratesFrom(), c.Best.Metric, c.Best.Value)
}
