package eval

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"

	"wavemill/audio"
	"wavemill/models/eval/metric"
)

// A Filter accepts generated clips that are not silent, are classified as the requested label, are no copies of training
// clips and, where it has a DiscriminatorQuantile, score like recordings with the generator's own discriminator. It is
// safe for concurrent use.
type Filter struct {
	classifier *Classifier
	train      [][]float64 // downsampled spectrograms of the training clips
	scale      float64     // usual distance between a training clip and the nearest other one
	usual      float64     // default of Limits.Newness
	limits     Limits
	realness   *DiscriminatorQuantile // nil: no discriminator is used
	rare       []string               // labels with fewer than rareClips training clips, sorted
	lenient    bool                   // clips of rare labels are not rejected for their label
}

// Limits say what a Filter accepts. 0 means the default of each, anything negative that everything passes.
type Limits struct {
	// Confidence is the least probability of the requested label, which must also be the likeliest; 0 means 0.5.
	Confidence float64
	// Realness is the least share of recordings whose discriminator score is lower than the clip's; 0 means 0.05.
	Realness float64
	// Newness is the least distance to the nearest training clip, as in FilterResult; 0 means 0.5, or 0.75 times the 5 %
	// quantile over training clips, whichever is less.
	Newness float64
}

// ExactLimits returns the limits in which each 0 of l is no limit instead of the default. A confidence or realness outside
// 0 to 1 and a newness outside 0 to 10 are errors, which begin with the name of the field in lower case.
func ExactLimits(l Limits) (Limits, error) {
	switch {
	case !(l.Confidence >= 0 && l.Confidence < 1):
		return Limits{}, fmt.Errorf("confidence %g is not between 0 and 1", l.Confidence)
	case !(l.Realness >= 0 && l.Realness < 1):
		return Limits{}, fmt.Errorf("realness %g is not between 0 and 1", l.Realness)
	case !(l.Newness >= 0 && l.Newness <= 10):
		return Limits{}, fmt.Errorf("newness %g is not between 0 and 10", l.Newness)
	}
	return Limits{cmp.Or(l.Confidence, -1), cmp.Or(l.Realness, -1), cmp.Or(l.Newness, -1)}, nil
}

// A Condition is what a clip was generated for: a label, or a mixture of two.
type Condition struct {
	Label  string
	Other  string  // the other label, "" for none
	Weight float64 // of the other label, 0 to 1
}

// A FilterResult says whether a Filter accepts a clip, and why not.
type FilterResult struct {
	OK         bool    `json:"ok"`
	Reason     string  `json:"reason,omitempty"` // why not: "silent", "heard as NAME", "unsure", "copy", "unreal"
	Confidence float64 `json:"confidence"`       // probability of the requested label, of a mixture that of both together
	// Newness is the distance to the nearest training clip, whose index is Nearest, in units of the usual distance
	// between a training clip and the nearest other one: about 1 for fresh recordings, 0 for copies.
	Newness float64 `json:"newness"`
	Nearest int     `json:"-"`
	// Realness is the share of recordings whose discriminator score is lower than the clip's; nil without a discriminator.
	Realness *float64 `json:"realness,omitempty"`
}

// Better reports whether a is the better of two rejected clips: a new clip is better than a copy, a copy better than
// silence, and of two alike that with the higher confidence is better.
func (a FilterResult) Better(b FilterResult) bool {
	rank := func(s FilterResult) int { return slices.Index([]string{"silent", "copy"}, s.Reason) }
	if x, y := rank(a), rank(b); (x < 0) != (y < 0) {
		return x < 0
	} else if x != y {
		return x > y // a copy is better than silence
	}
	return a.Confidence > b.Confidence
}

// NewFilter returns a filter by a classifier and the real clips that the generator was trained on, at least two
// different ones; duplicates among them do not count. confidence is that of its Limits.
func NewFilter(ctx context.Context, c *Classifier, train []audio.Clip, confidence float64) (*Filter, error) {
	if confidence < 0 {
		return nil, fmt.Errorf("eval: a confidence of %g is not between 0 and 1", confidence)
	}
	known, err := classifierInput(ctx, c.model.front, train)
	if err != nil {
		return nil, err
	}
	s := &Filter{classifier: c, train: downsampled(known), rare: rareLabels(c.labels, train)}
	distances, err := metric.SpacingOfDifferent(s.train)
	if err != nil {
		return nil, err
	}
	if len(distances) == 0 {
		return nil, errors.New("eval: all training clips equal each other: newness cannot be measured; give different recordings")
	}
	slices.Sort(distances)
	s.scale = distances[len(distances)/2]
	s.usual = metric.CopyLimit(distances[len(distances)/20] / s.scale)
	return s.Within(Limits{Confidence: confidence})
}

// reliableClips is the number of held-out clips from which on a classifier's accuracy counts: label rejection requires
// held-out accuracy >= Gate on >= reliableClips clips. A classifier trained on a dozen clips of each label rejects more
// good clips than bad ones, above all those that differ from the dozen.
const reliableClips = 50

// Reliable reports whether the classifier is accurate enough to reject clips: held-out accuracy of at least Gate on at
// least 50 clips.
func (c *Classifier) Reliable() bool {
	return c.heldOut.Clips >= reliableClips && c.heldOut.Accuracy >= Gate
}

// Unreliable says why the classifier is not Reliable; "" where it is.
func (c *Classifier) Unreliable() string {
	switch h := c.heldOut; {
	case h.Clips < reliableClips:
		return fmt.Sprintf("it was tested on %d other recordings, and its accuracy counts from %d on", h.Clips, reliableClips)
	case h.Accuracy < Gate:
		return fmt.Sprintf("its accuracy on %d other recordings is %.1f %%, and %.0f %% are needed", h.Clips, 100*h.Accuracy, 100*Gate)
	}
	return ""
}

// rareClips is the number of training clips of a label from which on the classifier may reject clips for it. Of a new digit
// with five recordings beside nine digits with 270 each, it recognises 24 to 59 % of the other recordings.
const rareClips = 20

// rareLabels returns the labels that have fewer than rareClips of the clips.
func rareLabels(labels []string, clips []audio.Clip) []string {
	counts := map[string]int{}
	for _, c := range clips {
		counts[c.Label]++
	}
	var rare []string
	for _, l := range labels {
		if counts[l] < rareClips {
			rare = append(rare, l)
		}
	}
	return rare
}

// WithReliableLabels returns a filter that shares everything with s, but rejects no clip for its label or confidence where
// the classifier is not Reliable, or where the label has fewer than 20 training clips.
func (s *Filter) WithReliableLabels() *Filter {
	t := *s
	t.lenient = true
	if !s.classifier.Reliable() {
		t.limits.Confidence = -1
	}
	return &t
}

// Rare returns the labels, sorted, for which a filter made by WithReliableLabels rejects no clips, because they have fewer
// than 20 training clips. The caller must not change them.
func (s *Filter) Rare() []string { return s.rare }

// rejects reports whether clips of a condition are rejected for their label.
func (s *Filter) rejects(w Condition) bool {
	if s.limits.Confidence < 0 {
		return false
	}
	return !s.lenient || !slices.ContainsFunc(w.labels(), func(l string) bool { return slices.Contains(s.rare, l) })
}

// defaultRealness is that of Limits.
const defaultRealness = 0.05

// Within returns a filter that shares everything with s but its limits.
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

// For returns a filter that shares everything with s, for clips of the given labels: it has the limits and, where it is
// not nil, the discriminator. A label that the classifier does not know is an error.
func (s *Filter) For(labels []string, l Limits, r *DiscriminatorQuantile) (*Filter, error) {
	known := s.classifier.Labels()
	for _, label := range labels {
		if !slices.Contains(known, label) {
			return nil, fmt.Errorf("the filter does not know the label %q; it knows %s", label, strings.Join(known, ", "))
		}
	}
	t, err := s.Within(l)
	if err != nil || r == nil {
		return t, err
	}
	return t.WithDiscriminator(r), nil
}

// WithDiscriminator returns a filter that shares everything with s and also uses a discriminator.
func (s *Filter) WithDiscriminator(r *DiscriminatorQuantile) *Filter {
	t := *s
	t.realness = r
	return &t
}

// Classifier returns the filter's.
func (s *Filter) Classifier() *Classifier { return s.classifier }

// Check checks clips whose Label is the requested one.
func (s *Filter) Check(ctx context.Context, clips []audio.Clip) ([]FilterResult, error) {
	conditions := make([]Condition, len(clips))
	for i, c := range clips {
		conditions[i].Label = c.Label
	}
	return s.CheckFor(ctx, clips, conditions)
}

// CheckFor checks clips against the condition of each. A mixture of two labels must be classified as one of them, and
// its confidence is that of both together.
func (s *Filter) CheckFor(ctx context.Context, clips []audio.Clip, conditions []Condition) ([]FilterResult, error) {
	if len(clips) != len(conditions) {
		return nil, fmt.Errorf("eval: %d clips and %d conditions", len(clips), len(conditions))
	}
	if len(clips) == 0 {
		return nil, nil
	}
	m := s.classifier.model
	b, err := classifierInput(ctx, m.front, clips)
	if err != nil {
		return nil, err
	}
	outputs, err := m.outputs(ctx, b)
	if err != nil {
		return nil, err
	}
	p := m.prediction(outputs)
	nearest, distances, err := metric.Nearest(downsampled(b), s.train)
	if err != nil {
		return nil, err
	}
	out := make([]FilterResult, len(clips))
	for i, w := range conditions {
		v := FilterResult{Newness: distances[i] / s.scale, Nearest: nearest[i]}
		likeliest, _ := p.Label(i)
		right := false
		for _, label := range w.labels() {
			wanted, ok := slices.BinarySearch(s.classifier.labels, label)
			if !ok {
				return nil, fmt.Errorf("eval: the classifier does not know the label %q", label)
			}
			v.Confidence += p.Probs[i][wanted]
			right = right || wanted == likeliest
		}
		switch {
		case slices.Max(b.Clip(i)) <= silence:
			v.Reason = "silent"
		case !right && s.rejects(w):
			v.Reason = "heard as " + s.classifier.labels[likeliest]
		case v.Confidence < s.limits.Confidence && s.rejects(w):
			v.Reason = "unsure"
		case v.Newness < s.limits.Newness:
			v.Reason = "copy"
		default:
			v.OK = true
		}
		out[i] = v
	}
	return out, s.checkRealness(ctx, clips, conditions, out)
}

// labels are the one or two labels of a condition.
func (w Condition) labels() []string {
	if w.Other == "" || w.Other == w.Label {
		return []string{w.Label}
	}
	return []string{w.Label, w.Other}
}

// checkRealness scores the clips that are not silent with the discriminator, if there is one.
func (s *Filter) checkRealness(ctx context.Context, clips []audio.Clip, conditions []Condition, out []FilterResult) error {
	if s.realness == nil {
		return nil
	}
	shares, err := s.realness.Of(ctx, clips, conditions)
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
