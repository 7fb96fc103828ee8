package main

import (
	"context"
	"fmt"
	"os"
	"path/filepath"

	"github.com/spf13/cobra"

	"wavemill/models"
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
also saves the scores that the discriminators of those models (gan, vaegan) give to
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

func (o judgeCommand) check() error {
	switch {
	case len(o.data) == 0:
		return usagef("--data is missing: a folder with recordings")
	case o.out == "":
		return usagef("--out is missing: the file for the filter")
	}
	if _, err := os.Stat(o.out); err == nil && !o.overwrite {
		return fmt.Errorf("%s exists already; --overwrite replaces it", o.out)
	}
	return nil
}

func (a *app) judge(ctx context.Context, o judgeCommand) error {
	if err := o.check(); err != nil {
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
	if o.asJSON {
		return a.printJSON(report)
	}
	return a.say("%v", report)
}

// filterJob makes filters and shows the progress, until stop is called.
func (a *app) filterJob(seed uint64) (job training.FilterJob, stop func()) {
	s := &stages{app: a}
	return training.FilterJob{Seed: seed, OnProgress: s.Stage, Note: func(line string) { a.notes(line) }}, s.stop
}
