package main

import (
	"context"
	"errors"
	"fmt"
	"os"
	"path/filepath"

	"github.com/spf13/cobra"
	"github.com/spf13/pflag"

	"wavemill/internal/atomicfile"
	"wavemill/internal/usage"
	"wavemill/models"
	"wavemill/models/eval"
	"wavemill/models/sampling"
)

// generateOptions are the flags of `wavemill generate`.
type generateOptions struct {
	sampling.Job
	model, out string
	asJSON     bool
	judge      judgeOptions
	limits     eval.Limits
	given      func(flag string) bool // whether the command line has a flag
}

func newGenerate(a *app) *cobra.Command {
	var o generateOptions
	cmd := &cobra.Command{
		Use:   "generate --model MODEL --label LABEL --out DIR",
		Short: "Generate clips from a checkpoint, without a bus",
		Long: `Generate writes new WAV files. The name of each has its label and seed. Its INFO
chunk contains the digest of the checkpoint, the seed and everything else that
"wavemill regenerate" needs. The same checkpoint and the same flags give the same
bytes, on every machine with the same class of kernels. Clip i of a series has the
seed --seed + i.

--mix generates clips between two labels or between two given clips; --interpolate
generates a series from one to the other. --like generates variations of given
clips. All three work in the model's latent space; --like needs a model with an
encoder: vae, vaegan or flow.

--duration, --loop and --pitch or --note ask for a length, for a clip that repeats
without a click, and for a pitch. A sound that is held, such as a vowel, is continued
with variations of itself. A struck sound cannot be made longer; the error gives its length.

--until-good keeps only clips that a filter accepts, and tries the next seed for
each rejected one. The filter rejects clips that a classifier assigns to another
label, clips that the model's own discriminator scores below most recordings, and
copies of recordings. It comes from "wavemill judge", or is trained on --data.
Without --until-good, the filter's figures are printed and nothing is rejected.`,
		Example: `  wavemill generate --model m.safetensors --label kick --seed 7 --out clips
  wavemill generate --model m.safetensors --label all --n 10 --out clips --json

  wavemill generate --model m.safetensors --label three,seven --mix 0.3 --n 5 --out clips
  wavemill generate --model m.safetensors --like a.wav --like b.wav --interpolate 9 --out clips
  wavemill generate --model m.safetensors --like a.wav --strength 0.4 --n 5 --out clips

  wavemill generate --model m.safetensors --label vowel --duration 30 --loop --note A3 --out clips

  wavemill judge --data recordings --model m.safetensors --out judge.safetensors
  wavemill generate --model m.safetensors --label all --n 50 --until-good --judge judge.safetensors --out clips`,
		Args: noArgs,
		RunE: func(cmd *cobra.Command, _ []string) error {
			o.given = cmd.Flags().Changed
			return a.generate(cmd.Context(), o)
		},
	}
	f := cmd.Flags()
	f.StringVar(&o.model, "model", "", "checkpoint, such as model.safetensors (required)")
	f.StringArrayVar(&o.Labels, "label", nil, "label to generate: one of the model's, several separated by commas, or all; may be repeated")
	f.IntVar(&o.N, "n", 1, "clips for each label, or for each point of --interpolate")
	f.Uint64Var(&o.Seed, "seed", 1, "seed of the first clip of each label")
	f.Var(usage.NewOptional(&o.Temperature, 0), "temperature", "scale of the noise, 0 to 10: 0 no noise, above 1 more variety than in training (default: the model's own)")
	f.IntVar(&o.Steps, "steps", 0, "steps from noise to a clip of a flow: 1, 2, 4, 8 or 16 (default: the model's own)")
	f.StringVar(&o.out, "out", "", "folder for the clips; it is created if it does not exist (required)")
	f.BoolVar(&o.asJSON, "json", false, `print one line for each clip: {"file","label","seed","confidence",...}; see docs/generating.md`)
	f.Var(usage.NewOptional(&o.Mix, 0), "mix", "position between two labels or two clips: 0 is the first, 1 the second")
	f.Var(usage.NewOptional(&o.Interpolate, 0), "interpolate", "number of equally spaced clips from one label or clip to the other, both endpoints included")
	f.StringArrayVar(&o.Likes, "like", nil, "clip to vary, or an endpoint of --mix and --interpolate; may be repeated")
	f.Var(usage.NewOptional(&o.Strength, sampling.DefaultStrength), "strength", "how much variations differ: 0 is the clip's reconstruction, 1 a new clip of the label")
	addShape(f, &o)
	addJudge(f, &o.judge)
	addUntilGood(f, &o)
	return cmd
}

// addShape adds the flags of length, loop and pitch.
func addShape(f *pflag.FlagSet, o *generateOptions) {
	f.Var(usage.NewOptional(&o.Duration, 0), "duration", "length of the clips in seconds, up to 300; longer ones hold the sound (default: each clip's own)")
	f.BoolVar(&o.Loop, "loop", false, "make clips that can be repeated without a click, with the loop in a smpl chunk")
	f.Var(usage.NewOptional(&o.Pitch, 0), "pitch", "pitch of the clips in Hz (default: each clip's own)")
	f.StringVar(&o.NoteName, "note", "", "the same as a note: A4, C#3, Bb2 or a MIDI number")
}

// addUntilGood adds the flags of rejection.
func addUntilGood(f *pflag.FlagSet, o *generateOptions) {
	f.BoolVar(&o.UntilGood, "until-good", false, "keep only clips that the filter of --judge accepts, and try further seeds for the others")
	f.Float64Var(&o.limits.Confidence, "confidence", 0.5, "until good: least probability of the right label")
	f.Float64Var(&o.limits.Realness, "realness", defaultRealness, "until good: least share of recordings that the model's discriminator scores lower than the clip; 0 switches this off")
	f.Float64Var(&o.limits.Newness, "newness", 0, "until good: least distance to the nearest recording, in usual distances between recordings (default: the filter's own, about 0.5)")
	f.IntVar(&o.MaxTries, "max-tries", 100, "until good: tries for each clip before it counts as failed")
	f.BoolVar(&o.KeepBest, "keep-best", false, "until good: where no try is accepted, keep the best of them instead of failing")
}

// defaultRealness is the quantile of the recordings' scores that a clip has to reach.
const defaultRealness = 0.05

// checkFilter checks the flags of the filter.
func (o *generateOptions) checkFilter() error {
	for _, flag := range []string{"confidence", "realness", "newness", "max-tries", "keep-best"} {
		if o.given(flag) && !o.UntilGood {
			return usagef("--%s is a condition of --until-good, which is not there", flag)
		}
	}
	if o.UntilGood && !o.judge.asked() {
		return usagef("--until-good needs a filter: --judge FILE, made by \"wavemill judge\", or --data DIR, the recordings to train one on")
	}
	if _, err := eval.ExactLimits(o.limits); err != nil {
		return usagef("--%w", err)
	}
	return o.judge.check()
}

func (a *app) generate(ctx context.Context, o generateOptions) error {
	if err := o.checkFilter(); err != nil {
		return err
	}
	if err := o.Validate(); err != nil {
		return usagef("--%w", err)
	}
	checkpoint, sampler, err := openSampler(o.model)
	if err != nil {
		return err
	}
	// Every check comes before a filter is trained and a file is written.
	labels, err := o.Select(sampler.Labels)
	if err != nil {
		return usagef("--%w", err)
	}
	if len(o.Likes) > 0 && !sampler.CanEncode() {
		return fmt.Errorf("--like: %w; %s is a %s", sampling.ErrNoEncoder, o.model, sampler.Arch)
	}
	if err := checkOut("out", o.out); err != nil {
		return err
	}
	if o.Filter, err = a.openFilter(ctx, o, checkpoint, labels); err != nil {
		return err
	}
	o.Note = a.note
	o.Progress = func(name string, clips int64) sampling.Task { return a.console.Start(name, clips, "clips") }
	o.Emit = func(f sampling.ClipFacts) error { return a.printClip(o.asJSON, f) }
	o.Store = storeIn(o.out)
	err = o.Run(ctx, sampler)
	switch {
	case errors.Is(err, sampling.ErrNoLabel):
		return usagef("--%w; name it with --label, or give a classifier with --judge", err)
	case errors.Is(err, sampling.ErrSilent):
		return fmt.Errorf("%w; try another --seed, skip such seeds with --until-good, or train the model longer", err)
	case errors.Is(err, sampling.ErrUnreachable):
		return fmt.Errorf("%w; another --seed may reach it", err)
	case errors.Is(err, sampling.ErrMissing):
		return fmt.Errorf("%w; raise --max-tries, lower the conditions (--confidence, --realness, --newness), train the model longer, or keep the best with --keep-best", err)
	}
	return err
}

// checkOut finds out before any work whether files can be written into the folder of a flag.
func checkOut(flag, dir string) error {
	if err := atomicfile.TryFolder(dir); err != nil {
		return fmt.Errorf("--%s: %w", flag, err)
	}
	return nil
}

// checkOutFile finds out before any work whether the file of a flag can be written.
func checkOutFile(flag, path string) error {
	if err := atomicfile.Try(path); err != nil {
		return fmt.Errorf("--%s: %w", flag, err)
	}
	return nil
}

// storeIn writes files into a folder, which is created with the first of them.
func storeIn(dir string) func(name string, data []byte) (path string, err error) {
	return func(name string, data []byte) (string, error) {
		path := filepath.Join(dir, name)
		if err := os.MkdirAll(dir, 0o755); err != nil {
			return "", err
		}
		return path, writeFile(path, data)
	}
}

// printClip prints the line of a clip. One that failed has a line in JSON alone.
func (a *app) printClip(asJSON bool, f sampling.ClipFacts) error {
	switch {
	case asJSON:
		return a.printJSON(f)
	case f.File == "":
		return nil
	}
	return a.say("%s", f.File)
}

// openSampler opens a checkpoint to generate with.
func openSampler(path string) (models.Checkpoint, *sampling.Sampler, error) {
	c, err := models.Read(path)
	if err != nil {
		return c, nil, err
	}
	s, err := sampling.Open(c)
	if err != nil {
		err = fmt.Errorf("%s: %w", path, err)
	}
	return c, s, err
}

// chosenLabels returns the labels that --label asks for, each once, in the order of the command line.
func chosenLabels(asked, known []string) ([]string, error) {
	labels, err := sampling.SelectLabels(asked, known)
	if err != nil {
		return nil, usagef("--label: %w", err)
	}
	return labels, nil
}
