package sampling

import (
	"bytes"
	"context"
	"fmt"
	"path/filepath"

	"wavemill/models"
	"wavemill/models/nn/kernel"
)

// Regenerated says how a generated file compares with what its provenance gives now. As JSON it is a line of
// `wavemill regenerate --json`.
type Regenerated struct {
	File    string `json:"file"`
	Label   string `json:"label"`
	Model   string `json:"model"` // digest
	Seed    uint64 `json:"seed"`
	Same    bool   `json:"same"`          // byte for byte
	Out     string `json:"out,omitempty"` // where the caller wrote the new file
	Kernels string `json:"kernels"`       // class of kernels that generated the clip again
}

// String is the comparison for the user.
func (r Regenerated) String() string {
	if r.Same {
		return fmt.Sprintf("%s: the same bytes (label %q, seed %d, model %.12s)", r.File, r.Label, r.Seed, r.Model)
	}
	return fmt.Sprintf("%s: differs from what label %q, seed %d and model %.12s give here, with %s kernels: the file was edited, or generated with another class of kernels",
		r.File, r.Label, r.Seed, r.Model, r.Kernels)
}

// A Regenerator generates clips again from the provenance in their files. It keeps the checkpoints that it opens. It is
// used by one goroutine at a time.
type Regenerator struct {
	// Model is the path of the checkpoint; without it, the checkpoint with the digest that a file names is searched in the
	// folder of the file, the folder above and the working directory.
	Model string

	samplers map[string]*Sampler // by digest
}

// Regenerate generates the clip of a WAV file again and returns the comparison and the bytes of the new file.
func (r *Regenerator) Regenerate(ctx context.Context, file string) (Regenerated, []byte, error) {
	old, err := models.ReadLimited(file, maxSound)
	if err != nil {
		return Regenerated{}, nil, err
	}
	p, encoding, err := ReadProvenance(old)
	if err != nil {
		return Regenerated{}, nil, err
	}
	sampler, err := r.find(filepath.Dir(file), p.Model)
	if err != nil {
		return Regenerated{}, nil, err
	}
	clip, err := sampler.Generate(ctx, p)
	if err != nil {
		return Regenerated{}, nil, err
	}
	data, err := clip.WAV(encoding)
	return Regenerated{
		File: file, Label: p.Name(), Model: p.Model, Seed: p.Seed, Same: bytes.Equal(old, data), Kernels: kernel.Class(),
	}, data, err
}

// find opens the checkpoint with a digest: Model, or one in or near the folder of a clip.
func (r *Regenerator) find(dir, digest string) (*Sampler, error) {
	if s := r.samplers[digest]; s != nil {
		return s, nil
	}
	s, err := r.open(dir, digest)
	if err != nil {
		return nil, err
	}
	if r.samplers == nil {
		r.samplers = map[string]*Sampler{}
	}
	r.samplers[digest] = s
	return s, nil
}

func (r *Regenerator) open(dir, digest string) (*Sampler, error) {
	if r.Model == "" {
		return locate(digest, searchFolders(dir)...)
	}
	checkpoint, err := models.Read(r.Model)
	if err != nil {
		return nil, err
	}
	s, err := Open(checkpoint)
	if err != nil {
		return nil, fmt.Errorf("%s: %w", r.Model, err)
	}
	if s.Digest != digest {
		return nil, fmt.Errorf("model %.12s generated it; %s is %.12s", digest, r.Model, s.Digest)
	}
	return s, nil
}
