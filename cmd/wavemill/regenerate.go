package main

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"os"
	"path/filepath"

	"github.com/spf13/cobra"

	"wavemill/audio/wav"
	"wavemill/models"
	"wavemill/operators/generate"
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
}

func newRegenerate(a *app) *cobra.Command {
	var o regenerateOptions
	cmd := &cobra.Command{
		Use:   "regenerate FILE.wav...",
		Short: "Make generated clips again from what their files say, byte for byte",
		Long: `Regenerate reads from a generated WAV's INFO chunk how it was made, makes it again,
and compares the two byte for byte. The exit code is 1 where they differ. With --out,
it writes what it made. Mixes, series, variations of a clip and clips that a judge
chose need nothing but the model either: the file holds the latents of given clips,
and its own seed.

The model is --model or, without it, the checkpoint beside the file that has the
digest the file names.`,
		Example: `  wavemill regenerate clips/three_7.wav
  wavemill regenerate --model model.safetensors --out again clips/*.wav`,
		Args: someFiles,
		RunE: func(cmd *cobra.Command, args []string) error { return a.regenerate(cmd.Context(), o, args) },
	}
	f := cmd.Flags()
	f.StringVar(&o.model, "model", "", "checkpoint that made the clips (default: the fitting .safetensors in each file's folder)")
	f.StringVar(&o.out, "out", "", "folder for the clips made again (default: only compare)")
	f.BoolVar(&o.asJSON, "json", false, `print one line for each file: {"file","label","model","seed","same"}`)
	return cmd
}

// someFiles wants one argument or more.
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
	makers := map[string]*generate.Maker{} // by digest
	different := 0
	for _, file := range files {
		if err := ctx.Err(); err != nil {
			return err
		}
		r, err := regenerate(ctx, o, file, makers)
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
			err = a.say("%s: other bytes than label %q, seed %d and model %.12s make here; was it edited, or made by another class of kernels?", file, r.Label, r.Seed, r.Model)
		}
		if err != nil {
			return err
		}
	}
	if different > 0 {
		return fmt.Errorf("%d of %d files differ from what their model makes", different, len(files))
	}
	return nil
}

// regenerate makes the clip of one file again.
func regenerate(ctx context.Context, o regenerateOptions, file string, makers map[string]*generate.Maker) (regenerated, error) {
	old, err := os.ReadFile(file)
	if err != nil {
		return regenerated{}, err
	}
	from, encoding, err := provenance(old)
	if err != nil {
		return regenerated{}, err
	}
	maker := makers[from.Model]
	if maker == nil {
		if maker, err = findMaker(o.model, filepath.Dir(file), from.Model); err != nil {
			return regenerated{}, err
		}
		makers[from.Model] = maker
	}
	clip, err := maker.Compose(ctx, from)
	if err != nil {
		return regenerated{}, err
	}
	data, err := clip.WAV(encoding)
	if err != nil {
		return regenerated{}, err
	}
	r := regenerated{File: file, Label: from.Name(), Model: from.Model, Seed: from.Seed, Same: bytes.Equal(old, data)}
	if o.out != "" {
		r.Out = filepath.Join(o.out, filepath.Base(file))
		err = writeFile(r.Out, data)
	}
	return r, err
}

// provenance reads what a generated file says about itself.
func provenance(file []byte) (generate.Provenance, wav.Encoding, error) {
	var p generate.Provenance
	_, header, err := wav.Decode(file)
	if err != nil {
		return p, 0, err
	}
	if err := json.Unmarshal([]byte(header.Tags["ICMT"]), &p); err != nil || p.Model == "" {
		return p, 0, errors.New("its INFO chunk names no model and seed: only clips that Wavemill generated can be made again")
	}
	encodings := map[string]wav.Encoding{"pcm_s16le": wav.PCM16, "pcm_s24le": wav.PCM24, "pcm_s32le": wav.PCM32, "pcm_f32le": wav.Float32}
	encoding, ok := encodings[header.Encoding]
	if !ok {
		return p, 0, fmt.Errorf("its encoding %s is none that Wavemill writes; was it converted?", header.Encoding)
	}
	return p, encoding, nil
}

// findMaker opens the checkpoint with that digest: the named file, or the one among the checkpoints of dir.
func findMaker(model, dir, digest string) (*generate.Maker, error) {
	candidates := []string{model}
	if model == "" {
		var err error
		if candidates, err = filepath.Glob(filepath.Join(dir, "*.safetensors")); err != nil {
			return nil, err
		}
	}
	for _, path := range candidates {
		checkpoint, err := models.Read(path)
		if err != nil {
			if model != "" {
				return nil, err
			}
			continue // some other file beside the clip
		}
		maker, err := generate.NewMaker(checkpoint)
		if err != nil {
			return nil, fmt.Errorf("%s: %w", path, err)
		}
		if maker.Digest == digest {
			return maker, nil
		}
		if model != "" {
			return nil, fmt.Errorf("it was made by model %.12s; %s is %.12s", digest, model, maker.Digest)
		}
	}
	return nil, fmt.Errorf("it was made by model %.12s, which is not among the checkpoints in %s; name it with --model", digest, dir)
}
