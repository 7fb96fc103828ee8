package main

import (
	"context"
	"fmt"
	"os"
	"path/filepath"
	"runtime"
	"slices"

	"github.com/spf13/cobra"
	"golang.org/x/sync/errgroup"

	"wavemill/audio/dataset"
	"wavemill/audio/wav"
	"wavemill/models"
	"wavemill/operators/generate"
)

// generateOptions are the flags of `wavemill generate`.
type generateOptions struct {
	model, out  string
	labels      []string
	n           int
	seed        uint64
	temperature float64
	asJSON      bool
}

func newGenerate(a *app) *cobra.Command {
	var o generateOptions
	cmd := &cobra.Command{
		Use:   "generate --model MODEL --label LABEL --out DIR",
		Short: "Make clips from a checkpoint, without a bus",
		Long: `Generate makes WAV files that nobody recorded. Each is named by its label and seed,
and says in its INFO chunk which model and seed made it: the same checkpoint,
label, seed and temperature give the same bytes. Clip i of a series has seed + i.`,
		Example: `  wavemill generate --model model.safetensors --label kick --seed 7 --out clips
  wavemill generate --model model.safetensors --label all --n 10 --out clips --json`,
		Args: noArgs,
		RunE: func(cmd *cobra.Command, _ []string) error { return a.generate(cmd.Context(), o) },
	}
	f := cmd.Flags()
	f.StringVar(&o.model, "model", "", "checkpoint, such as model.safetensors (required)")
	f.StringArrayVar(&o.labels, "label", nil, "what to make: a label of the model, or all; may be repeated (required)")
	f.IntVar(&o.n, "n", 1, "clips for each label")
	f.Uint64Var(&o.seed, "seed", 1, "seed of the first clip of each label")
	f.Float64Var(&o.temperature, "temperature", 0, "variety: below 1 nearer to the typical, above 1 further (default: the model's own)")
	f.StringVar(&o.out, "out", "", "folder for the clips; it is made if it is not there (required)")
	f.BoolVar(&o.asJSON, "json", false, `print one line for each clip: {"file","label","seed","confidence"}`)
	return cmd
}

func (o *generateOptions) check() error {
	switch {
	case o.model == "":
		return usagef("--model is missing: the checkpoint to generate with")
	case len(o.labels) == 0:
		return usagef("--label is missing: a label of the model, or all")
	case o.out == "":
		return usagef("--out is missing: the folder for the clips")
	case o.n < 1:
		return usagef("--n %d: ask for one clip or more", o.n)
	case !(o.temperature >= 0 && o.temperature <= 10):
		return usagef("--temperature %g is not between 0 and 10", o.temperature)
	}
	return nil
}

func (a *app) generate(ctx context.Context, o generateOptions) error {
	if err := o.check(); err != nil {
		return err
	}
	checkpoint, err := models.Read(o.model)
	if err != nil {
		return err
	}
	maker, err := generate.NewMaker(checkpoint)
	if err != nil {
		return fmt.Errorf("%s: %w", o.model, err)
	}
	labels, err := chosenLabels(o.labels, maker.Labels)
	if err != nil {
		return err
	}
	if err := os.MkdirAll(o.out, 0o755); err != nil {
		return err
	}
	clips := make([]savedClip, len(labels)*o.n)
	task := a.console.Start("generate", int64(len(clips)), "clips")
	defer task.Done()
	group, working := errgroup.WithContext(ctx)
	group.SetLimit(runtime.GOMAXPROCS(0))
	for i := range clips {
		if working.Err() != nil {
			break
		}
		group.Go(func() error {
			var err error
			clips[i], err = makeClip(working, maker, labels[i/o.n], o.seed+uint64(i%o.n), o.temperature, o.out)
			task.Add(1)
			return err
		})
	}
	if err := group.Wait(); err != nil {
		return err
	}
	if err := ctx.Err(); err != nil {
		return err
	}
	for _, clip := range clips {
		if o.asJSON {
			err = a.printJSON(clip)
		} else {
			err = a.say("%s", clip.File)
		}
		if err != nil {
			return err
		}
	}
	return nil
}

// allLabels stands for every label of the model, where none is called so.
const allLabels = "all"

// chosenLabels returns the labels asked for, each once, in the order in which they were asked for.
func chosenLabels(asked, known []string) ([]string, error) {
	var out []string
	for _, label := range asked {
		switch {
		case slices.Contains(known, label):
			out = append(out, label)
		case label == allLabels:
			out = append(out, known...)
		default:
			err := &generate.LabelError{Label: label, Labels: known}
			return nil, usagef("--label: %w", err)
		}
	}
	seen := map[string]bool{}
	return slices.DeleteFunc(out, func(label string) bool {
		again := seen[label]
		seen[label] = true
		return again
	}), nil
}

// clipFile is the name of a generated clip's file.
func clipFile(dir, label string, seed uint64) string {
	return filepath.Join(dir, fmt.Sprintf("%s_%d.wav", dataset.FileSlug(label), seed))
}

// makeClip makes one clip and writes it.
func makeClip(ctx context.Context, maker *generate.Maker, label string, seed uint64, temperature float64, dir string) (savedClip, error) {
	clip, err := maker.Make(ctx, label, seed, temperature)
	if err != nil {
		return savedClip{}, err
	}
	data, err := clip.WAV(wav.PCM16)
	if err != nil {
		return savedClip{}, err
	}
	path := clipFile(dir, label, seed)
	if err := writeFile(path, data); err != nil {
		return savedClip{}, err
	}
	return savedClip{File: path, Label: label, Seed: seed, Model: maker.Digest}, nil
}
