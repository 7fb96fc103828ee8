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
	"wavemill/audio/spectrogram"
	"wavemill/models"
	"wavemill/models/frontend"
)

// A set is labelled clips as input of the classifier.
type set struct {
	labels         []string // sorted
	front          *frontend.FrontEnd
	train, heldOut models.Batch
	generated      int // how many of train, the last ones, are generated clips beside recordings
}

// defaultHoldout is the share of clips held out where Options does not say.
const defaultHoldout = 0.1

// newFront returns a set without clips: the labels and the front end of labelled clips.
func newFront(clips []audio.Clip) (*set, error) {
	seen := map[string]bool{}
	for i, c := range clips {
		if c.Label == "" {
			return nil, fmt.Errorf("eval: clip %d (%s) has no label", i, c.Source)
		}
		seen[c.Label] = true
	}
	if len(seen) < 2 {
		return nil, errors.New("eval: a classifier needs clips of two labels or more")
	}
	front, err := frontend.New(plan(clips))
	if err != nil {
		return nil, fmt.Errorf("eval: %w", err)
	}
	return &set{labels: slices.Sorted(maps.Keys(seen)), front: front}, nil
}

// batch analyzes labelled clips. The labels must be the set's.
func (s *set) batch(ctx context.Context, clips []audio.Clip) (models.Batch, error) {
	b, err := classifierInput(ctx, s.front, clips)
	if err != nil {
		return models.Batch{}, err
	}
	for i, c := range clips {
		l, ok := slices.BinarySearch(s.labels, c.Label)
		if !ok {
			return models.Batch{}, fmt.Errorf("eval: clip %d (%s) has the label %q, which the training clips lack", i, c.Source, c.Label)
		}
		b.Labels[i] = l
	}
	return b, nil
}

// newSet analyzes clips and holds some of each label out.
func newSet(ctx context.Context, clips []audio.Clip, o Options) (*set, error) {
	s, err := newFront(clips)
	if err != nil {
		return nil, err
	}
	share := o.Holdout
	if share == 0 {
		share = defaultHoldout
	}
	if !(share > 0 && share < 1) {
		return nil, fmt.Errorf("eval: a held-out share of %g is not between 0 and 1", share)
	}
	all, err := s.batch(ctx, clips)
	if err != nil {
		return nil, err
	}
	byLabel := make([][]int, len(s.labels))
	for i, l := range all.Labels {
		byLabel[l] = append(byLabel[l], i)
	}
	var train, held []int
	for l, of := range byLabel {
		h := fnv.New64a()
		h.Write([]byte(s.labels[l])) // never fails
		rng := rand.New(rand.NewPCG(o.Seed, h.Sum64()))
		rng.Shuffle(len(of), func(i, j int) { of[i], of[j] = of[j], of[i] })
		n := min(max(int(share*float64(len(of))+0.5), 1), len(of)-1) // one at least, but never the last
		held = append(held, of[:n]...)
		train = append(train, of[n:]...)
	}
	if len(held) == 0 {
		return nil, fmt.Errorf("eval: each of the %d labels has a single clip to train on: a classifier needs a label with two, one of them to validate on", len(s.labels))
	}
	slices.Sort(held)
	slices.Sort(train)
	s.train, s.heldOut = all.Select(models.Batch{}, train), all.Select(models.Batch{}, held)
	return s, nil
}

// The classifier's input.
const (
	maxFrames     = 64 // longer clips get longer hops, not more frames
	oneShotFrames = 96 // of the front end for one-shots, whose hop doubles after oneShotGrowth frames
	oneShotGrowth = 16
)

// plan is the classifier's front end for clips: that of the generators, in fewer frames.
func plan(clips []audio.Clip) models.FrontEnd {
	fe := frontend.PlanFor(clips)
	if c := &fe.Spectrogram; c.Scale == spectrogram.ScaleOneShot {
		long := c.Samples(fe.Frames)
		c.HopGrowth = oneShotGrowth
		fe.Frames = min((c.Frames(long)+15)/16*16, oneShotFrames)
		return fe
	}
	for fe.Frames > maxFrames {
		fe.Frames = (fe.Frames + 1) / 2
		fe.Spectrogram.NFFT *= 2
		fe.Spectrogram.Hop *= 2
	}
	return fe
}

// withoutMarks sets the marks of a batch to silence. Its stereo image stays: labels may differ by it alone.
func withoutMarks(b models.Batch, c spectrogram.Config) {
	for n := c.Marks(); n > 0; n-- {
		for at := b.F - c.Image() - n; at < len(b.Data); at += b.F {
			b.Data[at] = silence
		}
	}
}
