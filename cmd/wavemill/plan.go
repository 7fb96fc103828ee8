package main

import (
	"context"
	"errors"
	"time"

	"github.com/spf13/cobra"

	"wavemill/audio/dataset"
	"wavemill/models"
	"wavemill/models/eval"
	"wavemill/models/training"
)

// planOptions are the flags of `wavemill plan`.
type planOptions struct {
	data   []string
	labels string
	front  frontOptions
	asJSON bool
}

func newPlan(a *app) *cobra.Command {
	var o planOptions
	cmd := &cobra.Command{
		Use:   "plan --data DIR",
		Short: "Show the front end for recordings and what a round trip through it loses",
		Long: `Plan chooses the front end for recordings as "wavemill train" does, prints it, and
sends recordings through it and back. The result is the ceiling: no model behind this
front end can do better.

The log-spectral distance and the SNR of the magnitudes do not depend on phases; the
SNR of the samples does, and is low even where no difference can be heard. A classifier
trained on nine tenths of the recordings predicts the labels of the others before and
after the round trip; --ceiling fast leaves it out.`,
		Example: `  wavemill plan --data recordings/
  wavemill plan --data recordings/ --mels 128 --ceiling fast
  wavemill plan --data recordings/ --json > plan.json
  wavemill train --data recordings/ --front-end plan.json --out model.safetensors`,
		Args: noArgs,
		RunE: func(cmd *cobra.Command, _ []string) error { return a.plan(cmd.Context(), o) },
	}
	f := cmd.Flags()
	f.StringArrayVar(&o.data, "data", nil, "folder or file with recordings; may be repeated (required)")
	o.front.add(cmd)
	f.BoolVar(&o.asJSON, "json", false, "print the plan as one line of JSON")
	addLabels(cmd, &o.labels)
	return cmd
}

func (a *app) plan(ctx context.Context, o planOptions) error {
	if len(o.data) == 0 {
		return usagef("--data is missing: a folder with recordings")
	}
	if err := o.front.check(); err != nil {
		return err
	}
	set, err := a.scan(ctx, o.data, o.labels)
	if err != nil {
		return err
	}
	all, err := a.decode(ctx, set.Items)
	if err != nil {
		return err
	}
	recordings := all[:0]
	for _, r := range all {
		if r.Err == nil {
			recordings = append(recordings, r)
		}
	}
	if len(recordings) == 0 {
		return errors.New("none of the recordings can be used")
	}
	fe, err := o.front.frontEnd(recordings)
	if err != nil {
		return err
	}
	classifier := time.Duration(-1)
	if o.front.ceiling == ceilingFast {
		classifier = 0
	}
	p, err := a.makePlan(ctx, fe, recordings, o.front.ceiling != ceilingOff, classifier)
	if err != nil {
		return err
	}
	if o.asJSON {
		return a.printJSON(p)
	}
	for _, line := range p.Lines() {
		if err := a.say("%s", line); err != nil {
			return err
		}
	}
	return nil
}

// makePlan counts what a front end does to recordings and, where wanted, measures its ceiling.
func (a *app) makePlan(ctx context.Context, fe models.FrontEnd, recordings []dataset.Recording, ceiling bool, classifier time.Duration) (training.Plan, error) {
	o := training.PlanOptions{Ceiling: ceiling, Classifier: classifier}
	if ceiling {
		task := a.console.StartTimed("ceiling", max(classifier, 0))
		defer task.Done()
		o.OnProgress = func(p eval.Progress) {
			task.Note("classifier, epoch %d of %d", p.Epoch, p.Epochs)
			task.Elapse(p.Elapsed)
		}
	}
	return training.MakePlan(ctx, fe, recordings, o)
}

// notePlan notes the plan before a training.
func (a *app) notePlan(ctx context.Context, o frontOptions, fe models.FrontEnd, recordings []dataset.Recording, budget time.Duration) error {
	p, err := a.makePlan(ctx, fe, recordings, o.ceiling != ceilingOff, o.classifierTime(budget))
	if err != nil {
		return err
	}
	for _, line := range p.Lines() {
		a.note("%s", line)
	}
	return nil
}
