package eval

import (
	"context"
	"errors"
	"fmt"
	"hash/fnv"
	"maps"
	"math/rand/v2"
	"slices"

	"wavemill/audio"
	"wavemill/models"
	"wavemill/models/frontend"
)

// A set is labelled clips as the classifier sees them.
type set struct {
	labels         []string
	front          *frontend.FrontEnd
	train, heldOut models.Batch
}

// defaultHoldout is the share of clips held out where Options does not say.
const defaultHoldout = 0.1

// newSet analyzes clips and splits them.
func newSet(ctx context.Context, clips []audio.Clip, o Options) (*set, error) {
	byLabel := map[string][]int{}
	for i, c := range clips {
		if c.Label == "" {
			return nil, fmt.Errorf("eval: clip %d (%s) has no label", i, c.Source)
		}
		byLabel[c.Label] = append(byLabel[c.Label], i)
	}
	if len(byLabel) < 2 {
		return nil, errors.New("eval: a classifier needs clips of two labels or more")
	}
	front, err := frontend.New(plan(clips))
	if err != nil {
		return nil, err
	}
	s := &set{labels: slices.Sorted(maps.Keys(byLabel)), front: front}
	share := o.Holdout
	if share == 0 {
		share = defaultHoldout
	}
	if !(share > 0 && share < 1) {
		return nil, fmt.Errorf("eval: a held-out share of %g is not between 0 and 1", share)
	}
	all, err := analyze(ctx, front, clips)
	if err != nil {
		return nil, err
	}
	var train, held []int
	for k, label := range s.labels {
		of := byLabel[label]
		for _, i := range of {
			all.Labels[i] = k
		}
		h := fnv.New64a()
		h.Write([]byte(label))
		rng := rand.New(rand.NewPCG(o.Seed, h.Sum64()))
		rng.Shuffle(len(of), func(i, j int) { of[i], of[j] = of[j], of[i] })
		n := min(max(int(share*float64(len(of))+0.5), 1), len(of)-1)
		held = append(held, of[:n]...)
		train = append(train, of[n:]...)
	}
	slices.Sort(held)
	slices.Sort(train)
	s.train, s.heldOut = all.Select(models.Batch{}, train), all.Select(models.Batch{}, held)
	return s, nil
}

// plan is the classifier's front end for clips: that of the generators, in 32 to 64 frames.
func plan(clips []audio.Clip) models.FrontEnd {
	fe := frontend.PlanFor(clips)
	for fe.Frames > 64 {
		fe.Frames = (fe.Frames + 1) / 2
		fe.Spectrogram.NFFT *= 2
		fe.Spectrogram.Hop *= 2
	}
	return fe
}
