package eval

import (
	"context"
	"errors"
	"fmt"
	"slices"

	"wavemill/audio"
	"wavemill/models/eval/metric"
)

// A Sieve keeps generated clips that are worth having: not silent, heard as what they were asked to be, and no copies
// of training clips. It is safe for concurrent use.
type Sieve struct {
	classifier *Classifier
	train      [][]float64 // pictures of the training clips
	scale      float64     // usual distance between a training clip and the nearest other one
	least      float64     // confidence
	nearest    float64     // ratio of distances
}

// A Sifted is what a Sieve says of a clip.
type Sifted struct {
	OK         bool    `json:"ok"`
	Reason     string  `json:"reason,omitempty"` // why not: "silent", "heard as NAME", "unsure", "copy"
	Confidence float64 `json:"confidence"`       // probability of the label that was asked for
	// Newness is the distance to the nearest training clip, whose index is Nearest, in units of the usual distance
	// between a training clip and the nearest other one: about 1 for fresh recordings, 0 for copies.
	Newness float64 `json:"newness"`
	Nearest int     `json:"-"`
}

// NewSieve returns a sieve by a classifier and the real clips that the generator was trained on, at least two.
// confidence is the least probability of the label asked for; 0 means 0.5, more likely than all other labels together.
func NewSieve(ctx context.Context, c *Classifier, train []audio.Clip, confidence float64) (*Sieve, error) {
	if !(confidence >= 0 && confidence < 1) {
		return nil, fmt.Errorf("eval: a confidence of %g is not between 0 and 1", confidence)
	}
	if confidence == 0 {
		confidence = 0.5
	}
	known, err := analyze(ctx, c.model.front, train)
	if err != nil {
		return nil, err
	}
	s := &Sieve{classifier: c, train: pictures(known), least: confidence}
	distances, err := metric.Spacing(s.train)
	if err != nil {
		return nil, err
	}
	slices.Sort(distances)
	s.scale = distances[len(distances)/2]
	if s.scale == 0 {
		return nil, errors.New("eval: most training clips equal another: the data holds duplicates")
	}
	s.nearest = min(metric.MemorisationAlarm, metric.MemorisationMargin*distances[len(distances)/20]/s.scale)
	return s, nil
}

// Sift looks at clips whose Label is what was asked for.
func (s *Sieve) Sift(ctx context.Context, clips []audio.Clip) ([]Sifted, error) {
	if len(clips) == 0 {
		return nil, nil
	}
	m := s.classifier.model
	b, err := analyze(ctx, m.front, clips)
	if err != nil {
		return nil, err
	}
	answers, err := m.answers(ctx, b)
	if err != nil {
		return nil, err
	}
	p := m.prediction(answers)
	nearest, distances, err := metric.Nearest(pictures(b), s.train)
	if err != nil {
		return nil, err
	}
	out := make([]Sifted, len(clips))
	for i, c := range clips {
		wanted, ok := slices.BinarySearch(s.classifier.labels, c.Label)
		if !ok {
			return nil, fmt.Errorf("eval: the classifier does not know the label %q", c.Label)
		}
		v := Sifted{Confidence: p.Probs[i][wanted], Newness: distances[i] / s.scale, Nearest: nearest[i]}
		heard, _ := p.Label(i)
		switch {
		case slices.Max(b.Clip(i)) <= silence:
			v.Reason = "silent"
		case heard != wanted:
			v.Reason = "heard as " + s.classifier.labels[heard]
		case v.Confidence < s.least:
			v.Reason = "unsure"
		case v.Newness < s.nearest:
			v.Reason = "copy"
		default:
			v.OK = true
		}
		out[i] = v
	}
	return out, nil
}
