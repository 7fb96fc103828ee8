package main

import (
	"cmp"
	"context"
	"log/slog"
	"path/filepath"
	"strings"
	"time"

	"github.com/spf13/cobra"
	"github.com/spf13/pflag"

	"wavemill/audio/dataset"
	"wavemill/audio/synth"
	"wavemill/models"
	"wavemill/models/architectures"
	"wavemill/models/training"
	"wavemill/operators/demo"
	"wavemill/pipeline"
)

// demoOptions are the flags of `wavemill demo`.
type demoOptions struct {
	holdoutFlags
	flags            *pflag.FlagSet // of the command line
	data             []string
	labels           string
	out              string
	arch             string
	budget           time.Duration
	steps            int64
	seed             uint64
	perLabel         int
	url              string
	pipeline         string
	asJSON           bool
	mono             bool
	classifierEpochs int                                // for tests; 0: see demo.Options
	operators        func(demo.Hooks) pipeline.Registry // tests replace it
}

// The demo's defaults.
const (
	demoOut      = "wavemill-demo"
	demoBudget   = 2 * time.Minute // of training: enough for recognisable clips, short enough to wait for
	demoPerLabel = 10
	synthClips   = 80 // of each synthesised class: enough to learn the classes within the budget
)

func newDemo(a *app) *cobra.Command {
	o := demoOptions{operators: operators}
	cmd := &cobra.Command{
		Use:   "demo",
		Short: "Run the whole pipeline on this machine, in minutes",
		Long: `Demo runs the whole pipeline on one machine: it starts a NATS server, publishes
labelled recordings, runs the operators that convert them to spectrograms and train a
model, requests new clips over the bus, and evaluates them with a classifier that is
trained on real recordings only.

A tenth of the recordings is held out of the training; the classifier is measured on
them. --group speaker keeps all recordings of a speaker on one side, and --hold-out
speaker=theo holds out that speaker.

Without --data it synthesises a small labelled set: plucked strings, kicks, hi-hats,
bells, chirps and vowels.

In --out it writes ten WAV files for each label, clips.jsonl, the checkpoint
model.safetensors, and report.html, which opens from disk.`,
		Example: `  wavemill demo
  wavemill demo --data recordings/ --budget 3m --out run1
  wavemill demo --data recordings/ --steps 500 --seed 7     the same clips every time`,
		Args: noArgs,
		RunE: func(cmd *cobra.Command, _ []string) error { return a.demo(cmd.Context(), o) },
	}
	f := cmd.Flags()
	o.flags = f
	f.StringArrayVar(&o.data, "data", nil, "folder or file with recordings; may be repeated (default: synthesise some)")
	f.StringVar(&o.out, "out", demoOut, "folder for the results and the data of the bus")
	f.DurationVar(&o.budget, "budget", demoBudget, "how long to train; reading, evaluating and writing take extra time")
	f.Int64Var(&o.steps, "steps", 0, "train for a number of steps instead of a time; the same seed then gives the same clips")
	f.Uint64Var(&o.seed, "seed", 1, "seed of everything random")
	f.StringVar(&o.arch, "model", "vae", "architecture: "+strings.Join(architectures.Names(), ", "))
	f.IntVar(&o.perLabel, "per-label", demoPerLabel, "clips to generate of each label")
	f.StringVar(&o.url, "nats", "", "URL of a NATS server with JetStream to use (default: run one, with its data in --out)")
	f.StringVar(&o.pipeline, "pipeline", "", "name of the pipeline: first token of its subjects (default wavemill; with --nats, a name derived from the data)")
	f.BoolVar(&o.mono, "mono", false, "one channel: mix recordings of two channels down (default: two channels where most recordings have two that differ)")
	f.BoolVar(&o.asJSON, "json", false, "print the summary as one line of JSON")
	addLabels(cmd, &o.labels)
	o.holdoutFlags.add(cmd)
	return cmd
}

func (o *demoOptions) check() error {
	switch {
	case len(o.data) == 0 && o.labels != "":
		return usagef("--labels is for --data; the synthesised set has its own")
	case len(o.data) == 0 && o.given():
		return usagef("--group and --hold-out are for --data; the synthesised set has no groups")
	}
	return o.holdoutFlags.check()
}

// command is the command line that repeats this demo.
func (o *demoOptions) command() string {
	return strings.Join(append([]string{"wavemill demo"}, givenFlags(o.flags, "json")...), " ")
}

// options of the demo that the flags ask for.
func (o *demoOptions) options(ctx context.Context, a *app) demo.Options {
	front := frontOptions{ceiling: training.CeilingFast}
	front.choice.Overrides.Mono = o.mono
	plan := a.planned(ctx, training.Options{}, front, 0)
	d := demo.Options{
		Out: o.out, Arch: o.arch, Budget: o.budget, Steps: o.steps, Seed: o.seed, PerLabel: o.perLabel, URL: o.url, Pipeline: o.pipeline,
		Recordings: func(ctx context.Context) (dataset.Dataset, []dataset.Recording, error) {
			return a.demoRecordings(ctx, o)
		},
		Holdout: o.rule(o.seed), FrontEnd: plan.FrontEnd, OnPlan: plan.OnPlan, Operators: o.operators, ClassifierEpochs: o.classifierEpochs,
		Command: o.command(), Data: cmp.Or(o.data...), Version: version(), Progress: demoProgress{a}, Log: a.log, OperatorLog: a.log,
	}
	if a.level >= slog.LevelInfo { // faults of single recordings are in the summary
		d.OperatorLog, _ = a.console.Log(a.logFormat, max(a.level, slog.LevelError)) // setup has checked the format
	}
	return d
}

// demoRecordings reads the recordings of --data, or synthesises some.
func (a *app) demoRecordings(ctx context.Context, o *demoOptions) (dataset.Dataset, []dataset.Recording, error) {
	roots := o.data
	if len(roots) == 0 {
		roots = []string{filepath.Join(o.out, demo.RecordingsDir)}
		if err := a.synthesise(ctx, synthOptions{out: roots[0], n: synthClips, seed: o.seed, rate: synth.DefaultRate}); err != nil {
			return dataset.Dataset{}, nil, err
		}
	}
	set, err := a.scanGroups(ctx, roots, o.labels, o.group)
	if err != nil {
		return dataset.Dataset{}, nil, err
	}
	all, err := a.decode(ctx, set.Items)
	return set, all, err
}

// demoProgress shows a demo on the console.
type demoProgress struct{ *app }

func (p demoProgress) Note(format string, args ...any) { p.note(format, args...) }
func (p demoProgress) Start(stage string, total int64, unit string) demo.Task {
	return p.console.Start(stage, total, unit)
}

func (p demoProgress) Training(budget time.Duration, steps int64) (event func(models.Progress), done func()) {
	t := &training.Display{Say: p.note}
	t.Begin(p.console, budget, steps)
	return t.Event, t.Done
}

func (a *app) demo(ctx context.Context, o demoOptions) error {
	if err := o.check(); err != nil {
		return err
	}
	options := o.options(ctx, a)
	if err := options.Validate(); err != nil {
		return usagef("--%w", err)
	}
	result, err := demo.Run(ctx, options)
	if err != nil {
		return err
	}
	if o.asJSON {
		return a.printJSON(result.Summary)
	}
	return a.say("%s", strings.Join(result.Lines, "\n"))
}
