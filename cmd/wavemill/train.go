package main

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"time"

	"github.com/spf13/cobra"

	"wavemill/models/training"
)

func newTrain(a *app) *cobra.Command {
	var o trainOptions
	cmd := &cobra.Command{
		Use:   "train --data DIR --out MODEL",
		Short: "Train a model on a folder of recordings, without a bus",
		Long: `Train learns from labelled recordings and writes a checkpoint: one safetensors file
that holds all that generating and resuming need.

It ends when the --budget of time or the number of --steps is used up. Ctrl-C saves the
current state; --resume goes on from there, also after a kill or a power failure, and
takes the same command line again. With --steps, the same data and seed give the same
checkpoint, interrupted or not, on processors of the same class; with --budget the
number of steps depends on the speed of the machine.

A tenth of the recordings is held out for evaluation and not used. The checkpoint
records which; "wavemill inspect --held-out" lists them. Copies of a recording stay on
one side, and so do groups with --group.

Training needs no supervision: it measures the clips that the model makes, warns of
silence, tones, noise, collapse and memorisation, goes back where it diverges, and keeps
the best weights. The figures are in the curves beside the checkpoint.`,
		Example: `  wavemill train --data recordings/ --out model.safetensors --budget 10m
  wavemill train --data recordings/ --out model.safetensors --budget 10m --resume
  wavemill train --data recordings/ --labels "{label}_{speaker}_{n}" --hold-out speaker=theo --out model.safetensors
  wavemill train --data recordings/ --out model.safetensors --previews previews --tensorboard runs`,
		Args: noArgs,
		RunE: func(cmd *cobra.Command, _ []string) error {
			o.flags = cmd.Flags()
			return a.train(cmd.Context(), o)
		},
	}
	o.add(cmd)
	return cmd
}

func (a *app) train(ctx context.Context, o trainOptions) (err error) {
	if err := o.check(); err != nil {
		return err
	}
	began := time.Now()
	job, release, err := o.spec.Open(func(line string) { a.notes(line) })
	switch {
	case errors.Is(err, training.ErrExists):
		return fmt.Errorf("--%w; --resume goes on from it, --overwrite begins anew", err)
	case errors.Is(err, training.ErrMismatch):
		return usagef("--%w", err)
	case err != nil:
		return fmt.Errorf("--%w", err)
	}
	defer func() { err = errors.Join(err, release()) }()
	set, err := a.trainingSet(ctx, o, job)
	if err == nil {
		job.Spent = time.Since(began)
		err = a.runTraining(ctx, o, job, set, began)
	}
	if ctx.Err() != nil && errors.Is(err, ctx.Err()) {
		return errors.New("interrupted before the first step; nothing was saved")
	}
	return err
}

// trainingSet decodes the recordings and computes what the training learns from. It shows the plan of a new training.
func (a *app) trainingSet(ctx context.Context, o trainOptions, job training.Job) (training.Set, error) {
	options := o.spec.Options(job)
	recordings, err := a.load(ctx, o.data, o.labels, holdoutFlags{group: options.Group()})
	if err != nil {
		return training.Set{}, err
	}
	return training.Prepare(ctx, recordings, a.planned(ctx, options, o.front, job.TimeBudget()))
}

// runTraining trains and reports the result.
func (a *app) runTraining(ctx context.Context, o trainOptions, job training.Job, set training.Set, began time.Time) error {
	p := &trainingProgress{say: a.note}
	job.OnEvent = p.event
	run, err := job.Start(ctx, set)
	if errors.Is(err, training.ErrBestBy) {
		return usagef("--best-by: %w", err)
	}
	if err != nil {
		return err
	}
	a.notes(run.Lines()...)
	p.begin(a.console, job.Budget, job.Steps)
	c, result, err := run.Train(ctx)
	if result.CurvesErr != nil {
		a.note("the curves are incomplete: %v", result.CurvesErr)
	}
	if err != nil {
		p.interrupted()
		if ctx.Err() != nil && errors.Is(err, ctx.Err()) {
			resume := strings.Join(givenFlags(o.flags, "resume", "overwrite"), " ")
			return fmt.Errorf("interrupted at step %d; go on with: wavemill train --resume %s", c.Step, resume)
		}
		return err
	}
	p.done()
	report, err := training.NewReport(o.spec.Out, c, result, time.Since(began))
	if err != nil {
		return err
	}
	report.Previews, report.Tensorboard = job.Files.Previews, o.spec.Runs
	return a.reportTraining(o, report)
}

// reportTraining prints the result.
func (a *app) reportTraining(o trainOptions, r training.Report) error {
	if o.asJSON {
		return a.printJSON(r)
	}
	a.notes(r.Lines()...)
	a.note("try: wavemill generate --model %s --label %s --n 10 --seed 1 --out clips", quote(r.Out), quote(r.Labels[0]))
	if o.spec.Latent == 2 {
		a.note("try: wavemill latents --model %s --data %s", quote(r.Out), quote(o.data[0]))
	}
	took := time.Duration(r.Seconds * float64(time.Second))
	return a.say("%s: %s, %s in %v, digest %s", r.Out, r.Model, r.StepsText(), roundDuration(took), r.Digest[:12])
}
