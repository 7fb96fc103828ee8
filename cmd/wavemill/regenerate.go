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
	for _, file := range files {
		if err := ctx.Err(); err != nil {
			return err
		}
		r, data, err := regenerator.Regenerate(ctx, file)
		if errors.Is(err, sampling.ErrNoCheckpoint) {
			err = fmt.Errorf("%w; name the checkpoint that generated the clip with --model", err)
		}
		if err != nil {
			return fmt.Errorf("%s: %w", file, err)
		}
		if !r.Same {
			different++
		}
		if o.out != "" {
			if r.Out, err = storeIn(o.out)(filepath.Base(r.File), data); err != nil {
				return err
			}
		}
		if err := a.printResult(o.asJSON, r); err != nil {
			return err
		}
	}
	if different > 0 {
		return fmt.Errorf("%d of %d files differ from what their model generates with %s kernels", different, len(files), kernel.Class())
	}
	return nil
}
