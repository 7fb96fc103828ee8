// Package models holds the nouns that every generative architecture shares: the Batch it learns from, the
// Learner that learns, the Trainer that drives it within a budget, the Checkpoint that is left behind and the
// Generator that makes new batches from one.
//
// Shapes are written [B, T, F]: clips in a batch, frames, bins. All data is float32, row-major.
package models

import (
	"context"
	"fmt"
	"maps"
	"math"
	"math/rand/v2"
	"slices"
)

// A Batch is B spectrograms of T frames by F bins with one label each. Values are log-magnitudes scaled to
// [-1, 1] by the front end. A whole data set is a Batch too: 2,700 clips of 64 x 64 take 44 MB.
// Whoever is given a Batch must not change it unless its documentation says so.
type Batch struct {
	B, T, F int
	Data    []float32 // [B, T, F]
	Labels  []int     // [B], indices into Checkpoint.Labels
}

// Clip returns the [T, F] values of clip i. They are the batch's own, not a copy.
func (b Batch) Clip(i int) []float32 {
	n := b.T * b.F
	return b.Data[i*n : (i+1)*n : (i+1)*n]
}

// Validate reports the first way in which b is not a batch over that many labels.
func (b Batch) Validate(labels int) error {
	if b.B < 1 || b.T < 1 || b.F < 1 {
		return fmt.Errorf("batch: shape [%d, %d, %d]: every dimension must be at least 1", b.B, b.T, b.F)
	}
	if len(b.Data) != b.B*b.T*b.F {
		return fmt.Errorf("batch: %d values for shape [%d, %d, %d]", len(b.Data), b.B, b.T, b.F)
	}
	if len(b.Labels) != b.B {
		return fmt.Errorf("batch: %d labels for %d clips", len(b.Labels), b.B)
	}
	if err := ValidateLabels(b.Labels, labels); err != nil {
		return fmt.Errorf("batch: %w", err)
	}
	return nil
}

// ValidateLabels reports the first of labels that a model with count labels does not know.
func ValidateLabels(labels []int, count int) error {
	for i, l := range labels {
		if l < 0 || l >= count {
			return fmt.Errorf("clip %d has label %d; the model knows 0 to %d", i, l, count-1)
		}
	}
	return nil
}

// Select copies the clips with the given indices, in that order, into dst and returns it. dst's memory is
// reused when it is large enough; the zero Batch allocates.
func (b Batch) Select(dst Batch, indices []int) Batch {
	n := b.T * b.F
	dst.B, dst.T, dst.F = len(indices), b.T, b.F
	dst.Data = slices.Grow(dst.Data[:0], len(indices)*n)
	dst.Labels = slices.Grow(dst.Labels[:0], len(indices))
	for _, i := range indices {
		dst.Data = append(dst.Data, b.Clip(i)...)
		dst.Labels = append(dst.Labels, b.Labels[i])
	}
	return dst
}

// Losses are named losses, means over a batch.
type Losses map[string]float64

// NonFinite returns the alphabetically first loss that is NaN or infinite, and whether there is one.
func (l Losses) NonFinite() (string, bool) {
	for _, name := range slices.Sorted(maps.Keys(l)) {
		if v := l[name]; math.IsNaN(v) || math.IsInf(v, 0) {
			return name, true
		}
	}
	return "", false
}

// A Request asks for one clip per entry of Labels. Clip i depends only on the checkpoint, Labels[i], Seeds[i] and
// Temperature, so that clips can be generated in batches of any size and in any order with the same result.
type Request struct {
	Labels      []int    // indices into Checkpoint.Labels
	Seeds       []uint64 // one for each clip
	Temperature float64  // scale of the latent noise, 0 to 10; 0 selects the model's own default
}

// Series returns a request for a series of clips: clip i has the label labels[i] and the seed seed+i. Its labels are
// the caller's slice.
func Series(labels []int, seed uint64, temperature float64) Request {
	r := Request{Labels: labels, Seeds: make([]uint64, len(labels)), Temperature: temperature}
	for i := range r.Seeds {
		r.Seeds[i] = seed + uint64(i)
	}
	return r
}

// Slice returns the request for the clips lo to hi-1. It shares r's slices.
func (r Request) Slice(lo, hi int) Request {
	r.Labels, r.Seeds = r.Labels[lo:hi], r.Seeds[lo:hi]
	return r
}

// Validate reports the first thing that a model with that many labels cannot answer.
func (r Request) Validate(labels int) error {
	if err := ValidateLabels(r.Labels, labels); err != nil {
		return fmt.Errorf("request: %w", err)
	}
	if len(r.Seeds) != len(r.Labels) {
		return fmt.Errorf("request: %d seeds for %d labels; give one seed for each clip", len(r.Seeds), len(r.Labels))
	}
	if !(r.Temperature >= 0 && r.Temperature <= 10) {
		return fmt.Errorf("request: temperature %g is not between 0 and 10", r.Temperature)
	}
	return nil
}

// A Generator makes new spectrograms. It is safe for concurrent use.
type Generator interface {
	// Generate answers r. The batch belongs to the caller.
	Generate(ctx context.Context, r Request) (Batch, error)
}

// An Autoencoder is a Generator with an encoder: it finds the latents of clips and makes clips from latents, for
// variations of a clip and for the way from one to another. Latents are [B, Latent], row-major.
type Autoencoder interface {
	Generator
	// Latent is the number of latent variables of a clip.
	Latent() int
	// Encode returns mean and log variance of the latents of the clips of x, [B, Latent] each. The labels of x count
	// only where the encoder looks at labels.
	Encode(ctx context.Context, x Batch) (mean, logVar []float32, err error)
	// Decode makes a clip from each label's latents. The batch belongs to the caller.
	Decode(ctx context.Context, latents []float32, labels []int) (Batch, error)
}

// A PartFreezer is a Learner whose networks have parts that can be frozen, such as an encoder: their weights stay as they are,
// byte for byte, while the others are trained.
type PartFreezer interface {
	// Freeze freezes parts, before the first Step. An error says which parts there are.
	Freeze(parts []string) error
}

// A Learner learns from batches. What a step involves is its own business: a VAE descends one loss, a GAN updates
// its two players in turn. A Learner is used by one goroutine at a time.
type Learner interface {
	// SetTotalSteps announces how many steps there will be in all, for schedules that need to know (learning-rate decay,
	// warm-up). It may be called again, at any step; 0 means that the number is not known yet, and then a schedule
	// stays at its beginning.
	SetTotalSteps(steps int64)
	// Step learns from x and returns the losses before the update. It draws random numbers from rng alone.
	Step(ctx context.Context, x Batch, rng *rand.Rand) (Losses, error)
	// Eval returns the losses on x and changes nothing.
	Eval(ctx context.Context, x Batch) (Losses, error)
	// Calibrate estimates from the training data what generation needs beside the weights, such as the class priors
	// of a VAE. The Trainer calls it before it saves. Learning goes on the same with and without it.
	Calibrate(ctx context.Context, train Batch) error
	// Checkpoint returns everything that Restore needs to go on exactly from here: weights, optimiser state, and the
	// learner's own step counter as Step. The Trainer fills in the fields that are its own.
	Checkpoint() (Checkpoint, error)
	// Restore puts the learner into the state of c, which must come from a learner of the same configuration.
	Restore(c Checkpoint) error
}
