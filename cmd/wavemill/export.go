package main

import (
	"context"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strings"

	"github.com/spf13/cobra"

	"wavemill/models"
	"wavemill/models/architectures"
	"wavemill/models/nn"
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
encoder.onnx, discriminator.onnx and prior.onnx. Beside them wavemill.json says how
to draw latents and how to get from a spectrogram to sound; docs/formats/onnx.md has
complete programs.

With the priors manifold and kde, prior.safetensors holds the latents of training
clips: do not give it to those who must not hear what the model was trained on.`,
		Example: `  wavemill export --model model.safetensors --out exported
  wavemill export --model model.safetensors --out exported --only generator --json`,
		Args: noArgs,
		RunE: func(cmd *cobra.Command, _ []string) error { return a.export(cmd.Context(), o) },
	}
	f := cmd.Flags()
	f.StringVar(&o.model, "model", "", "checkpoint, such as model.safetensors (required)")
	f.StringVar(&o.out, "out", "", "folder for the files; it is made if it is not there (required)")
	f.StringVar(&o.format, "format", "onnx", "format of the networks: onnx")
	f.StringSliceVar(&o.only, "only", nil, "which networks, with commas between them: generator, encoder, discriminator, prior (default: all there are)")
	f.BoolVar(&o.asJSON, "json", false, `print one line for each file: {"file","network","bytes","sha256"}`)
	return cmd
}

func (o *exportOptions) check() error {
	switch {
	case o.model == "":
		return usagef("--model is missing: the checkpoint to export")
	case o.out == "":
		return usagef("--out is missing: the folder for the files")
	case o.format != "onnx":
		return usagef("--format %q is not known; there is: onnx", o.format)
	}
	return nil
}

// exportedFile is a file that export has made, and what it prints about it.
type exportedFile struct {
	File    string `json:"file"`
	Network string `json:"network,omitempty"`
	Bytes   int    `json:"bytes"`
	SHA256  string `json:"sha256"`

	name string
	data []byte
}

func (a *app) export(ctx context.Context, o exportOptions) error {
	if err := o.check(); err != nil {
		return err
	}
	checkpoint, err := models.Read(o.model)
	if err != nil {
		return err
	}
	networks, err := architectures.Networks(checkpoint)
	if err != nil {
		return fmt.Errorf("%s: %w", o.model, err)
	}
	if networks, err = chosenNetworks(networks, o.only, checkpoint.Arch); err != nil {
		return err
	}
	files, err := newExporter(checkpoint).files(networks)
	if err != nil {
		return fmt.Errorf("%s: %w", o.model, err)
	}
	if err := ctx.Err(); err != nil {
		return err
	}
	if err := os.MkdirAll(o.out, 0o755); err != nil {
		return err
	}
	for _, f := range files {
		f.File = filepath.Join(o.out, f.name)
		if err := writeFile(f.File, f.data); err != nil {
			return err
		}
		if o.asJSON {
			err = a.printJSON(f)
		} else {
			err = a.say("%s", f.File)
		}
		if err != nil {
			return err
		}
	}
	return nil
}

// chosenNetworks returns the networks that were asked for: all, if none was.
func chosenNetworks(networks []nn.Network, only []string, arch string) ([]nn.Network, error) {
	if len(only) == 0 {
		return networks, nil
	}
	var names []string
	for _, w := range networks {
		names = append(names, w.Name)
	}
	for _, name := range only {
		if !slices.Contains(names, name) {
			return nil, usagef("--only: this %s has no network %q; it has %s", arch, name, strings.Join(names, ", "))
		}
	}
	return slices.DeleteFunc(networks, func(w nn.Network) bool { return !slices.Contains(only, w.Name) }), nil
}
