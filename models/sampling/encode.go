package sampling

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"time"

	"wavemill/audio"
	"wavemill/models"
	"wavemill/models/frontend"
)

// ErrNoEncoder is returned, wrapped, where a clip is given to a model that cannot encode it.
var ErrNoEncoder = errors.New("the model has no encoder, so it cannot take a clip; those of vae, vaegan and flow can")

// CanEncode reports whether the model takes given clips.
func (s *Sampler) CanEncode() bool {
	_, ok := s.generator.(models.Autoencoder)
	return ok
}

// CanBlend reports whether the model generates clips between two labels.
func (s *Sampler) CanBlend() bool {
	_, ok := s.generator.(models.Blender)
	return ok
}

// maxSource is the longest clip that Encode takes. The model uses only the clip's beginning, and a header with a rate
// of a few samples a second makes hours of a small file.
const maxSource = time.Minute

// Encode returns the latents of a clip of any rate and number of channels, encoded as a clip of the given label, and
// what the front end had to change in it. The caller sets File and SHA256. The errors are [ErrNoEncoder], a
// [LabelError], [frontend.ErrSilent], or say what is wrong with the clip.
func (s *Sampler) Encode(ctx context.Context, clip audio.Clip, label string) (*Source, frontend.Notes, error) {
	encoder, ok := s.generator.(models.Autoencoder)
	if !ok {
		return nil, frontend.Notes{}, fmt.Errorf("%w; this is a %s", ErrNoEncoder, s.Arch)
	}
	index, err := s.Label(label)
	if err != nil {
		return nil, frontend.Notes{}, err
	}
	if err := clip.Validate(); err != nil {
		return nil, frontend.Notes{}, err
	}
	if d := clip.Duration(); d > maxSource {
		return nil, frontend.Notes{}, fmt.Errorf("the clip lasts %v, and the model uses its first %v: cut out the part you need, %v at most",
			d.Round(time.Second), s.frontEnd.Duration().Round(time.Millisecond), maxSource)
	}
	spectrogram, notes, err := s.frontEnd.Analyze(clip)
	if err != nil {
		return nil, notes, err
	}
	frames, bins := s.frontEnd.Shape()
	mean, _, err := encoder.Encode(ctx, models.Batch{B: 1, T: frames, F: bins, Data: spectrogram.Data, Labels: []int{index}})
	if err != nil {
		return nil, notes, err
	}
	return &Source{Latent: slices.Clone(mean)}, notes, nil
}
