package main

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"strings"
	"time"

	"github.com/spf13/cobra"
	"github.com/spf13/pflag"

	"wavemill/models/architectures"
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

Recordings of --unlabelled need no labels: labels spread from labelled recordings to
similar ones, and from these to others; only the most certain are trained on.

Training needs no supervision: it measures the clips that the model makes, warns of
silence, tones, noise, collapse and memorisation, goes back where it diverges, and keeps
the best weights. The figures are in the curves beside the checkpoint.`,
		Example: `  wavemill train --data recordings/ --out model.safetensors --budget 10m
  wavemill train --data recordings/ --out model.safetensors --budget 10m --resume
  wavemill train --data recordings/ --labels "{label}_{speaker}_{n}" --hold-out speaker=theo --out model.safetensors
  wavemill train --data recordings/ --out model.safetensors --previews previews --tensorboard runs
  wavemill train --data few/ --unlabelled many/ --out model.safetensors`,
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
	pieces, err := a.chop(ctx, o.chop, o.data, o.labels, o.spec.Group)
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, pieces.release()) }()
	o.given = o.data
	o.data, o.labels, o.spec.Group = pieces.data, pieces.labels, pieces.group
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
	if len(o.unlabelled) > 0 {
		scan := options.ScanUnlabelled(o.labels)
		if options.Unlabelled, err = a.load(ctx, o.unlabelled, scan.Labels, holdoutFlags{group: scan.Group}); err != nil {
			return training.Set{}, fmt.Errorf("--unlabelled: %w", err)
		}
	}
	return training.Prepare(ctx, recordings, a.planned(ctx, options, o.front, job.TimeBudget()))
}

// runTraining trains and reports the result.
func (a *app) runTraining(ctx context.Context, o trainOptions, job training.Job, set training.Set, began time.Time) error {
	p := &training.Display{Say: a.note}
	job.OnEvent, job.NewEvaluator = p.Event, a.newEvaluator
	run, err := job.Start(ctx, set)
	if errors.Is(err, training.ErrBestBy) {
		return usagef("--best-by: %w", err)
	}
	if err != nil {
		return err
	}
	a.notes(run.Lines()...)
	p.Begin(a.console, job.Budget, job.Steps)
	c, result, err := run.Train(ctx)
	if result.CurvesErr != nil {
		a.note("the curves are incomplete: %v", result.CurvesErr)
	}
	if err != nil {
		p.Interrupted()
		if ctx.Err() != nil && errors.Is(err, ctx.Err()) {
			resume := strings.Join(givenFlags(o.flags, "resume", "overwrite"), " ")
			return fmt.Errorf("interrupted at step %d; go on with: wavemill train --resume %s", c.Step, resume)
		}
		return err
	}
	p.Done()
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
		a.note("try: wavemill latents --model %s --data %s", quote(r.Out), quote(o.given[0]))
	}
	took := time.Duration(r.Seconds * float64(time.Second))
	return a.say("%s: %s, %s in %v, digest %s", r.Out, r.Model, r.StepsText(), roundDuration(took), r.Digest[:12])
}

// trainOptions are the flags of `wavemill train`.
type trainOptions struct {
	spec    training.Spec
	front   frontOptions
	holdout holdoutFlags
	chop    chopFlags
	labels  string
	asJSON  bool

	data, unlabelled []string
	given            []string       // What --data says; data may be pieces of it.
	flags            *pflag.FlagSet // of the command line
}

func (o *trainOptions) add(cmd *cobra.Command) {
	f, s := cmd.Flags(), &o.spec
	f.StringArrayVar(&o.data, "data", nil, "folder or file with recordings; may be repeated (required)")
	f.StringArrayVar(&o.unlabelled, "unlabelled", nil, "folder or file with recordings whose labels are assigned by those of --data; may be repeated")
	f.StringVar(&s.Out, "out", "", "file for the checkpoint, such as model.safetensors (required)")
	f.StringVar(&s.Job.Arch, "model", training.ArchAuto, "architecture: "+strings.Join(architectures.Names(), ", ")+", or auto: vae for one-shots such as drums, else (and with --config or --latent) vaegan")
	f.StringVar(&s.ConfigFile, "config", "", "JSON file with the architecture's settings; fields left out keep their defaults")
	f.IntVar(&s.Latent, "latent", 0, "latent variables of a vae or vaegan, over --config; 2 can be drawn")
	f.DurationVar(&s.Job.Budget, "budget", 0, "how long to train (default 10m, unless --steps is given)")
	f.Int64Var(&s.Job.Steps, "steps", 0, "how many steps to train, those before --resume included")
	f.IntVar(&s.Job.BatchSize, "batch", 0, "recordings in a step (default 32, or as few as the budget needs)")
	f.StringVar(&s.Width, "channels", training.ChannelsAuto, "width of the network: a number, or auto: what suits the budget, and with --steps the architecture's own")
	o.front.add(cmd)
	o.holdout.add(cmd)
	o.chop.add(f)
	f.Uint64Var(&s.Job.Seed, "seed", 1, "seed of everything random; a resumed training keeps its own")
	f.StringVar(&s.Init, "init", "", "checkpoint of other recordings to start from: a base whose weights and labels are taken over")
	f.StringSliceVar(&s.Job.Freeze, "freeze", nil, "parts of the networks that keep the weights of --init: encoder, decoder, discriminator, as far as the model has them; may be repeated")
	f.BoolVar(&s.Resume, "resume", false, "go on from the checkpoint in --out; with --steps the result is that of an uninterrupted training")
	f.BoolVar(&s.Overwrite, "overwrite", false, "begin anew although --out is there already")
	f.StringVar(&s.Job.BestBy, "best-by", training.BestByDistance, "figure, the lower the better, by which the weights to generate with are chosen: preview/distance, val/LOSS or last")
	f.IntVar(&s.Job.Patience, "patience", 0, "stop after so many evaluations without a better --best-by (default 0: never)")
	f.Int64Var(&s.Job.EvalEvery, "eval-every", 0, "steps between evaluations (default: a tenth of the training)")
	f.DurationVar(&s.Job.SaveEvery, "save-every", 0, "least time between saved checkpoints (default 30s)")
	f.IntVar(&s.Keep, "keep", 2, "previous checkpoints to keep beside --out, as OUT.1, OUT.2")
	f.StringVar(&s.Job.Files.Previews, "previews", "", "folder for a picture and WAVs of the same clips at every evaluation")
	f.StringVar(&s.Runs, "tensorboard", "", "folder for TensorBoard: curves and previews, a run for each --out")
	f.BoolVar(&s.NoCurves, "no-curves", false, "do not write the curves beside --out")
	f.BoolVar(&o.asJSON, "json", false, "print the result as one line of JSON")
	addLabels(cmd, &o.labels)
}

// check reports the first wrong flag, and completes the description of the training.
func (o *trainOptions) check() error {
	s, given := &o.spec, o.flags.Changed
	switch {
	case given("budget") && s.Job.Budget == 0:
		return usagef("--budget must be positive, such as 10m")
	case given("steps") && s.Job.Steps == 0:
		return usagef("--steps must be positive")
	}
	if err := s.Validate(); err != nil {
		return usagef("--%w", err)
	}
	if o.chop.every > 0 && len(o.unlabelled) > 0 {
		return usagef("--chop and --unlabelled exclude each other; cut the recordings with wavemill slice first")
	}
	if err := cmp.Or(o.chop.check(o.flags), o.front.check(), o.holdout.check()); err != nil {
		return err
	}
	s.FrontEnd, s.Group, s.HoldOut = o.front.choice, o.holdout.group, o.holdout.out
	if (s.Resume || s.Init != "") && s.Job.Arch == training.ArchAuto {
		s.Job.Arch = ""
	}
	if s.Resume && !given("best-by") {
		s.Job.BestBy = ""
	}
	return nil
}
