package main

import (
	"context"
	"errors"
	"fmt"

	"github.com/spf13/cobra"

	"wavemill/models"
	"wavemill/models/export"
)

// exportOptions are the flags of `wavemill export`.
type exportOptions struct {
	model, out, format string
	only               []string
	asJSON             bool
}

func newExport(a *app) *cobra.Command {
	var o exportOptions
	cmd := &cobra.Command{
		Use:   "export --model MODEL --out DIR",
		Short: "Write a checkpoint's networks as ONNX files, to run them elsewhere",
		Long: `Export writes the networks of a checkpoint in a format that other programs run, in
Python, JavaScript, C++ or on a phone: generator.onnx and, where the model has them,
encoder.onnx, discriminator.onnx and prior.onnx. wavemill.json describes how to
draw latents and how to turn a spectrogram into sound; docs/formats/onnx.md has
complete programs.

With the priors manifold and kde, prior.safetensors holds the latents of training
clips, from which they can be decoded: keep it private if the recordings are private.`,
		Example: `  wavemill export --model model.safetensors --out exported
  wavemill export --model model.safetensors --out exported --only generator --json`,
		Args: noArgs,
		RunE: func(cmd *cobra.Command, _ []string) error { return a.export(cmd.Context(), o) },
	}
	f := cmd.Flags()
	f.StringVar(&o.model, "model", "", "checkpoint, such as model.safetensors (required)")
	f.StringVar(&o.out, "out", "", "folder for the files; created if missing (required)")
	f.StringVar(&o.format, "format", "onnx", "format of the networks: onnx")
	f.StringSliceVar(&o.only, "only", nil, "which networks, with commas between them: generator, encoder, discriminator, prior (default: all there are)")
	f.BoolVar(&o.asJSON, "json", false, `print one line for each file: {"file","network","bytes","sha256"}`)
	return cmd
}

func (a *app) export(ctx context.Context, o exportOptions) error {
	if o.format != "onnx" {
		return usagef("--format %q is not known; there is: onnx", o.format)
	}
	if err := checkOut("out", o.out); err != nil {
		return err
	}
	checkpoint, err := models.Read(o.model)
	if err != nil {
		return err
	}
	files, err := export.Files(checkpoint, export.Options{Only: o.only, Version: version()})
	if _, ok := errors.AsType[*export.UnknownNetworkError](err); ok {
		return usagef("--only: %w", err)
	}
	if err != nil {
		return fmt.Errorf("%s: %w", o.model, err)
	}
	if err := ctx.Err(); err != nil { // Export has no context of its own.
		return err
	}
	for _, f := range files {
		path, err := storeIn(o.out)(f.Name, f.Data)
		if err != nil {
			return err
		}
		if err := a.printResult(o.asJSON, f.Facts(path)); err != nil {
			return err
		}
	}
	return nil
}
