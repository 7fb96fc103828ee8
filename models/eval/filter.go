package eval

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"slices"

	"wavemill/audio"
	"wavemill/models/eval/metric"
)

// A Filter keeps generated clips that are worth having: not silent, heard as what they were asked to be, no copies of
// training clips, and, where it has a Realness, taken for a recording by the generator's own discriminator. It is safe
// for concurrent use.
type Filter struct {
	classifier *Classifier
	train      [][]float64 // pictures of the training clips
	scale      float64     // usual distance between a training clip and the nearest other one
	usual      float64     // the ratio of distances below which a clip is a copy where nothing else is asked for
	limits     Limits
	realness   *DiscriminatorQuantile // nil: no discriminator is asked
}

// Limits say what passes a Sieve. 0 means the default of each, anything negative that everything passes.
type Limits struct {
	// Confidence is the least probability of the label asked for, which must also be the likeliest; 0 means 0.5.
	Confidence float64
	// Realness is the least share of recordings that the discriminator must think less real; 0 means 0.05.
	Realness float64
	// Newness is the least distance to the nearest training clip, as Sifted has it; 0 means 0.5, or 0.75 of what one
	// training clip in twenty has where these lie that close to each other.
	Newness float64
}

// A Condition is what a clip was asked to be: a label, or something between two.
type Condition struct {
	Label  string
	Other  string  // the other label, "" for none
	Weight float64 // of the other label, 0 to 1
}

// A FilterResult is what a Sieve says of a clip.
type FilterResult struct {
	OK         bool    `json:"ok"`
	Reason     string  `json:"reason,omitempty"` // why not: "silent", "heard as NAME", "unsure", "copy", "unreal"
	Confidence float64 `json:"confidence"`       // probability of the label that was asked for, of both where it was two
	// Newness is the distance to the nearest training clip, whose index is Nearest, in units of the usual distance
	// between a training clip and the nearest other one: about 1 for fresh recordings, 0 for copies.
	Newness float64 `json:"newness"`
	Nearest int     `json:"-"`
	// Realness is the share of recordings that the generator's discriminator thinks less real; nil where none is asked.
	Realness *float64 `json:"realness,omitempty"`
}

// Better says whether a is the better of two clips that did not pass: rather new than a copy, then rather heard.
func (a FilterResult) Better(b FilterResult) bool {
	rank := func(s FilterResult) int { return slices.Index([]string{"silent", "copy"}, s.Reason) }
	if x, y := rank(a), rank(b); (x < 0) != (y < 0) {
		return x < 0
	} else if x != y {
		return x > y // rather a copy than silence
	}
	return a.Confidence > b.Confidence
}

// NewFilter returns a sieve by a classifier and the real clips that the generator was trained on, at least two.
// confidence is that of its Limits.
func NewFilter(ctx context.Context, c *Classifier, train []audio.Clip, confidence float64) (*Filter, error) {
	if confidence < 0 {
		return nil, fmt.Errorf("eval: a confidence of %g is not between 0 and 1", confidence)
	}
	known, err := analyze(ctx, c.model.front, train)
	if err != nil {
		return nil, err
	}
	s := &Filter{classifier: c, train: pictures(known)}
	distances, err := metric.Spacing(s.train)
	if err != nil {
		return nil, err
	}
	slices.Sort(distances)
	s.scale = distances[len(distances)/2]
	if s.scale == 0 {
		return nil, errors.New("eval: most training clips equal another: the data holds duplicates")
	}
	s.usual = min(metric.MemorisationAlarm, metric.MemorisationMargin*distances[len(distances)/20]/s.scale)
	return s.Within(Limits{Confidence: confidence})
}

// A classifier refuses clips by ear where it is known to hear: right about Gate's share of the clips that it did not learn
// from, and these reliableClips or more. One that has learnt a dozen clips of each label refuses more good clips than bad,
// above all those that differ from the dozen.
const reliableClips = 50

// Reliable reports whether the classifier is known to hear well enough to refuse clips.
func (c *Classifier) Reliable() bool {
	return c.heldOut.Clips >= reliableClips && c.heldOut.Accuracy >= Gate
}

// WithReliableLabels returns a sieve that shares everything with s, but lets pass whatever its classifier hears where that is not
// Reliable.
func (s *Filter) WithReliableLabels() *Filter {
	if s.classifier.Reliable() {
		return s
	}
	t := *s
	t.limits.Confidence = -1
	return &t
}

// defaultRealness is that of Limits.
const defaultRealness = 0.05

// Within returns a sieve that shares everything with s but its limits.
func (s *Filter) Within(l Limits) (*Filter, error) {
	switch {
	case !(l.Confidence < 1):
		return nil, fmt.Errorf("eval: a confidence of %g is not between 0 and 1", l.Confidence)
	case !(l.Realness < 1):
		return nil, fmt.Errorf("eval: a realness of %g is not between 0 and 1", l.Realness)
	case !(l.Newness <= 10):
		return nil, fmt.Errorf("eval: a newness of %g is not between 0 and 10", l.Newness)
	}
	t := *s
	t.limits = Limits{cmp.Or(l.Confidence, 0.5), cmp.Or(l.Realness, defaultRealness), cmp.Or(l.Newness, s.usual)}
	return &t, nil
}

// WithDiscriminator returns a sieve that shares everything with s and also asks a discriminator.
func (s *Filter) WithDiscriminator(r *DiscriminatorQuantile) *Filter {
	t := *s
	t.realness = r
	return &t
}

// Classifier returns the sieve's.
func (s *Filter) Classifier() *Classifier { return s.classifier }

// Check looks at clips whose Label is what was asked for.
func (s *Filter) Check(ctx context.Context, clips []audio.Clip) ([]FilterResult, error) {
	wishes := make([]Condition, len(clips))
	for i, c := range clips {
		wishes[i].Label = c.Label
	}
	return s.CheckFor(ctx, clips, wishes)
}

// CheckFor looks at clips that were asked to be what the wish of each says. A clip between two labels must be heard as
// one of them, with the confidence in both together.
func (s *Filter) CheckFor(ctx context.Context, clips []audio.Clip, wishes []Condition) ([]FilterResult, error) {
	if len(clips) != len(wishes) {
		return nil, fmt.Errorf("eval: %d clips and %d wishes", len(clips), len(wishes))
	}
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
	out := make([]FilterResult, len(clips))
	for i, w := range wishes {
		v := FilterResult{Newness: distances[i] / s.scale, Nearest: nearest[i]}
		heard, _ := p.Label(i)
		right := false
		for _, label := range w.labels() {
			wanted, ok := slices.BinarySearch(s.classifier.labels, label)
			if !ok {
				return nil, fmt.Errorf("eval: the classifier does not know the label %q", label)
			}
			v.Confidence += p.Probs[i][wanted]
			right = right || wanted == heard
		}
		switch {
		case slices.Max(b.Clip(i)) <= silence:
			v.Reason = "silent"
		case !right && s.limits.Confidence >= 0:
			v.Reason = "heard as " + s.classifier.labels[heard]
		case v.Confidence < s.limits.Confidence:
			v.Reason = "unsure"
		case v.Newness < s.limits.Newness:
			v.Reason = "copy"
		default:
			v.OK = true
		}
		out[i] = v
	}
	return out, s.judgeRealness(ctx, clips, wishes, out)
}

// labels are the one or two labels of a wish.
func (w Condition) labels() []string {
	if w.Other == "" || w.Other == w.Label {
		return []string{w.Label}
	}
	return []string{w.Label, w.Other}
}

// judgeRealness asks the discriminator, if there is one, about the clips that are not silent.
func (s *Filter) judgeRealness(ctx context.Context, clips []audio.Clip, wishes []Condition, out []FilterResult) error {
	if s.realness == nil {
		return nil
	}
	shares, err := s.realness.Of(ctx, clips, wishes)
	if err != nil {
		return err
	}
	for i := range out {
		if out[i].Reason == "silent" {
			continue
		}
		out[i].Realness = &shares[i]
		if out[i].OK && shares[i] < s.limits.Realness {
			out[i].OK, out[i].Reason = false, "unreal"
		}
	}
	return nil
}
