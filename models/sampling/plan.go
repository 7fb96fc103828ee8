package sampling

import (
	"errors"
	"fmt"
)

// A Plan says which clips to generate: new clips of labels, variations of given clips or, with Mix or Interpolate, clips
// between two endpoints, each a label or a given clip. The zero values are those of a request that does not mention the
// field.
//
// Errors of its methods begin with the name of the field that is wrong, in lower case.
type Plan struct {
	Labels      []string // labels of the model, lists of them with commas, or AllLabels, see SelectLabels
	Likes       []string // files of given clips
	Temperature *float64 // see Temperature
	Steps       int      // of a models.Stepper; 0: the model's own number
	Strength    *float64 // of variations, 0 to 1; nil: DefaultStrength
	Mix         *float64 // position between the endpoints, 0 to 1
	Interpolate *int     // number of equally spaced positions, both endpoints included
	Duration    *float64 // seconds, see Shape; nil: the clip's own length
	Loop        bool     // see Shape
	Pitch       *float64 // Hz, see Shape; nil: the clip's own
	NoteName    string   // the same as a note, see ParseNote
}

// Shape returns the shape of the clips.
func (p Plan) Shape() (Shape, error) {
	s := Shape{Loop: p.Loop}
	if p.Duration != nil {
		if s.Duration = *p.Duration; s.Duration == 0 {
			return s, errors.New("duration 0 s is no clip")
		}
	}
	switch {
	case p.Pitch != nil && p.NoteName != "":
		return s, errors.New("pitch and note contradict each other: use one of them")
	case p.Pitch != nil && *p.Pitch == 0:
		return s, errors.New("pitch 0 Hz is none")
	case p.Pitch != nil:
		s.Pitch = *p.Pitch
	case p.NoteName != "":
		var err error
		if s.Pitch, err = ParseNote(p.NoteName); err != nil {
			return s, err
		}
	}
	return s, s.Validate()
}

// MaxInterpolate is the greatest Plan.Interpolate: with far fewer clips already, neighbours sound the same.
const MaxInterpolate = 10000

// Interpolates reports whether the clips lie between two endpoints.
func (p Plan) Interpolates() bool { return p.Mix != nil || p.Interpolate != nil }

// Validate reports what is wrong with the plan for every model.
func (p Plan) Validate() error {
	if len(p.Labels) == 0 && len(p.Likes) == 0 {
		return errors.New("label is missing: a label of the model, or all; or a clip to vary")
	}
	if _, err := Temperature(p.Temperature); err != nil {
		return err
	}
	if _, err := p.Shape(); err != nil {
		return err
	}
	if p.Steps < 0 {
		return fmt.Errorf("steps %d is not the number of steps of a model", p.Steps)
	}
	if p.Strength != nil {
		switch s := *p.Strength; {
		case !(s >= 0 && s <= 1):
			return fmt.Errorf("strength %g is not between 0 (the given clip) and 1 (a new clip)", s)
		case len(p.Likes) == 0:
			return errors.New("strength applies to variations of a given clip, and there is none")
		case p.Interpolates():
			return errors.New("strength applies to variations of a clip, not to clips between two endpoints")
		}
	}
	return p.validatePosition()
}

// validatePosition checks the positions between endpoints.
func (p Plan) validatePosition() error {
	switch {
	case p.Mix != nil && p.Interpolate != nil:
		return errors.New("mix is one point between the endpoints, and interpolate is a series: use one of them")
	case p.Mix != nil && !(*p.Mix >= 0 && *p.Mix <= 1):
		return fmt.Errorf("mix %g is not between 0 (the first) and 1 (the second)", *p.Mix)
	case p.Interpolate != nil && (*p.Interpolate < 2 || *p.Interpolate > MaxInterpolate):
		return fmt.Errorf("interpolate %d: ask for 2 to %d clips; the endpoints are two of them", *p.Interpolate, MaxInterpolate)
	case p.Interpolates() && len(p.Likes) > 2:
		return fmt.Errorf("like names %d clips, and an interpolation has two endpoints", len(p.Likes))
	}
	return nil
}

// Select returns the labels that the plan asks of a model with the given ones, and checks that their number suits the
// rest of the plan. An unknown label is a [LabelError].
func (p Plan) Select(known []string) ([]string, error) {
	labels, err := SelectLabels(p.Labels, known)
	if err != nil {
		return nil, fmt.Errorf("label: %w", err)
	}
	n := len(labels)
	switch {
	case p.Interpolates() && len(p.Likes) == 0 && n != 2:
		return nil, fmt.Errorf("label names %d labels: an interpolation has two endpoints; name two, such as three,seven", n)
	case p.Interpolates() && len(p.Likes) == 1 && n != 2:
		return nil, fmt.Errorf("label names %d labels: with one given clip, an interpolation needs two, the label of the clip and the one to go to; or two clips", n)
	case len(p.Likes) == 1 && n == 2 && !p.Interpolates():
		return nil, errors.New("label names 2 labels for one given clip: name one; or go from the clip to the other label with mix or interpolate")
	case len(p.Likes) > 0 && n > 1 && n != max(len(p.Likes), 2):
		return nil, fmt.Errorf("label names %d labels for %d given clips: name one for all, or one for each", n, len(p.Likes))
	}
	return labels, nil
}

// Kinds returns the kinds of clips that the plan asks for, with the labels of Select and the clips of Likes.
// Two kinds whose files would have the same names are an error.
func (p Plan) Kinds(labels []string, likes []Reference) ([]Kind, error) {
	temperature, err := Temperature(p.Temperature)
	if err != nil {
		return nil, err
	}
	var kinds []Kind
	switch {
	case p.Interpolates():
		var weights []float64
		if p.Mix != nil {
			weights = []float64{*p.Mix}
		} else {
			weights = Weights(*p.Interpolate)
		}
		from, to := endpoints(labels, likes)
		kinds = Interpolations(from, to, weights, temperature)
	case len(likes) > 0:
		strength := DefaultStrength
		if p.Strength != nil {
			strength = *p.Strength
		}
		kinds = Variations(likes, strength, temperature)
	default:
		kinds = Labels(labels, temperature)
	}
	shape, err := p.Shape()
	if err != nil {
		return nil, err
	}
	for i := range kinds {
		kinds[i].Steps, kinds[i].Shape = p.Steps, shape
		kinds[i].Stem += shape.suffix()
	}
	return kinds, checkNames(kinds)
}

// endpoints returns the two endpoints of an interpolation: the given clips, then labels.
func endpoints(labels []string, likes []Reference) (from, to Reference) {
	switch len(likes) {
	case 0:
		return Reference{Label: labels[0]}, Reference{Label: labels[1]}
	case 1:
		return likes[0], Reference{Label: labels[1]}
	}
	return likes[0], likes[1]
}

// Series returns the provenances of n clips of each kind, with the seeds first, first+1, ..., and the kind of each clip.
// The clips of an interpolation are ordered by seed, others by kind.
func (p Plan) Series(kinds []Kind, first uint64, n int) ([]Provenance, func(i int) Kind) {
	if p.Interpolates() {
		return BySeed(kinds, first, n), func(i int) Kind { return kinds[i%len(kinds)] }
	}
	ps := make([]Provenance, 0, n*len(kinds))
	for i := range kinds {
		ps = append(ps, BySeed(kinds[i:i+1], first, n)...)
	}
	return ps, func(i int) Kind { return kinds[i/n] }
}
