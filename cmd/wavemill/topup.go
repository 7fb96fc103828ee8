package main

import (
	"context"
	"errors"
	"fmt"
	"os"
	"path/filepath"

	"github.com/spf13/cobra"

	"wavemill/internal/progress"
	"wavemill/models"
	"wavemill/models/augment"
	"wavemill/models/sampling"
)

// topupOptions are the flags of `wavemill topup`.
type topupOptions struct {
	data, test []string
	labels     string
	model, out string
	to         int
	seed       uint64
	confidence float64
	proof      bool
	overwrite  bool
	asJSON     bool
}

func newTopup(a *app) *cobra.Command {
	var o topupOptions
	cmd := &cobra.Command{
		Use:   "topup --data DIR --model MODEL --to N --out DIR",
		Short: "Add generated clips until every label has N, and measure whether they help",
		Long: `Topup counts the recordings of each label and generates what is missing to --to.
Only clips that pass a filter are kept: not silent, recognised as their label by a
classifier that is trained on the recordings, and no copies of recordings.

--out gets the clips, manifest.csv, which lists recordings and clips with their
labels and weights, and topup.json, with the numbers of tried, kept and refused
clips and the proof: the accuracy of classifiers trained without and with the clips
(means of three, with 95 % intervals) on recordings that the model has not seen.
These are the recordings of --data that the training of the model held out, or
those of --test. Recordings of --test that the model has seen, and copies of
recordings in --data, are left out.

A weight says how often a recording should be drawn in training beside one clip:
where clips outnumber recordings, recordings are half of what is drawn, otherwise a
classifier fits generated clips better than recordings. The proof does the same.`,
		Example: `  wavemill topup --data recordings/ --model model.safetensors --to 500 --out more
  wavemill train --data recordings/ --data more/ --labels more/manifest.csv --out better.safetensors`,
		Args: noArgs,
		RunE: func(cmd *cobra.Command, _ []string) error { return a.topup(cmd.Context(), o) },
	}
	f := cmd.Flags()
	f.StringArrayVar(&o.data, "data", nil, "folder or file with the recordings; may be repeated (required)")
	f.StringArrayVar(&o.test, "test", nil, "folder or file with other recordings for the proof (default: those of --data that the model has not seen)")
	f.StringVar(&o.model, "model", "", "checkpoint, such as model.safetensors (required)")
	f.IntVar(&o.to, "to", 0, "number of clips that every label is to have, recordings included (required)")
	f.StringVar(&o.out, "out", "", "folder for the clips and the manifest; it is created if it does not exist (required)")
	f.Uint64Var(&o.seed, "seed", 1, "seed of the first clip of each label, and of the classifiers")
	f.Float64Var(&o.confidence, "confidence", 0, "least probability of the right label, by the classifier (default 0.5; none where it has too few recordings to be reliable)")
	f.BoolVar(&o.proof, "proof", true, "train classifiers without and with the clips")
	f.BoolVar(&o.overwrite, "overwrite", false, "replace a manifest that --out has already")
	f.BoolVar(&o.asJSON, "json", false, "print topup.json as one line")
	addLabels(cmd, &o.labels)
	return cmd
}

func (o *topupOptions) check() error {
	switch {
	case len(o.data) == 0:
		return usagef("--data is missing: a folder with recordings")
	case o.model == "":
		return usagef("--model is missing: the checkpoint to generate with")
	case o.to < 1:
		return usagef("--to is missing: how many clips each label is to have")
	case o.out == "":
		return usagef("--out is missing: the folder for the clips")
	case !(o.confidence >= 0 && o.confidence < 1):
		return usagef("--confidence %g is not between 0 and 1", o.confidence)
	}
	if _, err := os.Stat(filepath.Join(o.out, augment.ManifestName)); err == nil && !o.overwrite {
		return fmt.Errorf("%s exists already; --overwrite replaces it", filepath.Join(o.out, augment.ManifestName))
	}
	return nil
}

func (a *app) topup(ctx context.Context, o topupOptions) error {
	if err := o.check(); err != nil {
		return err
	}
	checkpoint, err := models.Read(o.model)
	if err != nil {
		return err
	}
	sampler, err := sampling.Open(checkpoint)
	if err != nil {
		return fmt.Errorf("%s: %w", o.model, err)
	}
	recordings, split, err := a.topupSplit(ctx, o, checkpoint)
	if err != nil {
		return err
	}
	job := augment.Job{
		To: o.to, Seed: o.seed, Confidence: o.confidence, Proof: o.proof, Out: o.out,
		Progress: consoleProgress{a.console}, Note: func(s string) { a.note("%s", s) },
		Store: func(name string, data []byte) error {
			if err := os.MkdirAll(o.out, 0o755); err != nil {
				return err
			}
			return writeFile(filepath.Join(o.out, name), data)
		},
	}
	report, err := job.Run(ctx, sampler, recordings, split)
	if errors.Is(err, augment.ErrTooFewUnseen) {
		return fmt.Errorf("%w: give others with --test DIR, train the model with a part of the recordings held out, or leave the proof out with --proof=false", err)
	}
	if err != nil {
		return err
	}
	if o.asJSON {
		return a.printJSON(report)
	}
	return a.sayReport(report)
}

// sayReport prints a report for a person.
func (a *app) sayReport(r augment.Report) error {
	for _, l := range r.Labels {
		line := fmt.Sprintf("%s: %d recordings, %d clips added", l.Label, l.Recordings, l.Generated)
		if l.Tried > 0 {
			line += fmt.Sprintf(" (%d tried, %.0f %% kept; refused: %s)", l.Tried, 100*l.Acceptance, l.Refused)
		}
		if err := a.say("%s", line); err != nil {
			return err
		}
	}
	if p := r.Proof; p != nil {
		gain := fmt.Sprintf("%+.1f points", p.Points)
		if p.None {
			gain = "none"
		}
		b, w, g := p.Intervals["real_only"], p.Intervals["with_synthetic"], p.Intervals["gain_points"]
		if err := a.say("proof: on %d recordings that the model has not seen, classifiers have an accuracy of %.1f %% [%.1f, %.1f] without the clips and %.1f %% [%.1f, %.1f] with them; gain: %s (95 %% interval %+.1f to %+.1f points)",
			len(r.HeldOut), 100*p.Before, 100*b[0], 100*b[1], 100*p.After, 100*w[0], 100*w[1], gain, g[0], g[1]); err != nil {
			return err
		}
	}
	return a.say("%s", r.Manifest)
}

// consoleProgress shows the progress of a package on the console.
type consoleProgress struct{ console *progress.Console }

// Start implements augment.Progress.
func (p consoleProgress) Start(name string, total int64, unit string) augment.Task {
	return p.console.Start(name, total, unit)
}
