package main

import (
	"context"
	"strings"

	"github.com/spf13/cobra"

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
	recordings, err := a.load(ctx, o.data, o.labels, holdoutFlags{})
	if err != nil {
		return err
	}
	fe, err := o.front.frontEnd(recordings)
	if err != nil {
		return err
	}
	mode := o.front.ceiling
	if mode == training.CeilingAuto { // there is no budget
		mode = training.CeilingFull
	}
	p, err := a.makePlan(ctx, fe, recordings, mode.PlanOptions(0))
	if err != nil {
		return err
	}
	if o.asJSON {
		return a.printJSON(p)
	}
	return a.say("%s", strings.Join(p.Lines(), "\n"))
}
