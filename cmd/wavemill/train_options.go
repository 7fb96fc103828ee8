package main

import (
	"cmp"
	"strings"

	"github.com/spf13/cobra"
	"github.com/spf13/pflag"

	"wavemill/models/architectures"
	"wavemill/models/training"
)

// trainOptions are the flags of `wavemill train`.
type trainOptions struct {
	spec    training.Spec
	front   frontOptions
	holdout holdoutFlags
	data    []string
	labels  string
	asJSON  bool
	flags   *pflag.FlagSet // of the command line
}

func (o *trainOptions) add(cmd *cobra.Command) {
	f, s := cmd.Flags(), &o.spec
	f.StringArrayVar(&o.data, "data", nil, "folder or file with recordings; may be repeated (required)")
	f.StringVar(&s.Out, "out", "", "file for the checkpoint, such as model.safetensors (required)")
	f.StringVar(&s.Job.Arch, "model", "vaegan", "architecture: "+strings.Join(architectures.Names(), ", "))
	f.StringVar(&s.ConfigFile, "config", "", "JSON file with the architecture's settings; fields left out keep their defaults")
	f.IntVar(&s.Latent, "latent", 0, "latent variables of a vae or vaegan, over --config; 2 can be drawn")
	f.DurationVar(&s.Job.Budget, "budget", 0, "how long to train (default 10m, unless --steps is given)")
	f.Int64Var(&s.Job.Steps, "steps", 0, "how many steps to train, those before --resume included")
	f.IntVar(&s.Job.BatchSize, "batch", 0, "recordings in a step (default 32, or as few as the budget needs)")
	f.StringVar(&s.Width, "channels", training.ChannelsAuto, "width of the network: a number, or auto for what suits the budget (with --steps: the default)")
	o.front.add(cmd)
	o.holdout.add(cmd)
	f.Uint64Var(&s.Job.Seed, "seed", 1, "seed of everything random; a resumed training keeps its own")
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
	case len(o.data) == 0:
		return usagef("--data is missing: a folder with recordings")
	case given("budget") && s.Job.Budget == 0:
		return usagef("--budget must be positive, such as 10m")
	case given("steps") && s.Job.Steps == 0:
		return usagef("--steps must be positive")
	}
	if err := s.Validate(); err != nil {
		return usagef("--%w", err)
	}
	if err := cmp.Or(o.front.check(), o.holdout.check()); err != nil {
		return err
	}
	s.FrontEnd, s.Group, s.HoldOut = o.front.choice, o.holdout.group, o.holdout.out
	if s.Resume && !given("model") {
		s.Job.Arch = ""
	}
	if s.Resume && !given("best-by") {
		s.Job.BestBy = ""
	}
	return nil
}
