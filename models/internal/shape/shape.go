// Package shape holds the size of the spectrograms that a model is built for, and checks inputs against it.
package shape

import (
	"context"
	"errors"
	"fmt"

	"wavemill/models"
	"wavemill/models/nn"
)

// A Shape is what the networks of a model are built for.
type Shape struct {
	Frames, Bins, Labels int
	// Sets are the labels of each label that is a set of them; nil where labels are no sets.
	Sets *nn.Sets
}

// multiple is what frames and bins must be multiples of: four convolutions of stride 2 halve them four times.
const multiple = 16

// Of returns the shape for a front end and labels. Frames and bins must be multiples of 16.
func Of(fe models.FrontEnd, labels []string) (Shape, error) {
	s := Shape{Frames: fe.Frames, Bins: fe.Spectrogram.Bins(), Labels: len(labels)}
	if s.Frames < multiple || s.Bins < multiple || s.Frames%multiple != 0 || s.Bins%multiple != 0 {
		return s, fmt.Errorf("spectrograms of %d frames by %d bins: both must be multiples of %d", s.Frames, s.Bins, multiple)
	}
	if s.Labels < 1 {
		return s, errors.New("no labels")
	}
	return s, nil
}

// Size returns the number of values of a clip.
func (s Shape) Size() int { return s.Frames * s.Bins }

// Check returns the error of ctx, or the first way in which x does not fit.
func (s Shape) Check(ctx context.Context, x models.Batch) error {
	if err := ctx.Err(); err != nil {
		return err
	}
	if err := x.Validate(s.Labels); err != nil {
		return err
	}
	return s.CheckClips(x)
}

// CheckClips is Check without the labels, for networks that do not use them.
func (s Shape) CheckClips(x models.Batch) error {
	if x.T != s.Frames || x.F != s.Bins {
		return fmt.Errorf("clips of [%d, %d]; the model is for [%d, %d]", x.T, x.F, s.Frames, s.Bins)
	}
	if len(x.Data) != x.B*s.Size() {
		return fmt.Errorf("%d values for %d clips of [%d, %d]", len(x.Data), x.B, x.T, x.F)
	}
	return nil
}

// Batch returns an empty batch for clips of these labels, with room for their values. It keeps labels.
func (s Shape) Batch(labels []int) models.Batch {
	return models.Batch{B: len(labels), T: s.Frames, F: s.Bins, Labels: labels, Data: make([]float32, 0, len(labels)*s.Size())}
}
