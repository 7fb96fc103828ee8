package main

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"time"

	"github.com/spf13/cobra"

	"wavemill/audio/dataset"
	"wavemill/models"
	"wavemill/models/architectures"
	"wavemill/models/monitor"
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
			o.given = cmd.Flags().Changed
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
	release, err := o.reserve()
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, release()) }()
	job, err := a.trainJob(o)
	if err != nil {
		return err
	}
	set, err := a.trainingSet(ctx, o, job)
	if err != nil {
		return interruptedEarly(ctx, err)
	}
	job.Spent = time.Since(began)
	return a.runTraining(ctx, o, *job, set, began)
}

// reserve makes sure that --out can be written, and locks it.
func (o *trainOptions) reserve() (release func() error, err error) {
	if err := training.CheckOutput(o.out); err != nil {
		if errors.Is(err, training.ErrOutput) {
			return nil, fmt.Errorf("--out: %w", err)
		}
		return nil, err
	}
	release, err = training.LockOutput(o.out)
	if err != nil {
		return nil, fmt.Errorf("--out: %w", err)
	}
	return release, nil
}

// interruptedEarly is the error of an interruption before the first step.
func interruptedEarly(ctx context.Context, err error) error {
	if ctx.Err() != nil && errors.Is(err, ctx.Err()) {
		return errors.New("interrupted before the first step; nothing was saved")
	}
	return err
}

// trainJob is the training that the flags, and with --resume the checkpoint, describe.
func (a *app) trainJob(o trainOptions) (*training.Job, error) {
	if err := o.rotation().Sweep(); err != nil {
		return nil, err
	}
	j := &training.Job{
		Arch: o.arch, Seed: o.seed, Steps: o.steps, Budget: o.budget, BatchSize: o.batch, EvalEvery: o.evalEvery, SaveEvery: o.saveEvery,
		Patience: o.patience, Save: o.rotation().Write,
	}
	if !o.resume || o.has("best-by") {
		j.BestBy = o.bestBy
	}
	var err error
	if j.Channels, err = parseChannels(o.channels); err != nil {
		return nil, err
	}
	if j.Config, err = o.settings(); err != nil {
		return nil, err
	}
	if !o.resume {
		return j, nil
	}
	c, path, err := o.rotation().Read()
	if err != nil {
		return nil, err
	}
	if path != o.out {
		a.note("%s is missing or damaged; going on from the one before, %s, at step %d", o.out, path, c.Step)
	}
	if c.Data == nil {
		a.note("the checkpoint does not record which recordings it was trained on; figures on held-out recordings will not be trusted")
	}
	j.Resume = &c
	return j, o.agrees(c, j)
}

// trainingSet decodes the recordings and computes what the training learns from. It shows the plan of a new training.
func (a *app) trainingSet(ctx context.Context, o trainOptions, job *training.Job) (training.Set, error) {
	groups := o.holdout
	if c := job.Resume; c != nil && c.Data != nil {
		groups.group = c.Data.Group // which the command line may leave out
	}
	recordings, err := a.load(ctx, o.data, o.labels, groups)
	if err != nil {
		return training.Set{}, err
	}
	var learnable []dataset.Recording
	set, err := training.Prepare(ctx, recordings, training.Options{
		Holdout: o.holdout.rule(o.seed), Resume: job.Resume, Note: func(line string) { a.note("%s", line) },
		FrontEnd: func(of []dataset.Recording) (models.FrontEnd, error) {
			learnable = of
			return o.front.frontEnd(of)
		},
	})
	if err != nil || job.Resume != nil {
		return set, err
	}
	budget := o.budget
	if o.steps > 0 {
		budget = 0
	}
	return set, a.notePlan(ctx, o.front, set.FrontEnd, learnable, budget)
}

// runTraining trains and reports the result.
func (a *app) runTraining(ctx context.Context, o trainOptions, job training.Job, set training.Set, began time.Time) error {
	log := &metricsLog{}
	if o.previews != "" || o.tensorboard != "" {
		job.Previews = &monitor.PreviewWriter{Dir: o.previews, Show: log.show}
	}
	p := &trainingProgress{say: a.note}
	job.OnEvent = func(e models.Progress) {
		log.take(e)
		p.event(e)
	}
	run, err := job.Start(ctx, set)
	if errors.Is(err, training.ErrBestBy) {
		return usagef("--best-by: %w", err)
	}
	if err != nil {
		return interruptedEarly(ctx, err)
	}
	for _, line := range run.Settings.Lines() {
		a.note("%s", line)
	}
	a.note("model %s: %d frames by %d bins at %d Hz; %d recordings to learn from, %d for validation, %d held out", run.Settings.Arch,
		set.FrontEnd.Frames, set.FrontEnd.Spectrogram.Bins(), set.FrontEnd.Spectrogram.SampleRate, set.Train.B, set.Validation.B, len(set.Data.HeldOut))
	if err := log.open(o, run.From()); err != nil {
		return err
	}
	p.begin(a.console, o.budget, o.steps)
	c, result, err := run.Train(ctx)
	if e := log.close(); e != nil {
		a.note("the curves are incomplete: %v", e)
	}
	if ctx.Err() != nil && errors.Is(err, ctx.Err()) {
		p.interrupted()
		return fmt.Errorf("interrupted at step %d; go on with: %s", c.Step, o.resumeCommand())
	}
	p.done()
	if err != nil {
		return err
	}
	return a.reportTraining(o, c, log, result.EndedBy, time.Since(began))
}

// known reports whether an architecture has that name.
func known(arch string) bool { return slices.Contains(architectures.Names(), arch) }
