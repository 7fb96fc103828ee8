package gan

import (
	"math/rand/v2"

	"wavemill/models"
	"wavemill/models/nn"
)

// A Pair is the input of a discriminator's loss: recordings and as many generated clips of the same labels, each augmented
// on its own. It holds memory that is used again; the zero value is usable by one goroutine at a time.
type Pair struct {
	real, fake Draw
	labels     []int
}

// AddPair adds the inputs of a Pair of batch clips each: the augmented clips [2 batch, T, F, 1], recordings first, and
// their labels [2 batch].
func AddPair(n *nn.Graph, a Augment, batch, frames, bins int) (clips, labels *nn.Tensor) {
	real := a.Apply(n, inReal, n.Input(inReal, batch, frames, bins, 1))
	fake := a.Apply(n, inFake, n.Input(inFake, batch, frames, bins, 1))
	return n.Stack(real, fake), n.Input(inLabels, 2*batch)
}

// Feeds draws augmentations and returns the inputs for recordings x and clips generated for their labels.
func (p *Pair) Feeds(a Augment, x models.Batch, fakes []float32, rng *rand.Rand) []nn.Feed {
	a.Draw(&p.real, rng, x.B, x.T, x.F)
	a.Draw(&p.fake, rng, x.B, x.T, x.F)
	p.labels = append(append(p.labels[:0], x.Labels...), x.Labels...)
	feeds := append(p.real.Feeds(inReal), p.fake.Feeds(inFake)...)
	return append(feeds, nn.Values(inReal, x.Data), nn.Values(inFake, fakes), nn.Labels(inLabels, p.labels))
}
