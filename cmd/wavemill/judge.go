package main

import (
	"context"
	"fmt"
	"os"
	"path/filepath"

	"github.com/spf13/cobra"
	"github.com/spf13/pflag"

	"wavemill/audio/dataset"
	"wavemill/internal/progress"
	"wavemill/models"
	"wavemill/models/eval"
	"wavemill/models/training"
)

// newJudge is `wavemill judge`.
func newJudge(a *app) *cobra.Command {
	var o judgeCommand
	cmd := &cobra.Command{
		Use:   "judge --data DIR --out JUDGE",
		Short: "Train the filter that generate --until-good uses",
		Long: `Judge trains a classifier on recordings and saves it, together with their
spectrograms at half the resolution, by which copies are recognised. With --model, it
also saves the scores that the discriminators of those models (gan, vaegan, flow) give to
the recordings.

The file shows the outlines of the recordings: share it as you would share them.`,
		Example: `  wavemill judge --data recordings/ --out judge.safetensors
  wavemill judge --data recordings/ --model vaegan.safetensors --out judge.safetensors
  wavemill generate --model vaegan.safetensors --label three --n 50 --until-good --judge judge.safetensors --out clips`,
		Args: noArgs,
		RunE: func(cmd *cobra.Command, _ []string) error { return a.judge(cmd.Context(), o) },
	}
	f := cmd.Flags()
	f.StringArrayVar(&o.data, "data", nil, "folder or file with the recordings that the models were trained on; may be repeated (required)")
	f.StringArrayVar(&o.models, "model", nil, "checkpoint whose discriminator is to be used too; may be repeated")
	f.StringVar(&o.out, "out", "", "file for the filter, such as judge.safetensors (required)")
	f.Uint64Var(&o.seed, "seed", 1, "seed of the classifier")
	f.BoolVar(&o.overwrite, "overwrite", false, "overwrite an existing --out")
	f.BoolVar(&o.asJSON, "json", false, "print the result as one line of JSON")
	addLabels(cmd, &o.labels)
	return cmd
}

// judgeCommand holds the flags of `wavemill judge`.
type judgeCommand struct {
	data, models []string
	labels, out  string
	seed         uint64
	overwrite    bool
	asJSON       bool
}

func (a *app) judge(ctx context.Context, o judgeCommand) error {
	if _, err := os.Stat(o.out); err == nil && !o.overwrite {
		return fmt.Errorf("%s exists already; --overwrite replaces it", o.out)
	}
	if err := checkOutFile("out", o.out); err != nil {
		return err
	}
	job, stop := a.filterJob(o.seed)
	defer stop()
	for _, path := range o.models {
		c, err := models.Read(path)
		if err != nil {
			return err
		}
		job.Models = append(job.Models, training.FilterModel{Name: path, Checkpoint: c})
	}
	all, err := a.load(ctx, o.data, o.labels, holdoutFlags{})
	if err != nil {
		return err
	}
	file, report, err := job.Run(ctx, all)
	if err != nil {
		return err
	}
	report.Out = o.out
	if err := os.MkdirAll(filepath.Dir(o.out), 0o755); err != nil {
		return err
	}
	if err := file.Write(o.out); err != nil {
		return err
	}
	return a.printResult(o.asJSON, report)
}

// filterJob makes filters and shows the progress, until stop is called.
func (a *app) filterJob(seed uint64) (job training.FilterJob, stop func()) {
	s := progress.NewStages(a.console)
	return training.FilterJob{Seed: seed, OnProgress: s.Stage, Note: func(line string) { a.notes(line) }}, s.Stop
}

// judgeOptions say which filter checks clips.
type judgeOptions struct {
	file   string   // a saved filter
	data   []string // recordings to train one on
	labels string   // source of their labels
}

func addJudge(f *pflag.FlagSet, o *judgeOptions) {
	f.StringVar(&o.file, "judge", "", "filter made by \"wavemill judge\": prints the probability of each clip's label")
	f.StringArrayVar(&o.data, "data", nil, "instead: folder or file with recordings to train a filter on; may be repeated")
	f.StringVar(&o.labels, "labels", "", "source of the labels of --data: folder, prefix, FILE.csv, FILE.jsonl or a pattern (default: detected)")
}

func (o judgeOptions) asked() bool { return o.file != "" || len(o.data) > 0 }

func (o judgeOptions) check() error {
	switch {
	case o.file != "" && len(o.data) > 0:
		return usagef("--judge is a filter, --data are recordings to train one on: use one of them")
	case o.labels != "" && len(o.data) == 0:
		return usagef("--labels says where the labels of --data come from, but --data is missing")
	}
	return nil
}

// openFilter opens or trains the filter of `wavemill generate`; nil where the flags ask for none.
func (a *app) openFilter(ctx context.Context, o generateOptions, c models.Checkpoint, labels []string) (*eval.Filter, error) {
	if !o.judge.asked() {
		return nil, nil
	}
	use := training.FilterUse{Model: training.FilterModel{Name: o.model, Checkpoint: c}, Labels: labels, Note: func(line string) { a.notes(line) }}
	switch {
	case o.UntilGood && o.limits.Realness == 0:
		use.Realness = training.RealnessOff
	case o.given("realness") && o.limits.Realness > 0:
		use.Realness = training.RealnessRequired
	}
	var err error
	if use.Limits, err = eval.ExactLimits(o.limits); err != nil {
		return nil, err
	}
	if !o.given("newness") {
		use.Limits.Newness = 0 // the filter's own
	}
	if o.judge.file != "" {
		return use.Open(o.judge.file)
	}
	job, stop := a.filterJob(c.Seed)
	defer stop()
	return use.Train(ctx, job, func() ([]dataset.Recording, error) { return a.load(ctx, o.judge.data, o.judge.labels, holdoutFlags{}) })
}
