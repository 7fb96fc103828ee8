package main

import (
	"bytes"
	"context"
	"fmt"
	"os"
	"path/filepath"

	"github.com/spf13/cobra"

	"wavemill/models"
	"wavemill/models/nn/kernel"
	"wavemill/models/sampling"
)

// regenerateOptions are the flags of `wavemill regenerate`.
type regenerateOptions struct {
	model, out string
	asJSON     bool
}

// regenerated is what --json prints for each file.
type regenerated struct {
	File  string `json:"file"`
	Label string `json:"label"`
	Model string `json:"model"` // digest
	Seed  uint64 `json:"seed"`
	Same  bool   `json:"same"` // byte for byte
	Out   string `json:"out,omitempty"`
	// Kernels is the class of kernels that generated the clip again.
	Kernels string `json:"kernels"`
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
		Args: someFiles,
		RunE: func(cmd *cobra.Command, args []string) error { return a.regenerate(cmd.Context(), o, args) },
	}
	f := cmd.Flags()
	f.StringVar(&o.model, "model", "", "checkpoint that generated the clips (default: searched by digest beside each file, in the folder above and in the working directory)")
	f.StringVar(&o.out, "out", "", "folder for the new files (default: compare only)")
	f.BoolVar(&o.asJSON, "json", false, `print one line for each file: {"file","label","model","seed","same","kernels"}`)
	return cmd
}

// someFiles requires one argument or more.
func someFiles(_ *cobra.Command, args []string) error {
	if len(args) == 0 {
		return usagef("name a generated WAV file, or several")
	}
	return nil
}

func (a *app) regenerate(ctx context.Context, o regenerateOptions, files []string) error {
	if o.out != "" {
		if err := os.MkdirAll(o.out, 0o755); err != nil {
			return err
		}
	}
	samplers := map[string]*sampling.Sampler{} // by digest
	different := 0
	for _, file := range files {
		if err := ctx.Err(); err != nil {
			return err
		}
		r, err := regenerate(ctx, o, file, samplers)
		if err != nil {
			return fmt.Errorf("%s: %w", file, err)
		}
		if !r.Same {
			different++
		}
		switch {
		case o.asJSON:
			err = a.printJSON(r)
		case r.Same:
			err = a.say("%s: the same bytes (label %q, seed %d, model %.12s)", file, r.Label, r.Seed, r.Model)
		default:
			err = a.say("%s: differs from what label %q, seed %d and model %.12s give here, with %s kernels: the file was edited, or generated with another class of kernels", file, r.Label, r.Seed, r.Model, kernel.Class())
		}
		if err != nil {
			return err
		}
	}
	if different > 0 {
		return fmt.Errorf("%d of %d files differ from what their model generates with %s kernels", different, len(files), kernel.Class())
	}
	return nil
}

// regenerate generates the clip of one file again.
func regenerate(ctx context.Context, o regenerateOptions, file string, samplers map[string]*sampling.Sampler) (regenerated, error) {
	old, err := os.ReadFile(file)
	if err != nil {
		return regenerated{}, err
	}
	p, encoding, err := sampling.ReadProvenance(old)
	if err != nil {
		return regenerated{}, err
	}
	sampler := samplers[p.Model]
	if sampler == nil {
		if sampler, err = findSampler(o.model, filepath.Dir(file), p.Model); err != nil {
			return regenerated{}, err
		}
		samplers[p.Model] = sampler
	}
	clip, err := sampler.Generate(ctx, p)
	if err != nil {
		return regenerated{}, err
	}
	data, err := clip.WAV(encoding)
	if err != nil {
		return regenerated{}, err
	}
	r := regenerated{File: file, Label: p.Name(), Model: p.Model, Seed: p.Seed, Same: bytes.Equal(old, data), Kernels: kernel.Class()}
	if o.out != "" {
		r.Out = filepath.Join(o.out, filepath.Base(file))
		err = writeFile(r.Out, data)
	}
	return r, err
}

// findSampler opens the checkpoint with the given digest: the named file, or one in or near the folder of a clip.
func findSampler(model, dir, digest string) (*sampling.Sampler, error) {
	if model == "" {
		s, err := sampling.Locate(digest, dir, filepath.Join(dir, ".."), ".")
		if err != nil {
			return nil, fmt.Errorf("%w; name the checkpoint that generated the clip with --model", err)
		}
		return s, nil
	}
	checkpoint, err := models.Read(model)
	if err != nil {
		return nil, err
	}
	s, err := sampling.Open(checkpoint)
	if err != nil {
		return nil, fmt.Errorf("%s: %w", model, err)
	}
	if s.Digest != digest {
		return nil, fmt.Errorf("model %.12s generated it; %s is %.12s", digest, model, s.Digest)
	}
	return s, nil
}
