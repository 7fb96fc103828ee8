package main

import (
	"context"
	"slices"
	"strings"
	"time"

	"github.com/spf13/cobra"

	"wavemill/models"
	"wavemill/models/architectures"
)

// demoOptions are the flags of `wavemill demo`.
type demoOptions struct {
	data     []string
	labels   string
	out      string
	arch     string
	budget   time.Duration
	steps    int64
	seed     uint64
	perLabel int
	url      string
	pipeline string
	asJSON   bool

	judgeEpochs int                   // of the classifier; 0: as many as it takes by itself
	onTraining  func(models.Progress) // is told of the training as the progress is; nil: nobody is
}

// The demo's defaults.
const (
	demoOut      = "wavemill-demo"
	demoBudget   = 2 * time.Minute // of training: long enough to be understood, short enough to be waited for
	demoPerLabel = 10
	synthClips   = 80 // of each synthesised class: as many as make the classes learnable within the budget
)

func newDemo(a *app) *cobra.Command {
	var o demoOptions
	cmd := &cobra.Command{
		Use:   "demo",
		Short: "Show the whole mission on this machine, in minutes",
		Long: `Demo runs the whole mill on one machine: it starts a NATS server of its own,
publishes labelled recordings, lets the operators turn them into spectrograms and
train a model, asks for new clips over the bus, has them judged by a classifier
that knows real recordings only, and writes it all down.

Without --data it synthesises a small labelled set: plucked strings, kicks,
hi-hats, bells, chirps and vowels.

In --out it leaves ten WAV files for each label, clips.jsonl, the checkpoint
model.safetensors, and report.html, which opens from disk.`,
		Example: `  wavemill demo
  wavemill demo --data recordings/ --budget 3m --out run1
  wavemill demo --data recordings/ --steps 500 --seed 7     the same bytes every time`,
		Args: noArgs,
		RunE: func(cmd *cobra.Command, _ []string) error {
			if err := o.check(); err != nil {
				return err
			}
			return a.demo(cmd.Context(), o)
		},
	}
	f := cmd.Flags()
	f.StringArrayVar(&o.data, "data", nil, "folder or file with recordings; may be repeated (default: synthesise some)")
	f.StringVar(&o.out, "out", demoOut, "folder for the results and the bus's data")
	f.DurationVar(&o.budget, "budget", demoBudget, "how long to train; reading, judging and writing take extra")
	f.Int64Var(&o.steps, "steps", 0, "train so many steps instead of a time; the same seed then gives the same clips")
	f.Uint64Var(&o.seed, "seed", 1, "seed of everything random")
	f.StringVar(&o.arch, "model", "vae", "architecture: "+strings.Join(architectures.Names(), ", "))
	f.IntVar(&o.perLabel, "per-label", demoPerLabel, "clips to make of each label")
	f.StringVar(&o.url, "nats", "", "URL of a NATS server with JetStream to use (default: run one, with its data in --out)")
	f.StringVar(&o.pipeline, "pipeline", "", "name of the pipeline: first token of its subjects (default wavemill; with --nats, a name made of the data)")
	f.BoolVar(&o.asJSON, "json", false, "print the summary as one line of JSON")
	addLabels(cmd, &o.labels)
	return cmd
}

func (o *demoOptions) check() error {
	switch {
	case o.out == "":
		return usagef("--out is empty: name a folder")
	case o.steps < 0:
		return usagef("--steps %d is negative", o.steps)
	case o.steps == 0 && o.budget <= 0:
		return usagef("--budget %v: give the training some time", o.budget)
	case o.perLabel < 1 || o.perLabel > 1000:
		return usagef("--per-label %d is not between 1 and 1000", o.perLabel)
	case !slices.Contains(architectures.Names(), o.arch):
		return usagef("--model %q is unknown; there are: %s", o.arch, strings.Join(architectures.Names(), ", "))
	case len(o.data) == 0 && o.labels != "":
		return usagef("--labels is for --data; the synthesised set has its own")
	}
	if o.steps > 0 {
		o.budget = 0
	}
	return nil
}

// command is what the user types to run this demo again.
func (o *demoOptions) command() string {
	defaults := demoOptions{out: demoOut, budget: demoBudget, seed: 1, arch: "vae", perLabel: demoPerLabel}
	parts := []string{"wavemill demo"}
	for _, d := range o.data {
		parts = append(parts, "--data "+quote(d))
	}
	add := func(differs bool, flag, value string) {
		if differs {
			parts = append(parts, flag+" "+quote(value))
		}
	}
	add(o.labels != "", "--labels", o.labels)
	add(o.steps > 0, "--steps", decimal(o.steps))
	add(o.steps == 0 && o.budget != defaults.budget, "--budget", o.budget.String())
	add(o.seed != defaults.seed, "--seed", decimal(o.seed))
	add(o.arch != defaults.arch, "--model", o.arch)
	add(o.perLabel != defaults.perLabel, "--per-label", decimal(o.perLabel))
	add(o.url != "", "--nats", o.url)
	add(o.pipeline != "", "--pipeline", o.pipeline)
	add(o.out != defaults.out, "--out", o.out)
	return strings.Join(parts, " ")
}

// demo runs the stages one after the other. Whatever happens, the bus is closed and a checkpoint is on disk if there
// is one on the bus.
func (a *app) demo(ctx context.Context, o demoOptions) error {
	d := &demo{app: a, o: o, began: time.Now()}
	err := d.prepare(ctx)
	if err == nil {
		err = d.onBus(ctx)
	}
	if err != nil {
		return d.interrupted(ctx, err)
	}
	return d.writeDown(ctx)
}
