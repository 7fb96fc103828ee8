package main

import (
	"context"
	"errors"
	"fmt"
	"os"
	"path/filepath"

	"github.com/spf13/cobra"

	"wavemill/audio/dataset"
	"wavemill/internal/usage"
	"wavemill/models"
	"wavemill/models/augment"
	"wavemill/models/eval"
)

// topupOptions are the flags of `wavemill topup`.
type topupOptions struct {
	data, test []string
	labels     string
	model      string
	overwrite  bool
	asJSON     bool
	augment.Job
}

func newTopup(a *app) *cobra.Command {
	var o topupOptions
	cmd := &cobra.Command{
		Use:   "topup --data DIR --model MODEL --to N --out DIR",
		Short: "Add generated clips until every label has N, and measure whether they help",
		Long: `Topup counts the recordings of each label and generates what is missing to --to.
Only clips that pass a filter are kept: not silent, recognised as their label by a
classifier that is trained on the recordings, and no copies of recordings.

--out gets the clips, manifest.csv, which lists recordings and clips with labels
and weights, and topup.json, with the numbers of clips and the proof: the accuracy
of classifiers trained on recordings alone, with tuned augmentation, and with the
same augmentation and the clips (means of three, with 95 % intervals), and a verdict
by what the clips add to augmentation. It is measured on recordings that the model
has not seen: those of --data that its training held out, or those of --test but for
recordings that the model has seen and copies of recordings in --data.

A weight says how often a recording should be drawn in training beside one clip:
at least half of what is drawn, also in the proof, are recordings.`,
		Example: `  wavemill topup --data recordings/ --model model.safetensors --to 500 --out more
  wavemill train --data recordings/ --data more/ --labels more/manifest.csv --out better.safetensors`,
		Args: noArgs,
		RunE: func(cmd *cobra.Command, _ []string) error { return a.topup(cmd.Context(), o) },
	}
	f := cmd.Flags()
	f.StringArrayVar(&o.data, "data", nil, "folder or file with the recordings; may be repeated (required)")
	f.StringArrayVar(&o.test, "test", nil, "folder or file with other recordings for the proof (default: those of --data that the model has not seen)")
	f.StringVar(&o.model, "model", "", "checkpoint, such as model.safetensors (required)")
	f.IntVar(&o.To, "to", 0, "number of clips that every label is to have, recordings included (required)")
	f.StringVar(&o.Out, "out", "", "folder for the clips and the manifest; it is created if it does not exist (required)")
	f.Uint64Var(&o.Seed, "seed", 1, "seed of the first clip of each label, and of the classifiers")
	f.Float64Var(&o.Confidence, "confidence", 0, "least probability of the right label, by the classifier (default 0.5; none where it has too few recordings to be reliable)")
	f.BoolVar(&o.Proof, "proof", true, "train classifiers without and with the clips, both with tuned augmentation")
	f.IntVar(&o.Effort.Steps, "proof-steps", 0, "steps of each classifier of the proof (default 1500)")
	f.IntVar(&o.Effort.Seeds, "proof-seeds", 0, "classifiers of each kind (default 3)")
	f.StringSliceVar(&o.Effort.Augmentation, "proof-augmentation", nil, "augmentation that the proof chooses from: none, light, medium, strong (default all)")
	f.DurationVar(&o.Effort.Budget, "proof-budget", 0, "longest time of the proof, such as 10m; where the steps do not fit, there are fewer (default 30m; with --proof-steps: no limit)")
	f.BoolVar(&o.RequireGain, "require-gain", false, "exit with 3 unless the verdict of the proof is to use the clips")
	f.BoolVar(&o.overwrite, "overwrite", false, "replace a manifest that --out has already")
	f.BoolVar(&o.asJSON, "json", false, "print topup.json as one line")
	addLabels(cmd, &o.labels)
	return cmd
}

func (o *topupOptions) check() error {
	if err := o.Validate(); err != nil {
		return usagef("--%w", err)
	}
	manifest := filepath.Join(o.Out, augment.ManifestName)
	if _, err := os.Stat(manifest); err == nil && !o.overwrite {
		return fmt.Errorf("%s exists already; --overwrite replaces it", manifest)
	}
	return checkOut("out", o.Out)
}

func (a *app) topup(ctx context.Context, o topupOptions) error {
	if err := o.check(); err != nil {
		return err
	}
	checkpoint, sampler, err := openSampler(o.model)
	if err != nil {
		return err
	}
	recordings, split, err := a.topupSplit(ctx, o, checkpoint)
	if err != nil {
		return err
	}
	o.Note = func(s string) { a.note("%s", s) }
	o.Progress = func(name string, total int64, unit string) augment.Task { return a.console.Start(name, total, unit) }
	o.Store = func(name string, data []byte) error {
		_, err := storeIn(o.Out)(name, data)
		return err
	}
	report, err := o.Run(ctx, sampler, recordings, split)
	switch {
	case errors.Is(err, eval.ErrTrialBudget):
		return fmt.Errorf("%w (--proof-budget, --proof-steps, --proof-seeds, --proof-augmentation)", err)
	case errors.Is(err, augment.ErrNoLabel):
		return fmt.Errorf("%s: %w; is this the right --data or --labels?", o.model, err)
	case errors.Is(err, augment.ErrTooFewUnseen):
		return fmt.Errorf("%w: give others with --test DIR, train the model with a part of the recordings held out, or leave the proof out with --proof=false", err)
	case err != nil:
		return err
	}
	if err := a.printResult(o.asJSON, report); err != nil || !o.RequireGain {
		return err
	}
	return usage.WithCode(report.CheckGain(), usage.ExitNoGain)
}

// topupSplit reads the recordings of --data and --test, and divides them for the filter and the proof.
func (a *app) topupSplit(ctx context.Context, o topupOptions, c models.Checkpoint) ([]dataset.Recording, augment.Split, error) {
	recordings, err := a.load(ctx, o.data, o.labels, holdoutFlags{}, o.Out)
	if err != nil {
		return nil, augment.Split{}, err
	}
	s := augment.HoldOut(c, recordings, holdoutFlags{}.rule(c.Seed))
	if len(o.test) > 0 {
		test, err := a.load(ctx, o.test, o.labels, holdoutFlags{}, o.Out)
		if err != nil {
			return nil, augment.Split{}, err
		}
		s = augment.TestOn(c, recordings, test)
		if s.Dropped > 0 {
			a.note("%d of %d recordings of --test are left out: the model has seen them or near copies of them, or they are near copies of recordings in --data", s.Dropped, len(test))
		}
	}
	if !s.Trusted && o.Proof {
		a.note("warning: the checkpoint does not record which recordings it was trained on: it may have seen the recordings of the proof, and the accuracies are not to be trusted")
	}
	return recordings, s, nil
}
