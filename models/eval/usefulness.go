package eval

import (
	"context"
	"math"
	"math/rand/v2"
	"slices"

	"wavemill/models"
)

// classifiers is how many are trained for the ratio of Usefulness. With one, the ratio of the same clips differs by about
// half a point from one seed of the classifier to the next, which is as much as good models differ by.
const classifiers = 3

// usefulness trains classifiers on generated and real clips and tests them on the held-out ones.
func (j *Evaluator) usefulness(ctx context.Context, name string, generated heard) (*Usefulness, error) {
	u := &Usefulness{}
	stages, stage := float64(classifiers+2*len(j.options.Shares)), 0.0
	tell := func() {
		j.options.OnProgress("training on "+name, stage/stages)
		stage++
	}
	alone := generated.batch
	if alone.B > j.train.batch.B {
		alone = alone.Select(models.Batch{}, firstOfEach(alone.Labels, j.train.batch.B, len(j.classifier.labels)))
	}
	for i := range uint64(classifiers) {
		tell()
		a, err := j.accuracy(ctx, j.learning(alone), i)
		if err != nil {
			return nil, err
		}
		u.Alone += a / classifiers
		if a, err = j.onReal(ctx, 1, i); err != nil {
			return nil, err
		}
		u.Real += a / classifiers
	}
	u.Ratio = ratio(u.Alone, u.Real)
	var err error
	for _, share := range j.options.Shares {
		tell()
		g := Gain{Share: share, Added: generated.batch.B}
		if g.Before, err = j.onReal(ctx, share, 0); err != nil {
			return nil, err
		}
		tell()
		part := j.share(share)
		g.RealClips = part.B
		if g.After, err = j.accuracy(ctx, j.learning(part).with(generated.batch), 0); err != nil {
			return nil, err
		}
		g.Points = 100 * (g.After - g.Before)
		u.Added = append(u.Added, g)
	}
	return u, nil
}

// onReal is the accuracy of the ith classifier trained on a share of the real training clips.
func (j *Evaluator) onReal(ctx context.Context, share float64, i uint64) (float64, error) {
	key := baseline{share, i}
	if a, ok := j.baselines[key]; ok {
		return a, nil
	}
	a, err := j.accuracy(ctx, j.learning(j.share(share)), i)
	if err != nil {
		return 0, err
	}
	j.baselines[key] = a
	return a, nil
}

// A baseline is a classifier that has learnt from real clips alone: a share of them, and its number.
type baseline struct {
	share      float64
	classifier uint64
}

// share returns that part of the real training clips, the same at every call: of each label the first of a shuffled
// order, at least one.
func (j *Evaluator) share(share float64) models.Batch {
	rng := rand.New(rand.NewPCG(j.options.Seed, 0x7368617265))
	order := rng.Perm(j.train.batch.B)
	total := j.train.counts(len(j.classifier.labels))
	taken := make([]int, len(total))
	var part []int
	for _, i := range order {
		l := j.train.batch.Labels[i]
		if taken[l] < max(1, int(math.Round(share*float64(total[l])))) {
			taken[l]++
			part = append(part, i)
		}
	}
	slices.Sort(part)
	return j.train.batch.Select(models.Batch{}, part)
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
func (j *Evaluator) learning(train models.Batch) *set {
	return &set{labels: j.classifier.labels, front: j.classifier.model.front, train: train, heldOut: j.heldOut.batch}
}

// accuracy is that of the ith classifier trained on a set. It is not the judge: its seed is another.
func (j *Evaluator) accuracy(ctx context.Context, s *set, i uint64) (float64, error) {
	return accuracy(ctx, s, j.options.Seed+1+i, j.options.Steps)
}
