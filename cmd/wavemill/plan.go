package main

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"slices"
	"time"

	"github.com/spf13/cobra"

	"wavemill/audio/dataset"
	"wavemill/models"
	"wavemill/models/eval"
	"wavemill/models/frontend"
	"wavemill/models/training"
)

// planOptions are the flags of `wavemill plan`.
type planOptions struct {
	data   []string
	labels string
	front  frontOptions
	chop   chopFlags
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

Where most recordings have two channels that differ, the model has two as well, and
the ceiling says what becomes of panning and width; --mono mixes down instead.

The log-spectral distance and the SNR of the magnitudes do not depend on phases; the
SNR of the samples does, and is low even where no difference can be heard. A classifier
trained on nine tenths of the recordings predicts the labels of the others before and
after the round trip; --ceiling fast leaves it out.`,
		Example: `  wavemill plan --data recordings/
  wavemill plan --data recordings/ --mels 128 --ceiling fast
  wavemill plan --data recordings/ --json > plan.json
  wavemill train --data recordings/ --front-end plan.json --out model.safetensors`,
		Args: noArgs,
		RunE: func(cmd *cobra.Command, _ []string) error {
			if err := o.chop.check(cmd.Flags()); err != nil {
				return err
			}
			return a.plan(cmd.Context(), o)
		},
	}
	f := cmd.Flags()
	f.StringArrayVar(&o.data, "data", nil, "folder or file with recordings; may be repeated (required)")
	o.front.add(cmd)
	o.chop.add(f)
	f.BoolVar(&o.asJSON, "json", false, "print the plan as one line of JSON")
	addLabels(cmd, &o.labels)
	return cmd
}

func (a *app) plan(ctx context.Context, o planOptions) (err error) {
	if err := o.front.check(); err != nil {
		return err
	}
	pieces, err := a.chop(ctx, o.chop, o.data, o.labels, "")
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, pieces.release()) }()
	recordings, err := a.load(ctx, pieces.data, pieces.labels, holdoutFlags{})
	if err != nil {
		return err
	}
	if recordings = a.plannable(recordings); len(recordings) == 0 {
		return errors.New("none of the recordings can be used")
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
	return a.printResult(o.asJSON, p)
}

// plannable leaves out recordings that no front end can take, and notes why. Silent ones are counted by the plan.
func (a *app) plannable(recordings []dataset.Recording) []dataset.Recording {
	return slices.DeleteFunc(recordings, func(r dataset.Recording) bool {
		err := frontend.Usable(r.Clip)
		if err == nil || errors.Is(err, frontend.ErrSilent) {
			return false
		}
		a.notes(fmt.Sprintf("skipped %s: %v", r.Path, err))
		return true
	})
}

// frontOptions are the flags that decide the front end instead of the plan, and how its ceiling is measured.
type frontOptions struct {
	choice  frontend.Choice
	ceiling training.CeilingMode
}

func (o *frontOptions) add(cmd *cobra.Command) {
	f, v := cmd.Flags(), &o.choice.Overrides
	f.StringVar(&o.choice.File, "front-end", "", "JSON file with the front end to use instead of a planned one, such as \"front_end\" of \"wavemill plan --json\"")
	f.IntVar(&v.NFFT, "n-fft", 0, "samples in a frame (default: planned)")
	f.IntVar(&v.Hop, "hop", 0, "samples between frames (default: planned; with --n-fft in proportion)")
	f.IntVar(&v.Mels, "mels", 0, "mel filters, a multiple of 16 (default: planned)")
	f.StringVar(&v.MelFormula, "mel-formula", "", "mel scale: slaney (librosa's default), htk, or knee, whose lowest filters are as narrow as bins (default: slaney, or knee where low tones need it)")
	f.StringVar(&v.MelNorm, "mel-norm", "", "mel filters: slaney (unit area in Hz) or none (peaks of 1) (default: slaney)")
	f.StringVar(&v.Pad, "pad", "", "samples before the beginning and after the end: zero, or reflect as librosa and torchaudio can (default: zero)")
	f.IntVar(&v.Frames, "frames", 0, "frames of a clip, a multiple of 16 (default: planned)")
	f.BoolVar(&v.Mono, "mono", false, "one channel: mix recordings of two channels down (default: two channels where most recordings have two that differ)")
	f.StringVar((*string)(&o.ceiling), "ceiling", string(training.CeilingAuto), "what to measure of the front end's ceiling: auto, full (with a classifier), fast (without), off")
}

func (o *frontOptions) check() error {
	if err := cmp.Or(o.choice.Overrides.Validate(), o.ceiling.Validate()); err != nil {
		return usagef("--%w", err)
	}
	if err := o.choice.Validate(); err != nil {
		return fmt.Errorf("--front-end: %w", err)
	}
	return nil
}

// frontEnd plans the front end for recordings, or reads it, and applies the flags.
func (o *frontOptions) frontEnd(recordings []dataset.Recording) (models.FrontEnd, error) {
	fe, err := o.choice.Plan(dataset.Clips(recordings))
	if errors.Is(err, frontend.ErrUnusable) {
		return fe, usagef("%w", err)
	}
	return fe, err
}

// planned returns the options of a training whose front end the flags choose. The plan is noted.
func (a *app) planned(ctx context.Context, options training.Options, o frontOptions, budget time.Duration) training.Options {
	options.Note = func(line string) { a.notes(line) }
	options.FrontEnd = o.frontEnd
	options.OnPlan = func(fe models.FrontEnd, learnable []dataset.Recording) error {
		return a.notePlan(ctx, o, fe, learnable, budget)
	}
	return options
}

// notePlan notes the plan before a training.
func (a *app) notePlan(ctx context.Context, o frontOptions, fe models.FrontEnd, recordings []dataset.Recording, budget time.Duration) error {
	p, err := a.makePlan(ctx, fe, recordings, o.ceiling.PlanOptions(budget))
	if err == nil {
		a.notes(p.Lines()...)
	}
	return err
}

// makePlan makes a plan and shows the progress of its ceiling.
func (a *app) makePlan(ctx context.Context, fe models.FrontEnd, recordings []dataset.Recording, o training.PlanOptions) (training.Plan, error) {
	if o.Ceiling {
		task := a.console.Start("ceiling", 100, "%")
		defer task.Done()
		o.OnProgress = func(p eval.Progress) {
			task.Note("classifier, epoch %d of %d", p.Epoch, p.Epochs)
			share := float64(p.Epoch) / float64(p.Epochs)
			if o.Classifier > 0 { // It ends when its time is up, too.
				share = max(share, p.Elapsed.Seconds()/o.Classifier.Seconds())
			}
			task.Set(int64(100 * share))
		}
	}
	return training.MakePlan(ctx, fe, recordings, o)
}
