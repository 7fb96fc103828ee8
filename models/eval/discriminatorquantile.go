package eval

import (
	"context"
	"fmt"
	"math"
	"slices"
	"sort"

	"wavemill/audio"
	"wavemill/internal/stats"
	"wavemill/models"
	"wavemill/models/architectures"
	"wavemill/models/frontend"
)

// A DiscriminatorQuantile scores clips with the discriminator that a generator was trained against: the share of
// recordings of the label with a lower score, called realness. Raw scores have no scale of their own. Recordings go
// through the front end and back before they are scored, because generated clips come from a WAV file too. It is safe for
// concurrent use.
type DiscriminatorQuantile struct {
	discriminator models.Discriminator
	front         *frontend.FrontEnd
	labels        []string
	scores        scores
}

// scores are quantiles of the scores of recordings, in ascending order: of each label, and of all labels together.
type scores struct {
	digest string      // of the checkpoint
	values [][]float64 // [labels + 1][scoreQuantiles]
}

const (
	scoreQuantiles = 101
	fewScores      = 20  // of one label: too few for quantiles of its own
	scoredClips    = 512 // recordings that are scored at most, about
)

// NewDiscriminatorQuantile scores real clips with the discriminator of a checkpoint, if possible clips that it was not
// trained on; at least two. A checkpoint without a discriminator is models.ErrNoDiscriminator. Labels of the clips that
// the checkpoint does not know are an error. The seed is that of the phases.
func NewDiscriminatorQuantile(ctx context.Context, cp models.Checkpoint, real []audio.Clip, seed uint64) (*DiscriminatorQuantile, error) {
	r, err := openDiscriminator(cp)
	if err != nil {
		return nil, err
	}
	if len(real) < 2 {
		return nil, fmt.Errorf("eval: %d recordings: a distribution of discriminator scores needs two or more", len(real))
	}
	real = evenly(real, scoredClips)
	rebuilt, err := RoundTrip(ctx, cp.FrontEnd, real, seed)
	if err != nil {
		return nil, err
	}
	conditions := make([]Condition, len(real))
	for i, c := range real {
		conditions[i].Label = c.Label
	}
	values, err := r.score(ctx, rebuilt, conditions)
	if err != nil {
		return nil, err
	}
	byLabel := make([][]float64, len(r.labels))
	for i, c := range real {
		l := slices.Index(r.labels, c.Label)
		byLabel[l] = append(byLabel[l], values[i])
	}
	all := quantiles(values)
	for _, of := range byLabel {
		if len(of) < fewScores {
			r.scores.values = append(r.scores.values, all)
		} else {
			r.scores.values = append(r.scores.values, quantiles(of))
		}
	}
	r.scores.values = append(r.scores.values, all)
	return r, nil
}

// openDiscriminator is NewDiscriminatorQuantile without recordings.
func openDiscriminator(cp models.Checkpoint) (*DiscriminatorQuantile, error) {
	d, err := architectures.OpenDiscriminator(cp)
	if err != nil {
		return nil, err
	}
	front, err := frontend.New(cp.FrontEnd)
	if err != nil {
		return nil, err
	}
	digest, err := cp.Digest()
	if err != nil {
		return nil, err
	}
	return &DiscriminatorQuantile{discriminator: d, front: front, labels: slices.Clone(cp.Labels), scores: scores{digest: digest}}, nil
}

// Digest names the checkpoint of the discriminator.
func (r *DiscriminatorQuantile) Digest() string { return r.scores.digest }

// Of returns the realness of clips under the condition of each. For a mixture of two labels the scores under both count
// by weight, as the projection of a blended label would.
func (r *DiscriminatorQuantile) Of(ctx context.Context, clips []audio.Clip, conditions []Condition) ([]float64, error) {
	values, err := r.score(ctx, clips, conditions)
	if err != nil {
		return nil, err
	}
	for i, w := range conditions {
		known := r.scores.values[slices.Index(r.labels, w.Label)]
		if w.Other != "" {
			other := r.scores.values[slices.Index(r.labels, w.Other)]
			mixed := make([]float64, len(known))
			for j := range mixed {
				mixed[j] = (1-w.Weight)*known[j] + w.Weight*other[j]
			}
			known = mixed
		}
		values[i] = share(known, values[i])
	}
	return values, nil
}

// score returns the discriminator's scores.
func (r *DiscriminatorQuantile) score(ctx context.Context, clips []audio.Clip, conditions []Condition) ([]float64, error) {
	b, err := analyze(ctx, r.front, clips)
	if err != nil {
		return nil, err
	}
	under := func(label func(Condition) string) ([]float64, error) {
		for i, w := range conditions {
			if b.Labels[i] = slices.Index(r.labels, label(w)); b.Labels[i] < 0 {
				return nil, fmt.Errorf("eval: the discriminator does not know the label %q", label(w))
			}
		}
		return r.discriminator.Score(ctx, b)
	}
	values, err := under(func(w Condition) string { return w.Label })
	if err != nil || !slices.ContainsFunc(conditions, func(w Condition) bool { return w.Other != "" }) {
		return values, err
	}
	others, err := under(func(w Condition) string {
		if w.Other == "" {
			return w.Label
		}
		return w.Other
	})
	if err != nil {
		return nil, err
	}
	for i, w := range conditions {
		if w.Other != "" {
			values[i] = (1-w.Weight)*values[i] + w.Weight*others[i]
		}
	}
	return values, nil
}

// evenly returns about limit of the clips, as many of each label, those of a label spread over what there is.
func evenly(clips []audio.Clip, limit int) []audio.Clip {
	count := map[string]int{}
	for _, c := range clips {
		count[c.Label]++
	}
	each := max(fewScores, limit/max(1, len(count)))
	seen := map[string]int{}
	var out []audio.Clip
	for _, c := range clips {
		n, at := count[c.Label], seen[c.Label]
		seen[c.Label]++
		// Of n clips the one is taken at which at·each/n rises.
		if n <= each || at*each/n != (at+1)*each/n {
			out = append(out, c)
		}
	}
	return out
}

// quantiles returns scoreQuantiles of them, from the least to the greatest.
func quantiles(x []float64) []float64 {
	p := make([]float64, scoreQuantiles)
	for i := range p {
		p[i] = float64(i) / (scoreQuantiles - 1)
	}
	q := stats.Quantiles(x, p...)
	for i, v := range q {
		// As a file keeps them, so that a filter from a file gives the same result.
		q[i] = float64(float32(v))
	}
	return q
}

// share returns which share of a distribution with these quantiles lies below v.
func share(quantiles []float64, v float64) float64 {
	last := len(quantiles) - 1
	at := sort.SearchFloat64s(quantiles, v)
	switch {
	case at == 0:
		return 0
	case at > last:
		return 1
	}
	lo, hi := quantiles[at-1], quantiles[at]
	part := 0.0
	if hi > lo {
		part = (v - lo) / (hi - lo)
	}
	return math.Min(1, (float64(at-1)+part)/float64(last))
}
