package generate

import (
	"cmp"
	"context"
	"crypto/sha256"
	"encoding/hex"
	"fmt"

	"wavemill/audio/wav"
	"wavemill/models/sampling"
)

// provenances describes the clips of a task, in the order of its answer: the clips of one seed follow each other.
func (t task) provenances(ctx context.Context) ([]sampling.Provenance, error) {
	from := sampling.Reference{Label: t.Label}
	var err error
	if from.Like, err = t.source(ctx, "like", t.Like, t.Label); err != nil {
		return nil, err
	}
	var kinds []sampling.Kind
	switch {
	case t.Mix != nil:
		to := sampling.Reference{Label: t.Mix.Label}
		if to.Like, err = t.source(ctx, "mix.like", t.Mix.Like, t.Mix.Label); err != nil {
			return nil, err
		}
		kinds = sampling.Interpolations(from, to, t.weights(), t.temperature)
	case from.Like != nil:
		strength := sampling.DefaultStrength
		if t.Strength != nil {
			strength = *t.Strength
		}
		kinds = sampling.Variations([]sampling.Reference{from}, strength, t.temperature)
	default:
		kinds = sampling.Labels([]string{t.Label}, t.temperature)
	}
	for i := range kinds {
		kinds[i].Steps, kinds[i].Shape = t.Steps, t.Shape
	}
	return sampling.BySeed(kinds, *t.Seed, t.N), nil
}

// weights are the positions of the clips of one seed between the request's two endpoints.
func (t task) weights() []float64 {
	if t.Interpolate > 0 {
		return sampling.Weights(t.Interpolate)
	}
	return []float64{*t.Mix.Weight}
}

// source encodes a given clip of a request. All its errors are errUsage: the request is at fault.
func (t task) source(ctx context.Context, field string, c *RequestClip, label string) (*sampling.Source, error) {
	if c == nil {
		return nil, nil // No clip, no source.
	}
	clip, _, err := wav.Decode(c.Audio)
	if err != nil {
		return nil, fmt.Errorf("%w: %s: %w", errUsage, field, err)
	}
	s, _, err := t.sampler.Encode(ctx, clip, label)
	if err != nil {
		return nil, fmt.Errorf("%w: %s: %w", errUsage, field, err)
	}
	digest := sha256.Sum256(c.Audio)
	s.File, s.SHA256 = cmp.Or(c.File, field+".wav"), hex.EncodeToString(digest[:])
	return s, nil
}
