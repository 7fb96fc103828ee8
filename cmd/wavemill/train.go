package main

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"maps"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"time"

	"github.com/spf13/cobra"

	"wavemill/cmd/wavemill/progress"
	"wavemill/models"
	"wavemill/models/archs"
)

// trainOptions are the flags of `wavemill train`.
type trainOptions struct {
	data              []string
	labels            string
	arch, config, out string
	budget            time.Duration
	steps             int64
	batch             int
	seed              uint64
	resume, overwrite bool
	asJSON            bool
}

func newTrain(a *app) *cobra.Command {
	var o trainOptions
	cmd := &cobra.Command{
		Use:   "train --data DIR --out MODEL",
		Short: "Train a model on a folder of recordings, without a bus",
		Long: `Train learns from labelled recordings and writes a checkpoint: one safetensors file
that holds all that generating and resuming need.

It ends when the --budget of time or the number of --steps is used up. Ctrl-C saves
what there is; --resume goes on from there. With --steps, the same data and seed
give the same checkpoint, interrupted or not.`,
		Example: `  wavemill train --data recordings/ --out model.safetensors --budget 10m
  wavemill train --data recordings/ --out model.safetensors --resume --budget 10m`,
		Args: noArgs,
		RunE: func(cmd *cobra.Command, _ []string) error { return a.train(cmd.Context(), o) },
	}
	f := cmd.Flags()
	f.StringArrayVar(&o.data, "data", nil, "folder or file with recordings; may be repeated (required)")
	f.StringVar(&o.out, "out", "", "file for the checkpoint, such as model.safetensors (required)")
	f.StringVar(&o.arch, "model", "vae", "architecture: "+strings.Join(archs.Names(), ", "))
	f.StringVar(&o.config, "config", "", "JSON file with the architecture's settings; what it leaves out keeps its default")
	f.DurationVar(&o.budget, "budget", 0, "how long to train (default 10m, unless --steps is given)")
	f.Int64Var(&o.steps, "steps", 0, "how many steps to train, those before --resume included")
	f.IntVar(&o.batch, "batch", 0, "recordings in a step (default 64)")
	f.Uint64Var(&o.seed, "seed", 1, "seed of everything random; a resumed training keeps its own")
	f.BoolVar(&o.resume, "resume", false, "go on from the checkpoint in --out")
	f.BoolVar(&o.overwrite, "overwrite", false, "begin anew although --out is there already")
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
	case o.resume && o.overwrite:
		return usagef("--resume and --overwrite exclude each other")
	case !slices.Contains(archs.Names(), o.arch):
		return usagef("--model %q is unknown; there are: %s", o.arch, strings.Join(archs.Names(), ", "))
	}
	if o.budget == 0 && o.steps == 0 {
		o.budget = 10 * time.Minute
	}
	_, err := os.Stat(o.out)
	switch {
	case o.resume && err != nil:
		return fmt.Errorf("--resume: there is no checkpoint to go on from: %w", err)
	case err == nil && !o.resume && !o.overwrite:
		return fmt.Errorf("%s is there already; --resume goes on from it, --overwrite begins anew", o.out)
	}
	return nil
}

// trained is the result of a training as --json prints it.
type trained struct {
	Out     string             `json:"out"`
	Model   string             `json:"model"`
	Digest  string             `json:"digest"`
	Steps   int64              `json:"steps"`
	Seconds float64            `json:"seconds"`
	Seed    uint64             `json:"seed"`
	Labels  []string           `json:"labels"`
	Metrics map[string]float64 `json:"metrics"`
}

func (a *app) train(ctx context.Context, o trainOptions) error {
	if err := o.check(); err != nil {
		return err
	}
	began := time.Now()
	set, err := a.scan(ctx, o.data, o.labels)
	if err != nil {
		return err
	}
	all, err := a.decodeAll(ctx, set.Items)
	if err != nil {
		return err
	}
	for _, r := range all {
		if r.err != nil {
			a.note("skipped %s: %v", r.item.Path, r.err)
		}
	}
	recordings := good(all)
	if len(recordings) == 0 {
		return errors.New("none of the recordings can be used")
	}
	job, err := o.job(recordings)
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
	a.note("model %s: %d frames by %d bins at %d Hz; %d recordings to learn from, %d to check with", o.arch,
		job.frontEnd.Frames, job.frontEnd.Spectrogram.Bins(), job.frontEnd.Spectrogram.SampleRate, x.B, val.B)
	if dir := filepath.Dir(o.out); dir != "." {
		if err := os.MkdirAll(dir, 0o755); err != nil {
			return err
		}
	}
	watch := a.watchTraining(o.budget, o.steps)
	job.trainer.OnEvent = watch.event
	job.trainer.Save = func(c models.Checkpoint) error { return c.Write(o.out) }
	c, err := job.trainer.Run(ctx, job.learner, x, val)
	watch.done()
	if ctx.Err() != nil && errors.Is(err, ctx.Err()) {
		return fmt.Errorf("interrupted at step %d; go on with: %s", c.Step, o.resumeCommand())
	}
	if err != nil {
		return err
	}
	return a.reportTraining(o, c, time.Since(began))
}

// resumeCommand is what the user types to go on.
func (o *trainOptions) resumeCommand() string {
	parts := []string{"wavemill train --resume"}
	for _, d := range o.data {
		parts = append(parts, "--data "+quote(d))
	}
	parts = append(parts, "--out "+quote(o.out))
	if o.labels != "" {
		parts = append(parts, "--labels "+quote(o.labels))
	}
	if o.steps > 0 {
		parts = append(parts, fmt.Sprintf("--steps %d", o.steps))
	} else {
		parts = append(parts, fmt.Sprintf("--budget %v", o.budget))
	}
	return strings.Join(parts, " ")
}

// quote makes s one word for a POSIX shell.
func quote(s string) string {
	if s != "" && strings.IndexFunc(s, func(r rune) bool {
		return !strings.ContainsRune("-_./=:,+@%", r) && (r < '0' || r > '9') && (r < 'a' || r > 'z') && (r < 'A' || r > 'Z')
	}) < 0 {
		return s
	}
	return "'" + strings.ReplaceAll(s, "'", `'\''`) + "'"
}

// trainJob is a learner and what drives it.
type trainJob struct {
	learner  models.Learner
	trainer  models.Trainer
	frontEnd models.FrontEnd
	labels   []string
}

// job prepares a new learner for the recordings, or the one in the checkpoint.
func (o *trainOptions) job(recordings []recording) (trainJob, error) {
	j := trainJob{trainer: models.Trainer{Steps: o.steps, Budget: o.budget, BatchSize: o.batch, Seed: o.seed}}
	var err error
	if o.resume {
		c, err := models.Read(o.out)
		if err != nil {
			return j, err
		}
		j.labels, j.frontEnd = c.Labels, c.FrontEnd
		j.trainer.Resume, j.trainer.Seed, j.trainer.BatchSize = &c, c.Seed, c.BatchSize
		j.learner, err = archs.NewLearner(c.Arch, c.Config, c.FrontEnd, c.Labels, c.Seed)
		return j, err
	}
	var config json.RawMessage
	if o.config != "" {
		if config, err = os.ReadFile(o.config); err != nil {
			return j, fmt.Errorf("--config: %w", err)
		}
	}
	j.labels, j.frontEnd = labelNames(recordings), planFrontEnd(recordings)
	j.learner, err = archs.NewLearner(o.arch, config, j.frontEnd, j.labels, o.seed)
	return j, err
}

func (a *app) reportTraining(o trainOptions, c models.Checkpoint, took time.Duration) error {
	digest, err := c.Digest()
	if err != nil {
		return err
	}
	if o.asJSON {
		return a.printJSON(trained{o.out, c.Arch, digest, c.Step, took.Seconds(), c.Seed, c.Labels, c.Metrics})
	}
	for _, name := range slices.Sorted(maps.Keys(c.Metrics)) {
		a.note("%s: %.4g", name, c.Metrics[name])
	}
	a.note("try: wavemill generate --model %s --label %s --n 10 --seed 1 --out clips", quote(o.out), quote(c.Labels[0]))
	return a.say("%s: %s, %d steps in %v, digest %s", o.out, c.Arch, c.Step, roundDuration(took), digest[:12])
}

// trainingWatch shows a training's progress.
type trainingWatch struct {
	task  *progress.Task
	timed bool
}

func (a *app) watchTraining(budget time.Duration, steps int64) *trainingWatch {
	if steps > 0 {
		return &trainingWatch{task: a.console.Start("train", steps, "steps")}
	}
	return &trainingWatch{task: a.console.StartTimed("train", budget), timed: true}
}

func (w *trainingWatch) event(p models.Progress) {
	if w.timed {
		w.task.Note("step %d, %s", p.Step, lossText(p))
		w.task.Elapse(p.Elapsed)
		return
	}
	w.task.Note("%s", lossText(p))
	w.task.Set(p.Step)
}

func (w *trainingWatch) done() { w.task.Done() }

// lossText is the loss that is learned on, or the first two where there is none of that name, with the value of the last
// evaluation: what has room beside a bar.
func lossText(p models.Progress) string {
	names := slices.Sorted(maps.Keys(p.Train))
	if slices.Contains(names, "loss") {
		names = []string{"loss"}
	}
	var parts []string
	for _, name := range names[:min(2, len(names))] {
		text := fmt.Sprintf("%s %.4g", name, p.Train[name])
		if v, ok := p.Val[name]; ok {
			text += fmt.Sprintf(" (held out %.4g)", v)
		}
		parts = append(parts, text)
	}
	return strings.Join(parts, ", ")
}
