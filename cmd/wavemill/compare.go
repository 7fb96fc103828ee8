package main

import (
	"context"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"time"

	"github.com/spf13/cobra"

	"wavemill/models"
	"wavemill/models/architectures"
	"wavemill/models/comparison"
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
	case o.steps < 0:
		return usagef("--steps must not be negative")
	}
	for _, m := range o.models {
		if isArchitecture(m) {
			continue
		}
		if _, err := os.Stat(m); err != nil {
			return usagef("--model %s is neither an architecture (%s) nor a checkpoint: %w", m, strings.Join(architectures.Names(), ", "), err)
		}
	}
	return o.checkAll()
}

func isArchitecture(name string) bool { return slices.Contains(architectures.Names(), name) }

// names are those under which models appear: the architecture or the file's name, numbered where twice.
func (o *compareOptions) names() []string {
	names := make([]string, len(o.models))
	seen := map[string]int{}
	for i, m := range o.models {
		name := strings.TrimSuffix(filepath.Base(m), filepath.Ext(m))
		if seen[name]++; seen[name] > 1 {
			name = fmt.Sprintf("%s %d", name, seen[name])
		}
		names[i] = name
	}
	return names
}

// A candidate is a model to compare, and how it was trained if it was.
type candidate struct {
	comparison.Candidate
	training training.Result
}

func (a *app) compare(ctx context.Context, o compareOptions) error {
	if err := o.check(); err != nil {
		return err
	}
	all, err := a.evaluationRecordings(ctx, o.evaluationFlags)
	if err != nil {
		return err
	}
	candidates, err := o.finished()
	if err != nil {
		return err
	}
	var checkpoints []models.Checkpoint
	for _, c := range candidates {
		if c.Checkpoint.Arch != "" {
			checkpoints = append(checkpoints, c.Checkpoint)
		}
	}
	split, err := all.Split(checkpoints)
	if err != nil {
		return err
	}
	data := split.Data()
	options, stages := o.options(a, len(candidates))
	defer stages.Stop()
	if err := comparison.Announce(ctx, data, options); err != nil {
		return err
	}
	if err := os.MkdirAll(o.out, 0o755); err != nil {
		return err
	}
	if err := a.trainCandidates(ctx, o, candidates, split); err != nil {
		return err
	}
	e, err := comparison.Open(ctx, data, options)
	if err != nil {
		return err
	}
	list := make([]*comparison.Candidate, len(candidates))
	for i, c := range candidates {
		list[i] = &c.Candidate
	}
	report, err := e.Run(ctx, list)
	if err != nil {
		return err
	}
	stages.Done()
	return a.writeComparison(o, comparedReport{
		Report: report, Verdict: comparison.Decide(report), DataHash: all.hash, LabelSource: all.labelSource,
		Budget: o.budget.Seconds(), Command: o.command(),
	}, e, candidates)
}

// finished returns the candidates, with the checkpoints of those that are files.
func (o *compareOptions) finished() ([]*candidate, error) {
	out := make([]*candidate, len(o.models))
	for i, name := range o.names() {
		c := &candidate{}
		c.Name, c.File = name, o.models[i]
		if isArchitecture(o.models[i]) {
			c.File = filepath.Join(o.out, strings.ReplaceAll(name, " ", "-")+".safetensors")
		} else {
			var err error
			if c.Checkpoint, err = models.Read(c.File); err != nil {
				return nil, fmt.Errorf("%s: %w", name, err)
			}
		}
		out[i] = c
	}
	return out, nil
}

// trainCandidates trains those that are architectures.
func (a *app) trainCandidates(ctx context.Context, o compareOptions, candidates []*candidate, split comparison.Split) error {
	recordings, options, err := split.Training()
	if err != nil {
		return err
	}
	if !slices.ContainsFunc(o.models, isArchitecture) {
		return nil
	}
	set, err := training.Prepare(ctx, recordings, a.planned(ctx, options, frontOptions{ceiling: training.CeilingFast}, 0))
	if err != nil {
		return err
	}
	for i, c := range candidates {
		if !isArchitecture(o.models[i]) {
			continue
		}
		job := training.Job{Arch: o.models[i], Seed: o.seed, Steps: o.steps}
		if o.steps == 0 {
			job.Budget = o.budget
		}
		if c.Checkpoint, c.training, err = training.TrainCandidate(ctx, job, set, c.File, training.NewStages(a.console)); err != nil {
			return fmt.Errorf("%s: %w", c.Name, err)
		}
		c.Seconds, c.CPUSeconds = c.training.Seconds, c.training.CPUSeconds
	}
	return nil
}

// command is the command line that makes the comparison again.
func (o *compareOptions) command() string {
	return "wavemill compare " + strings.Join(givenFlags(o.flags, "json"), " ")
}
