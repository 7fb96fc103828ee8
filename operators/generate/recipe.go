package generate

import (
	"cmp"
	"context"
	"crypto/sha256"
	"encoding/hex"
	"fmt"

	"wavemill/audio/wav"
)

// recipes says how the clips of a task are made, each with its seed. Clips of a way follow each other, those of the next
// seed come after them.
func (t task) recipes(ctx context.Context) ([]Provenance, error) {
	base := Provenance{Label: t.Label, Temperature: t.Temperature}
	var err error
	if base.Like, err = t.source(ctx, "like", t.Like, t.Label); err != nil {
		return nil, err
	}
	if base.Like != nil && t.Mix == nil {
		base.Strength = DefaultStrength
		if t.Strength != nil {
			base.Strength = *t.Strength
		}
	}
	points := []Provenance{base}
	if t.Mix != nil {
		end := Mix{Label: t.Mix.Label}
		if end.Like, err = t.source(ctx, "mix.like", t.Mix.Like, t.Mix.Label); err != nil {
			return nil, err
		}
		if t.Mix.Weight != nil {
			end.Weight = *t.Mix.Weight
		}
		points = make([]Provenance, max(1, t.Interpolate))
		for i := range points {
			mix := end
			if t.Interpolate > 0 {
				mix.Weight = float64(i) / float64(t.Interpolate-1)
			}
			points[i] = base
			points[i].Mix = &mix
		}
	}
	recipes := make([]Provenance, 0, t.N*len(points))
	for i := range t.N {
		for _, p := range points {
			p.Seed = *t.Seed + uint64(i) //nolint:gosec // An index.
			recipes = append(recipes, p)
		}
	}
	return recipes, nil
}

// source encodes a clip of a request. Whatever is wrong with it, it is the request that is wrong.
func (t task) source(ctx context.Context, field string, c *RequestClip, label string) (*Source, error) {
	if c == nil {
		return nil, nil //nolint:nilnil // No clip, no source.
	}
	clip, _, err := wav.Decode(c.Audio)
	if err != nil {
		return nil, fmt.Errorf("%w: %s: %w", errUsage, field, err)
	}
	s, _, err := t.maker.Encode(ctx, clip, label)
	if err != nil {
		return nil, fmt.Errorf("%w: %s: %w", errUsage, field, err)
	}
	digest := sha256.Sum256(c.Audio)
	s.File, s.SHA256 = cmp.Or(c.File, field+".wav"), hex.EncodeToString(digest[:])
	return s, nil
}
