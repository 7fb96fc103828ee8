package models

import (
	"context"
	"errors"
	"fmt"
)

// A Blender is a Generator whose latents can be seen, changed and decoded between two labels, for morphs and series.
// Every architecture here is one; those with an encoder are an [Autoencoder] too. Latents are [B, Latent], row-major.
type Blender interface {
	Generator
	// Latent is the number of latent variables of a clip.
	Latent() int
	// Draw returns the latents that Generate makes the clips of r from. The same seed under two labels is drawn with
	// the same noise. The slice belongs to the caller.
	Draw(r Request) ([]float32, error)
	// LabelMean returns an estimate of the mean latents of a label's clips at the default temperature, [Latent]. It is
	// the same for every call; interpolation takes deviations from it. The slice belongs to the caller.
	LabelMean(label int) ([]float32, error)
	// Blend makes clip i from latents i under the embedding (1 - weight[i]) a[i] + weight[i] b[i], weights from 0 to 1.
	// Of r, Seeds (one for each clip) and Temperature are used, for noise that is not part of the latents: with the
	// latents of Draw, a weight of 0 gives the bytes that Generate does. A clip's label in the answer is the one of
	// greater weight. The batch belongs to the caller.
	Blend(ctx context.Context, latents []float32, a, b []int, weight []float64, r Request) (Batch, error)
}

// BlendShares returns what a clip has of the embeddings of its two labels, keep of a and change of b, and which of the two
// it has more of. Its error is the first thing that makes the arguments of Blend unfit for a model of so many labels and
// latent variables.
func BlendShares(labels, latent int, latents []float32, a, b []int, weight []float64, r Request) (keep, change []float32, nearer []int, err error) {
	if err := checkBlend(labels, latent, latents, a, b, weight, r); err != nil {
		return nil, nil, nil, fmt.Errorf("blend: %w", err)
	}
	keep, change, nearer = make([]float32, len(weight)), make([]float32, len(weight)), make([]int, len(weight))
	for i, w := range weight {
		keep[i], change[i], nearer[i] = float32(1-w), float32(w), a[i]
		if w > 0.5 {
			nearer[i] = b[i]
		}
	}
	return keep, change, nearer, nil
}

func checkBlend(labels, latent int, latents []float32, a, b []int, weight []float64, r Request) error {
	if len(a) != len(weight) || len(b) != len(weight) || len(latents) != len(weight)*latent {
		return fmt.Errorf("%d latents, %d and %d labels for %d weights; a clip has %d latents", len(latents), len(a), len(b), len(weight), latent)
	}
	for _, of := range [][]int{b, a} {
		r.Labels = of
		if err := r.Validate(labels); err != nil {
			return err
		}
	}
	for i, w := range weight {
		if !(w >= 0 && w <= 1) {
			return fmt.Errorf("clip %d: weight %g is not between 0 and 1", i, w)
		}
	}
	return nil
}

// ErrNoDiscriminator is returned, wrapped, for a checkpoint without a discriminator.
var ErrNoDiscriminator = errors.New("the checkpoint holds no discriminator")

// A Discriminator distinguishes generated clips from recordings. It is safe for concurrent use.
type Discriminator interface {
	// Score returns one score for each clip of x under its label; recordings have greater ones than what the generator
	// made while the two were trained. Only the scores of one checkpoint can be compared. A clip's score does not
	// depend on the clips beside it.
	Score(ctx context.Context, x Batch) ([]float64, error)
}
