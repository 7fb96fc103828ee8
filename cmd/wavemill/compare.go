package main

import (
	"context"
	"errors"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"time"

	"github.com/spf13/cobra"

	"wavemill/models/architectures"
	"wavemill/models/comparison"
	"wavemill/models/report"
	"wavemill/models/training"
)

// compareOptions are the flags of `wavemill compare`.
type compareOptions struct {
	evaluationFlags
	models []string
	out    string
	budget time.Duration
	steps  int64
}

func newCompare(a *app) *cobra.Command {
	var o compareOptions
	cmd := &cobra.Command{
		Use:   "compare --data DIR --model A --model B --out DIR",
		Short: "Train and evaluate several models on the same recordings: which one to ship, and why",
		Long: `Compare evaluates models side by side on the same recordings and writes report.json
and report.html, one file with the table, sounds, pictures and a verdict.

Each --model is an architecture (` + strings.Join(architectures.Names(), ", ") + `), which is trained for --budget, or
a checkpoint file. Without checkpoints a tenth of the recordings is held out: no
model and no evaluator learns from it. With checkpoints the recordings that none of
them has seen are held out, copies and near copies of seen ones left out, and
architectures learn from the others. Where too little is left, the command fails;
--test gives other recordings to evaluate with.

Every figure has a 95 % interval. A difference between two models whose interval holds
0 is none: the table says so, and the verdict prefers neither. --quick trains fewer
classifiers, see "wavemill eval --help".`,
		Example: `  wavemill compare --data recordings/ --model vae --model gan --out comparison --budget 10m
  wavemill compare --data recordings/ --model old.safetensors --model vaegan --out comparison`,
		Args: noArgs,
		RunE: func(cmd *cobra.Command, _ []string) error { return a.compare(cmd.Context(), o) },
	}
	f := cmd.Flags()
	f.StringArrayVar(&o.models, "model", nil, "architecture to train or checkpoint to take; repeat it (required)")
	f.StringVar(&o.out, "out", "", "folder for the reports and the trained checkpoints; it is made if it is not there (required)")
	f.DurationVar(&o.budget, "budget", 10*time.Minute, "how long to train each architecture")
	f.Int64Var(&o.steps, "steps", 0, "steps to train each architecture, instead of --budget")
	o.addAll(cmd)
	return cmd
}

func (o *compareOptions) check() error {
	switch {
	case o.budget <= 0:
		return usagef("--budget %v: training takes time", o.budget)
	case o.steps < 0 || o.steps == 0 && o.flags.Changed("steps"):
		return usagef("--steps must be positive")
	}
	for _, m := range o.models {
		if slices.Contains(architectures.Names(), m) {
			continue
		}
		if _, err := os.Stat(m); err != nil {
			return usagef("--model %s is neither an architecture (%s) nor a checkpoint: %w", m, strings.Join(architectures.Names(), ", "), err)
		}
	}
	return o.checkAll()
}

func (a *app) compare(ctx context.Context, o compareOptions) error {
	if err := o.check(); err != nil {
		return err
	}
	if err := checkOut("out", o.out); err != nil {
		return err
	}
	all, err := a.evaluationRecordings(ctx, o.evaluationFlags)
	if err != nil {
		return err
	}
	candidates, err := comparison.Candidates(o.models, o.out)
	if err != nil {
		return err
	}
	split, err := all.Split(comparison.Checkpoints(candidates))
	if err != nil {
		return err
	}
	data := split.Data()
	options, stages := o.options(a, len(candidates))
	defer stages.Stop()
	if err := comparison.CheckLabels(data, options, candidates); err != nil {
		return err
	}
	if err := comparison.Announce(ctx, data, options); err != nil {
		return err
	}
	if err := os.MkdirAll(o.out, 0o755); err != nil {
		return err
	}
	job := training.Job{Seed: o.seed, Steps: o.steps, NewEvaluator: a.newEvaluator}
	if o.steps == 0 {
		job.Budget = o.budget
	}
	plan := func(t training.Options) training.Options {
		return a.planned(ctx, t, frontOptions{ceiling: training.CeilingFast}, 0)
	}
	if err := comparison.TrainAll(ctx, candidates, split, job, plan, stages); err != nil {
		return err
	}
	data = data.Heard(candidates)
	e, err := comparison.Open(ctx, data, options)
	if err != nil {
		return err
	}
	found, err := e.Run(ctx, candidates)
	if err != nil {
		return err
	}
	stages.Done()
	return a.writeComparison(o, comparison.Document{
		Report: found, Verdict: comparison.Decide(found), DataHash: all.hash, LabelSource: all.labelSource,
		Budget: o.budget.Seconds(), Command: o.command(),
	}, report.Compared{
		Report: found, Verdict: comparison.Decide(found), Data: data, Candidates: candidates, Made: time.Now(), Command: o.command(),
		Facts: recordingFacts(all, o.seed),
	})
}

// writeComparison writes both reports and prints the result.
func (a *app) writeComparison(o compareOptions, d comparison.Document, c report.Compared) error {
	unwritten := report.WriteComparison(o.out, d, c) // The result is printed all the same.
	if o.asJSON {
		return errors.Join(a.printJSON(d), unwritten)
	}
	if err := errors.Join(d.Write(a.out), unwritten); err != nil {
		return err
	}
	return a.say("\n%s", filepath.Join(o.out, report.ComparisonHTML))
}

// command is the command line that makes the comparison again.
func (o *compareOptions) command() string {
	return "wavemill compare " + strings.Join(givenFlags(o.flags, "json"), " ")
}
