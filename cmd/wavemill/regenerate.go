package main

import (
	"context"
	"errors"
	"fmt"
	"path/filepath"

	"github.com/spf13/cobra"

	"wavemill/models/nn/kernel"
	"wavemill/models/sampling"
)

// regenerateOptions are the flags of `wavemill regenerate`.
type regenerateOptions struct {
	model, out string
	asJSON     bool
}

func newRegenerate(a *app) *cobra.Command {
	var o regenerateOptions
	cmd := &cobra.Command{
		Use:   "regenerate FILE.wav...",
		Short: "Generate clips again from the information in their files",
		Long: `Regenerate reads from the INFO chunk of a generated WAV file how it was generated,
generates it again, and compares the two files byte for byte. The exit code is 1
where they differ. With --out, it writes the new files. Mixes, series, variations
and filtered clips need nothing but the checkpoint either: the file contains its
own seed and the latents of given clips.

The bytes are the same on all machines with the same class of kernels (avx512, avx2
or go). Between classes, samples may differ in the last bit. Where the bytes differ,
regenerate names the class that it used.

Without --model, regenerate searches the folder of the file, the folder above it and
the working directory for the checkpoint with the digest that the file names.`,
		Example: `  wavemill regenerate clips/three_7.wav
  wavemill regenerate --model model.safetensors --out again clips/*.wav`,
		Args: needArgs("a generated WAV file"),
		RunE: func(cmd *cobra.Command, args []string) error { return a.regenerate(cmd.Context(), o, args) },
	}
	f := cmd.Flags()
	f.StringVar(&o.model, "model", "", "checkpoint that generated the clips (default: searched by digest beside each file, in the folder above and in the working directory)")
	f.StringVar(&o.out, "out", "", "folder for the new files (default: compare only)")
	f.BoolVar(&o.asJSON, "json", false, `print one line for each file: {"file","label","model","seed","same","kernels"}`)
	return cmd
}

func (a *app) regenerate(ctx context.Context, o regenerateOptions, files []string) error {
	if o.out != "" {
		if err := checkOut("out", o.out); err != nil {
			return err
		}
	}
	regenerator := &sampling.Regenerator{Model: o.model}
	different := 0
	var errs []error
	for _, file := range files {
		if err := ctx.Err(); err != nil {
			return errors.Join(append(errs, err)...)
		}
		same, err := a.regenerateFile(ctx, o, regenerator, file)
		switch {
		case err != nil:
			errs = append(errs, err)
		case !same:
			different++
		}
	}
	if different > 0 {
		errs = append(errs, fmt.Errorf("%d of %d files differ from what their model generates with %s kernels", different, len(files), kernel.Class()))
	}
	return errors.Join(errs...)
}

// regenerateFile compares one file, and reports whether its bytes are the same.
func (a *app) regenerateFile(ctx context.Context, o regenerateOptions, regenerator *sampling.Regenerator, file string) (same bool, err error) {
	r, data, err := regenerator.Regenerate(ctx, file)
	if errors.Is(err, sampling.ErrNoCheckpoint) {
		err = fmt.Errorf("%w; name the checkpoint that generated the clip with --model", err)
	}
	if err != nil {
		return false, fmt.Errorf("%s: %w", file, err)
	}
	if o.out != "" {
		if r.Out, err = storeIn(o.out)(filepath.Base(r.File), data); err != nil {
			return false, err
		}
	}
	return r.Same, a.printResult(o.asJSON, r)
}
