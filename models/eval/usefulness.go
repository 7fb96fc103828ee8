package eval

import (
	"context"
	"math"
	"math/rand/v2"
	"slices"

	"wavemill/models"
)

// Classifiers is how many classifiers are trained for each side of a comparison of what clips are worth. With one, the
// ratio of the same clips differs by about half a point from one seed of the classifier to the next, which is as much as
// good models differ by.
const Classifiers = 3

// classifiers is how many classifiers are trained for either side of the ratio of Usefulness.
func (o EvaluatorOptions) classifiers() int {
	if o.Quick {
		return 1
	}
	return Classifiers
}

// usefulness trains classifiers on generated and on real clips and tests them on the held-out ones.
func (e *Evaluator) usefulness(ctx context.Context, r *Row, generated embeddings) error {
	n := e.options.classifiers()
	u := &Usefulness{Quick: e.options.Quick, Added: []Gain{}}
	stages, stage := float64(n+len(e.options.Shares)*(1+3*n)), 0.0
	tell := func() {
		e.options.OnProgress("training classifiers on "+r.Name, stage/stages)
		stage++
	}
	alone := generated.batch
	if alone.B > e.train.batch.B {
		alone = alone.Select(models.Batch{}, firstOfEach(alone.Labels, e.train.batch.B, len(e.classifier.labels)))
	}
	var onSynthetic, onReal hitTable
	for i := range uint64(n) {
		tell()
		hits, err := e.testHits(ctx, e.learning(alone), i)
		if err != nil {
			return err
		}
		onSynthetic = append(onSynthetic, hits)
		if hits, err = e.onReal(ctx, i); err != nil {
			return err
		}
		onReal = append(onReal, hits)
	}
	seed := e.options.Seed
	a, b := onSynthetic.twoLevel(seed), onReal.twoLevel(seed)
	u.Alone, u.Real = a.value, b.value
	quotient := a.quotient(b)
	u.Ratio = quotient.value
	r.figures[FigureAlone], r.figures[FigureReal], r.figures[FigureRatio] = a, b, quotient
	u.Intervals = Intervals{"trained_on_synthetic": a.interval(), "trained_on_real": b.interval(), "ratio": quotient.interval()}
	u.Groups = e.groupsOfUsefulness(onSynthetic, onReal)
	for _, share := range e.options.Shares {
		g, err := e.gain(ctx, r, generated.blurred, share, tell)
		if err != nil {
			return err
		}
		u.Added = append(u.Added, g)
	}
	r.Usefulness = u
	return nil
}

// gain measures what generated clips add to a share of the real ones with tuned augmentation. Its classifiers are single
// networks: there are nine for each share.
func (e *Evaluator) gain(ctx context.Context, r *Row, generated models.Batch, share float64, tell func()) (Gain, error) {
	m := measure{
		members:      1,
		TunedOptions: TunedOptions{Seed: e.options.Seed + 1, Steps: e.options.gainSteps, Policies: e.options.Policies}, tell: tell,
	}
	for i := range uint64(e.options.classifiers()) {
		m.seeds = append(m.seeds, e.options.Seed+1+i)
	}
	s := *e.tuned
	s.train, s.heldOut = e.train.blurred.Select(models.Batch{}, e.share(share)), e.heldOut.blurred
	base, known := e.baselines[share]
	if !known {
		var err error
		if base, err = m.baseline(ctx, &s); err != nil {
			return Gain{}, err
		}
		e.baselines[share] = base
	}
	o, err := m.with(ctx, &s, base, generated)
	if err != nil {
		return Gain{}, err
	}
	g, d := o.gain(e.options.Seed, s.train.B, generated.B)
	g.Share = share
	r.figures[FigureGain(share)] = d
	return g, nil
}

// onReal are the hits of the ith classifier trained on the real training clips.
func (e *Evaluator) onReal(ctx context.Context, i uint64) ([]float64, error) {
	if hits, ok := e.onRecordings[i]; ok {
		return hits, nil
	}
	hits, err := e.testHits(ctx, e.learning(e.train.batch), i)
	if err == nil {
		e.onRecordings[i] = hits
	}
	return hits, err
}

// share returns the indices of that part of the real training clips, the same at every call: of each label the first of
// a shuffled order, at least one.
func (e *Evaluator) share(share float64) []int {
	rng := rand.New(rand.NewPCG(e.options.Seed, 0x7368617265))
	order := rng.Perm(e.train.batch.B)
	total := e.train.counts(len(e.classifier.labels))
	taken := make([]int, len(total))
	var part []int
	for _, i := range order {
		l := e.train.batch.Labels[i]
		if taken[l] < max(1, int(math.Round(share*float64(total[l])))) {
			taken[l]++
			part = append(part, i)
		}
	}
	slices.Sort(part)
	return part
}

// firstOfEach returns the indices of n clips, as evenly over the labels as there are, in order.
func firstOfEach(labels []int, n, k int) []int {
	byLabel := make([][]int, k)
	for i, l := range labels {
		byLabel[l] = append(byLabel[l], i)
	}
	var out []int
	for round := 0; len(out) < n; round++ {
		for _, of := range byLabel {
			if round < len(of) && len(out) < n {
				out = append(out, of[round])
			}
		}
	}
	slices.Sort(out)
	return out
}

// join appends the clips of two batches of one shape.
func join(a, b models.Batch) models.Batch {
	return models.Batch{B: a.B + b.B, T: a.T, F: a.F, Data: slices.Concat(a.Data, b.Data), Labels: slices.Concat(a.Labels, b.Labels)}
}

// learning is a set of clips to train on and the held-out real ones to test on.
func (e *Evaluator) learning(train models.Batch) *set {
	return &set{labels: e.classifier.labels, front: e.classifier.model.front, train: train, heldOut: e.heldOut.batch}
}

// testHits are the hits of the ith classifier trained on a set. It is not the evaluator's own: its seed is another.
func (e *Evaluator) testHits(ctx context.Context, s *set, i uint64) ([]float64, error) {
	return plainRecipe(Options{Seed: e.options.Seed + 1 + i}, 1, e.options.Steps).testHits(ctx, s)
}
