package eval

import (
	"math/rand/v2"
	"slices"

	"wavemill/models"
)

// A feeder deals batches of augmented clips. Labels take turns, so that a rare one is learnt as well as a common one;
// within a label, every clip is used once before any is used again. Where generated clips outnumber the recordings of
// their label, each recording is in the deck as many times as it takes to be half of it or a little more: what is learnt
// from many clips of few recordings otherwise suits clips better than recordings (Ros et al., The SYNTHIA Dataset, 2016, mix
// synthetic and real pictures in a fixed ratio for it).
type feeder struct {
	data  models.Batch
	rng   *rand.Rand
	alter alteration
	mix   func(*rand.Rand) float64 // which part of two mixed examples is the first; nil: none are mixed
	decks [][]int                  // of each label, the clips not yet dealt
	all   [][]int                  // of each label, recordings as often as they are dealt
	turn  []int                    // labels not yet dealt in this round
	known []int                    // labels that have clips
}

// An alteration writes a changed copy of x [T, F] to dst.
type alteration func(dst, x []float32, frames, bins int, rng *rand.Rand)

// besides returns an alteration that leaves the last bins of every frame, a stereo image, as they are.
func (a alteration) besides(image int) alteration {
	if image == 0 {
		return a
	}
	return func(dst, x []float32, frames, bins int, rng *rand.Rand) {
		left := bins - image
		levels, altered := make([]float32, 0, frames*left), make([]float32, frames*left)
		for row := range slices.Chunk(x, bins) {
			levels = append(levels, row[:left]...)
		}
		a(altered, levels, frames, left, rng)
		copy(dst, x)
		for t := range frames {
			copy(dst[t*bins:], altered[t*left:(t+1)*left])
		}
	}
}

// newFeeder deals the clips of data, of which the first are recordings and the others generated.
func newFeeder(data models.Batch, recordings, labels int, alter alteration, rng *rand.Rand) *feeder {
	f := &feeder{data: data, rng: rng, alter: alter, decks: make([][]int, labels), all: make([][]int, labels)}
	recorded := make([]int, labels)
	for i, l := range data.Labels {
		f.all[l] = append(f.all[l], i)
		if i < recordings {
			recorded[l]++
		}
	}
	for l, of := range f.all {
		if n := recorded[l]; n > 0 {
			clips := len(of) - n
			of = append(slices.Repeat(of[:n], max(1, (clips+n-1)/n)), of[n:]...)
			f.all[l] = of
		}
		if len(of) > 0 {
			f.known = append(f.known, l)
		}
	}
	return f
}

// deal takes the last of a deck, which it first fills and shuffles when it is empty.
func (f *feeder) deal(deck *[]int, from []int) int {
	if len(*deck) == 0 {
		*deck = append(*deck, from...)
		f.rng.Shuffle(len(*deck), func(i, j int) { (*deck)[i], (*deck)[j] = (*deck)[j], (*deck)[i] })
	}
	last := len(*deck) - 1
	v := (*deck)[last]
	*deck = (*deck)[:last]
	return v
}

// next fills x [batchSize, T, F] and targets [batchSize, labels].
func (f *feeder) next(x, targets []float32) {
	size, labels := f.data.T*f.data.F, len(f.all)
	other := make([]float32, size)
	for i := range batchSize {
		clip, target := x[i*size:(i+1)*size], targets[i*labels:(i+1)*labels]
		for l := range target {
			target[l] = smoothing / float32(labels)
		}
		first, part := f.one(clip), 1.0
		if f.mix != nil {
			part = f.mix(f.rng)
		}
		if part < 1 {
			second := f.one(other)
			for j, v := range other {
				clip[j] = v + float32(part)*(clip[j]-v)
			}
			target[second] += (1 - smoothing) * float32(1-part)
		}
		target[first] += (1 - smoothing) * float32(part)
	}
}

// one deals an altered clip and returns its label.
func (f *feeder) one(dst []float32) int {
	label := f.deal(&f.turn, f.known)
	clip := f.deal(&f.decks[label], f.all[label])
	f.alter(dst, f.data.Clip(clip), f.data.T, f.data.F, f.rng)
	return label
}

// smoothing is the share of a target's probability that is spread over all labels.
//
// Source: Szegedy et al., Rethinking the Inception Architecture for Computer Vision, 2016.
const smoothing = 0.1
