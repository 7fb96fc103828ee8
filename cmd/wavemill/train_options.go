package main

import (
	"encoding/json"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"time"

	"github.com/spf13/cobra"

	"wavemill/models"
	"wavemill/models/architecture"
	"wavemill/models/architectures"
	"wavemill/models/training"
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
	patience              int
	evalEvery             int64
	saveEvery             time.Duration
	keep                  int
	previews, tensorboard string
	noCurves              bool

	channels string
	front    frontOptions
	holdout  holdoutFlags

	given func(flag string) bool // whether the command line has the flag; nil: none
}

// has reports whether the command line has the flag.
func (o *trainOptions) has(flag string) bool { return o.given != nil && o.given(flag) }

// channelsAuto is the --channels that lets the budget decide.
const channelsAuto = "auto"

func (o *trainOptions) add(cmd *cobra.Command) {
	f := cmd.Flags()
	f.StringArrayVar(&o.data, "data", nil, "folder or file with recordings; may be repeated (required)")
	f.StringVar(&o.out, "out", "", "file for the checkpoint, such as model.safetensors (required)")
	f.StringVar(&o.arch, "model", "vaegan", "architecture: "+strings.Join(architectures.Names(), ", "))
	f.StringVar(&o.config, "config", "", "JSON file with the architecture's settings; fields left out keep their defaults")
	f.IntVar(&o.latent, "latent", 0, "latent variables of a vae or vaegan, over --config; 2 can be drawn")
	f.DurationVar(&o.budget, "budget", 0, "how long to train (default 10m, unless --steps is given)")
	f.Int64Var(&o.steps, "steps", 0, "how many steps to train, those before --resume included")
	f.IntVar(&o.batch, "batch", 0, "recordings in a step (default 32, or as few as the budget needs)")
	f.StringVar(&o.channels, "channels", channelsAuto, "width of the network: a number, or auto for what suits the budget (with --steps: the default)")
	o.front.add(cmd)
	o.holdout.add(cmd)
	f.Uint64Var(&o.seed, "seed", 1, "seed of everything random; a resumed training keeps its own")
	f.BoolVar(&o.resume, "resume", false, "go on from the checkpoint in --out; with --steps the result is that of an uninterrupted training")
	f.BoolVar(&o.overwrite, "overwrite", false, "begin anew although --out is there already")
	f.StringVar(&o.bestBy, "best-by", training.BestByDistance, "figure, the lower the better, by which the weights to generate with are chosen: preview/distance, val/LOSS or last")
	f.IntVar(&o.patience, "patience", 0, "stop after so many evaluations without a better --best-by (default 0: never)")
	f.Int64Var(&o.evalEvery, "eval-every", 0, "steps between evaluations (default: a tenth of the training)")
	f.DurationVar(&o.saveEvery, "save-every", 0, "least time between saved checkpoints (default 30s)")
	f.IntVar(&o.keep, "keep", 2, "previous checkpoints to keep beside --out, as OUT.1, OUT.2")
	f.StringVar(&o.previews, "previews", "", "folder for a picture and WAVs of the same clips at every evaluation")
	f.StringVar(&o.tensorboard, "tensorboard", "", "folder for TensorBoard: curves and previews, a run for each --out")
	f.BoolVar(&o.noCurves, "no-curves", false, "do not write the curves beside --out")
	f.BoolVar(&o.asJSON, "json", false, "print the result as one line of JSON")
	addLabels(cmd, &o.labels)
}

func (o *trainOptions) check() error {
	switch {
	case len(o.data) == 0:
		return usagef("--data is missing: a folder with recordings")
	case o.out == "":
		return usagef("--out is missing: the file for the checkpoint")
	case o.budget < 0 || o.steps < 0 || o.batch < 0:
		return usagef("--budget, --steps and --batch must not be negative")
	case o.has("budget") && o.budget == 0:
		return usagef("--budget must be positive, such as 10m")
	case o.has("steps") && o.steps == 0:
		return usagef("--steps must be positive")
	case o.patience < 0 || o.evalEvery < 0 || o.saveEvery < 0 || o.keep < 0 || o.latent < 0:
		return usagef("--patience, --eval-every, --save-every, --keep and --latent must not be negative")
	case o.resume && o.overwrite:
		return usagef("--resume and --overwrite exclude each other")
	case o.bestBy != training.BestByDistance && o.bestBy != training.BestByLast && !strings.HasPrefix(o.bestBy, "val/"):
		return usagef("--best-by %q is none of %s, val/LOSS, %s", o.bestBy, training.BestByDistance, training.BestByLast)
	case o.bestBy == training.BestByLast && o.patience > 0:
		return usagef("--patience needs a figure; --best-by last has none")
	case !known(o.arch):
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
	if err := o.holdout.check(); err != nil {
		return err
	}
	exists := o.rotation().Exists()
	switch {
	case o.resume && !exists:
		return fmt.Errorf("--resume: there is no checkpoint to go on from: %s", o.out)
	case exists && !o.resume && !o.overwrite:
		return fmt.Errorf("%s is there already; --resume goes on from it, --overwrite begins anew", o.out)
	}
	return nil
}

// parseChannels reads --channels: a number, or 0 for auto.
func parseChannels(text string) (int, error) {
	if text == channelsAuto || text == "" {
		return 0, nil
	}
	n, err := strconv.Atoi(text)
	if err != nil || n < 1 {
		return 0, usagef("--channels is auto or a positive number, not %q", text)
	}
	return n, nil
}

// rotation is where the checkpoints are kept.
func (o *trainOptions) rotation() models.Rotation {
	return models.Rotation{Path: o.out, Keep: o.keep}
}

// stem is --out without its extension: what the files beside it are named by.
func (o *trainOptions) stem() string { return strings.TrimSuffix(o.out, filepath.Ext(o.out)) }

// settings are --config and --latent as the architecture's configuration.
func (o *trainOptions) settings() (json.RawMessage, error) {
	var config json.RawMessage
	if o.config != "" {
		var err error
		if config, err = os.ReadFile(o.config); err != nil {
			return nil, fmt.Errorf("--config: %w", err)
		}
	}
	if o.latent == 0 {
		return config, nil
	}
	with, err := architectures.WithLatent(o.arch, config, o.latent)
	switch {
	case errors.Is(err, architecture.ErrNoEncoder):
		return nil, usagef("--latent is for %s; a %s draws noise, whose size is in --config", strings.Join(architectures.WithEncoder(), " and "), o.arch)
	case err != nil:
		return nil, fmt.Errorf("--config: %w", err)
	}
	return with, nil
}
