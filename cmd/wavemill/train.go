package main

import (
	"context"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/spf13/cobra"

	"wavemill/models"
	"wavemill/models/architectures"
	"wavemill/models/monitor"
)

// trainOptions are the flags of `wavemill train`.
type trainOptions struct {
	data              []string
	labels            string
	arch, config, out string
	latent            int
	budget            time.Duration
	steps             int64
	batch             int
	seed              uint64
	resume, overwrite bool
	asJSON            bool

	bestBy                string
	bestBySet             bool // by the user
	patience              int
	evalEvery             int64
	saveEvery             time.Duration
	keep                  int
	previews, tensorboard string
	noCurves              bool

	channels string
	front    frontOptions
}

// Values of --best-by beside the losses on held-out recordings.
const (
	bestByDistance = monitor.Distance
	bestByLast     = "last"
)

func newTrain(a *app) *cobra.Command {
	var o trainOptions
	cmd := &cobra.Command{
		Use:   "train --data DIR --out MODEL",
		Short: "Train a model on a folder of recordings, without a bus",
		Long: `Train learns from labelled recordings and writes a checkpoint: one safetensors file
that holds all that generating and resuming need.

It ends when the --budget of time or the number of --steps is used up. Ctrl-C saves
what there is; --resume goes on from there, after a kill or a power failure too. With
--steps, the same data and seed give the same checkpoint, interrupted or not.

It can be left alone: it measures what it makes, warns of silence, tones, noise,
collapse and memorisation, goes back where learning diverges, and leaves the best
weights. The figures are in the curves beside the checkpoint.`,
		Example: `  wavemill train --data recordings/ --out model.safetensors --budget 10m
  wavemill train --data recordings/ --out model.safetensors --resume --budget 10m
  wavemill train --data recordings/ --out model.safetensors --previews previews --tensorboard runs`,
		Args: noArgs,
		RunE: func(cmd *cobra.Command, _ []string) error {
			o.bestBySet = cmd.Flags().Changed("best-by")
			return a.train(cmd.Context(), o)
		},
	}
	f := cmd.Flags()
	f.StringArrayVar(&o.data, "data", nil, "folder or file with recordings; may be repeated (required)")
	f.StringVar(&o.out, "out", "", "file for the checkpoint, such as model.safetensors (required)")
	f.StringVar(&o.arch, "model", "vaegan", "architecture: "+strings.Join(architectures.Names(), ", "))
	f.StringVar(&o.config, "config", "", "JSON file with the architecture's settings; what it leaves out keeps its default")
	f.IntVar(&o.latent, "latent", 0, "latent variables of a vae or vaegan, over --config; 2 can be drawn")
	f.DurationVar(&o.budget, "budget", 0, "how long to train (default 10m, unless --steps is given)")
	f.Int64Var(&o.steps, "steps", 0, "how many steps to train, those before --resume included")
	f.IntVar(&o.batch, "batch", 0, "recordings in a step (default 32, or as few as the budget needs)")
	f.StringVar(&o.channels, "channels", channelsAuto, "width of the network: a number, or auto for what suits the budget (with --steps: the default)")
	o.front.add(cmd)
	f.Uint64Var(&o.seed, "seed", 1, "seed of everything random; a resumed training keeps its own")
	f.BoolVar(&o.resume, "resume", false, "go on from the checkpoint in --out")
	f.BoolVar(&o.overwrite, "overwrite", false, "begin anew although --out is there already")
	f.StringVar(&o.bestBy, "best-by", bestByDistance, "figure, the lower the better, by which the weights to generate with are chosen: preview/distance, val/LOSS or last")
	f.IntVar(&o.patience, "patience", 0, "stop after so many evaluations without a better --best-by (default 0: never)")
	f.Int64Var(&o.evalEvery, "eval-every", 0, "steps between evaluations (default: a tenth of the training)")
	f.DurationVar(&o.saveEvery, "save-every", 0, "least time between saved checkpoints (default 30s)")
	f.IntVar(&o.keep, "keep", 2, "previous checkpoints to keep beside --out, as OUT.1, OUT.2")
	f.StringVar(&o.previews, "previews", "", "folder for a picture and WAVs of the same clips at every evaluation")
	f.StringVar(&o.tensorboard, "tensorboard", "", "folder for TensorBoard: curves and previews, a run for each --out")
	f.BoolVar(&o.noCurves, "no-curves", false, "do not write the curves beside --out")
	f.BoolVar(&o.asJSON, "json", false, "print the result as one line of JSON")
	addLabels(cmd, &o.labels)
	return cmd
}

func (o *trainOptions) check() error {
	switch {
	case len(o.data) == 0:
		return usagef("--data is missing: a folder with recordings")
	case o.out == "":
		return usagef("--out is missing: the file for the checkpoint")
	case o.budget < 0 || o.steps < 0 || o.batch < 0:
		return usagef("--budget, --steps and --batch must not be negative")
	case o.patience < 0 || o.evalEvery < 0 || o.saveEvery < 0 || o.keep < 0 || o.latent < 0:
		return usagef("--patience, --eval-every, --save-every, --keep and --latent must not be negative")
	case o.resume && o.overwrite:
		return usagef("--resume and --overwrite exclude each other")
	case o.resume && o.latent > 0:
		return usagef("--latent is for a new model; the checkpoint has its own")
	case o.bestBy != bestByDistance && o.bestBy != bestByLast && !strings.HasPrefix(o.bestBy, "val/"):
		return usagef("--best-by %q is none of %s, val/LOSS, %s", o.bestBy, bestByDistance, bestByLast)
	case o.bestBy == bestByLast && o.patience > 0:
		return usagef("--patience needs a figure to watch; --best-by last has none")
	case !slices.Contains(architectures.Names(), o.arch):
		return usagef("--model %q is unknown; there are: %s", o.arch, strings.Join(architectures.Names(), ", "))
	}
	if o.budget == 0 && o.steps == 0 {
		o.budget = 10 * time.Minute
	}
	if _, err := parseChannels(o.channels); err != nil {
		return err
	}
	if err := o.front.check(); err != nil {
		return err
	}
	if o.resume && (o.channels != channelsAuto || o.front.decides()) {
		return usagef("--resume keeps the network and the front end of the checkpoint; leave out --channels, --front-end, --n-fft, --hop, --mels and --frames")
	}
	there := o.rotation().Exists()
	switch {
	case o.resume && !there:
		return fmt.Errorf("--resume: there is no checkpoint to go on from: %s", o.out)
	case there && !o.resume && !o.overwrite:
		return fmt.Errorf("%s is there already; --resume goes on from it, --overwrite begins anew", o.out)
	}
	return nil
}

// rotation is where the checkpoints are kept.
func (o *trainOptions) rotation() models.Rotation {
	return models.Rotation{Path: o.out, Keep: o.keep}
}

// stem is --out without its extension: what the files beside it are named by.
func (o *trainOptions) stem() string { return strings.TrimSuffix(o.out, filepath.Ext(o.out)) }

func (a *app) train(ctx context.Context, o trainOptions) error {
	if err := o.check(); err != nil {
		return err
	}
	began := time.Now()
	recordings, err := a.recordings(ctx, o.data, o.labels)
	if err != nil {
		return err
	}
	job, err := a.trainJob(o, recordings)
	if err != nil {
		return err
	}
	trainPart, heldPart := split(recordings, job.trainer.Seed)
	x, err := a.analyze(ctx, job.frontEnd, job.labels, trainPart)
	if err != nil {
		return err
	}
	val, err := a.analyze(ctx, job.frontEnd, job.labels, heldPart)
	if err != nil {
		return err
	}
	if err := a.prepareTraining(ctx, o, job, recordings, x); err != nil {
		return err
	}
	a.note("model %s: %d frames by %d bins at %d Hz; %d recordings to learn from, %d to check with", job.arch,
		job.frontEnd.Frames, job.frontEnd.Spectrogram.Bins(), job.frontEnd.Spectrogram.SampleRate, x.B, val.B)
	if err := os.MkdirAll(filepath.Dir(o.out), 0o755); err != nil {
		return err
	}
	ledger, err := a.openLedger(o, job)
	if err != nil {
		return err
	}
	if err := job.judge(ctx, o, x, val, ledger); err != nil {
		return errors.Join(err, ledger.close())
	}
	w := a.watchTraining(o.budget, o.steps)
	w.say = a.note
	job.trainer.OnEvent = func(p models.Progress) {
		ledger.take(p)
		w.event(p)
	}
	job.trainer.Save = o.rotation().Write
	c, err := job.trainer.Run(ctx, job.learner, x, val)
	w.done()
	if e := ledger.close(); e != nil {
		a.note("the curves are incomplete: %v", e)
	}
	if ctx.Err() != nil && errors.Is(err, ctx.Err()) {
		return fmt.Errorf("interrupted at step %d; go on with: %s", c.Step, o.resumeCommand())
	}
	if err != nil {
		return err
	}
	return a.reportTraining(o, c, ledger, w.ended, time.Since(began))
}

// resumeCommand is what the user types to go on.
func (o *trainOptions) resumeCommand() string {
	parts := []string{"wavemill train --resume"}
	add := func(flag, value string) {
		if value != "" {
			parts = append(parts, "--"+flag+" "+quote(value))
		}
	}
	for _, d := range o.data {
		add("data", d)
	}
	add("out", o.out)
	add("labels", o.labels)
	if o.steps > 0 {
		add("steps", strconv.FormatInt(o.steps, 10))
	} else {
		add("budget", o.budget.String())
	}
	if o.bestBySet {
		add("best-by", o.bestBy)
	}
	if o.patience > 0 {
		add("patience", strconv.Itoa(o.patience))
	}
	if o.evalEvery > 0 {
		add("eval-every", strconv.FormatInt(o.evalEvery, 10))
	}
	add("previews", o.previews)
	add("tensorboard", o.tensorboard)
	return strings.Join(parts, " ")
}
