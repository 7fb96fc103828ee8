package training

import (
	"context"
	"errors"
	"fmt"

	"wavemill/audio/dataset"
	"wavemill/models"
	"wavemill/models/architectures"
	"wavemill/models/eval"
)

// A FilterUse says how a filter is to check the clips of one model. Its methods return the filter.
type FilterUse struct {
	Model  FilterModel // that generates the clips
	Labels []string    // of the clips
	Limits eval.Limits
	// Realness says whether the discriminator of the model takes part.
	Realness RealnessUse
	// Note, when not nil, is given lines for a person.
	Note func(line string)
}

// RealnessUse says whether a discriminator takes part in a filter.
type RealnessUse uint8

// The uses of a discriminator.
const (
	RealnessIfThere  RealnessUse = iota // used where the model has one and the filter has its scores
	RealnessRequired                    // an error where it is missing
	RealnessOff                         // not used
)

// Open opens a filter that [FilterJob.Run] made and that was saved to a file.
func (u FilterUse) Open(path string) (*eval.Filter, error) {
	file, err := models.Read(path)
	if err != nil {
		return nil, err
	}
	filter, err := eval.OpenFilter(file)
	if err != nil {
		return nil, fmt.Errorf("%s: %w", path, err)
	}
	q, err := eval.OpenDiscriminatorQuantile(file, u.Model.Checkpoint)
	return u.limit(filter, q, err)
}

// Train trains a filter with the job on the recordings that read returns. A discriminator that is required and missing is
// an error before read is called.
func (u FilterUse) Train(ctx context.Context, j FilterJob, read func() ([]dataset.Recording, error)) (*eval.Filter, error) {
	if _, err := architectures.OpenDiscriminator(u.Model.Checkpoint); err != nil {
		if err := u.missing(err); err != nil {
			return nil, err
		}
	}
	recordings, err := read()
	if err != nil {
		return nil, err
	}
	j.Models = []FilterModel{u.Model}
	filter, err := j.Train(ctx, recordings)
	if err != nil {
		return nil, err
	}
	q, err := j.Score(ctx, u.Model.Checkpoint, recordings)
	return u.limit(filter, q, err)
}

// limit returns the filter with the limits and, where there is no error and it is to be used, the discriminator.
func (u FilterUse) limit(f *eval.Filter, q *eval.DiscriminatorQuantile, err error) (*eval.Filter, error) {
	if err := u.missing(err); err != nil {
		return nil, err
	}
	if err != nil || u.Realness == RealnessOff {
		q = nil
	}
	return f.For(u.Labels, u.Limits, q)
}

// missing returns nil where err says that the discriminator or its scores are missing and neither is required.
func (u FilterUse) missing(err error) error {
	notScored := errors.Is(err, eval.ErrNotScored)
	switch {
	case !notScored && !errors.Is(err, models.ErrNoDiscriminator):
		return err
	case u.Realness == RealnessRequired:
		return fmt.Errorf("--realness: %w", err)
	case notScored && u.Note != nil:
		u.Note(fmt.Sprintf("%v: clips are checked without it; \"wavemill judge --model %s\" adds it", err, u.Model.Name))
	}
	return nil
}
