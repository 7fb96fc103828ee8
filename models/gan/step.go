package gan

import (
	"math/rand/v2"
	"slices"

	"wavemill/models"
	"wavemill/models/nn"
)

// assignModes assigns the clips of a step to their modes.
func (l *Learner) assignModes(x models.Batch) {
	if l.modes != nil {
		l.modesOf = l.modes.of(l.modesOf[:0], x)
		l.modesOf = append(l.modesOf, l.modesOf...)
	}
}

// withModes adds the modes of the clips of this step to feeds of so many clips.
func (l *Learner) withModes(feeds []nn.Feed, clips int) []nn.Feed {
	if l.modes == nil {
		return feeds
	}
	return append(feeds, nn.Labels(inModes, l.modesOf[:clips]))
}

// noise draws latents for a batch.
func (l *Learner) noise(rng *rand.Rand, batch int) []float32 {
	l.latents = l.latents[:0]
	for range batch * l.config.Latent {
		l.latents = append(l.latents, float32(rng.NormFloat64()))
	}
	return l.latents
}

// oneHot returns the labels as rows of probabilities. They are valid until the next call.
func (l *Learner) oneHot(labels []int) []float32 {
	l.oneHots = slices.Grow(l.oneHots[:0], len(labels)*l.shape.Labels)[:len(labels)*l.shape.Labels]
	clear(l.oneHots)
	for i, label := range labels {
		l.oneHots[i*l.shape.Labels+label] = 1
	}
	return l.oneHots
}

// feeds returns the inputs that the graphs of both networks have beside clips and labels.
func (l *Learner) feeds(x models.Batch) []nn.Feed {
	f := l.constantFeeds(x.B)
	if l.config.classifies() {
		f = append(f, nn.Values(inOneHot, l.oneHot(x.Labels)))
	}
	return f
}

// constantFeeds are the values of constants.
func (l *Learner) constantFeeds(batch int) []nn.Feed {
	for len(l.ones) < batch {
		l.ones = append(l.ones, 1)
	}
	return []nn.Feed{nn.Scalar(inOne, 1), nn.Scalar(inZero, 0), nn.Values(inOnes, l.ones[:batch])}
}

// auxiliaryDecayShare is the share of the planned steps over which the auxiliary loss of the generator falls.
const auxiliaryDecayShare = 0.5

// auxiliaryWeight returns the weight of the auxiliary loss of the generator at the next step.
func (l *Learner) auxiliaryWeight() float64 {
	final := l.config.AuxiliaryFinal
	if final == 0 || l.planned == 0 {
		return l.config.Auxiliary
	}
	done := min(1, float64(l.steps)/(auxiliaryDecayShare*float64(l.planned)))
	return l.config.Auxiliary * (1 - done*(1-final))
}

// sample generates clips of the labels of x.
func (l *Learner) sample(x models.Batch, rng *rand.Rand) error {
	m, err := l.graphs.Get("sample", x.B, nn.Train, l.generator.Params, func(n *nn.Graph) *nn.Tensor {
		g := n.Frozen()
		n.Output(outClips, l.generate(g, g.Input(inLabels, x.B), l.modeInput(g, x.B), x.B))
		return nil
	})
	if err != nil {
		return err
	}
	feeds := []nn.Feed{nn.Values(inLatent, l.noise(rng, x.B)), nn.Labels(inLabels, x.Labels)}
	if err := m.Run(l.withModes(feeds, x.B)...); err != nil {
		return err
	}
	l.fakes = append(l.fakes[:0], m.Output(outClips)...)
	return nil
}

// generatorStep updates the generator through the frozen discriminator, and keeps the generated clips.
func (l *Learner) generatorStep(x models.Batch, rng *rand.Rand, losses models.Losses) error {
	m, err := l.graphs.Get("generator", x.B, nn.Train, l.generator.Params, func(n *nn.Graph) *nn.Tensor {
		return l.generatorLoss(n, x.B)
	})
	if err != nil {
		return err
	}
	l.config.Augment.Draw(&l.augmentFake, rng, x.B, x.T, x.F)
	feeds := append(l.augmentFake.Feeds(inFake), nn.Values(inLatent, l.noise(rng, x.B)), nn.Labels(inLabels, x.Labels))
	feeds = l.withModes(feeds, x.B)
	if relativistic(l.config.Loss) {
		l.config.Augment.Draw(&l.augmentReal, rng, x.B, x.T, x.F)
		feeds = append(append(feeds, l.augmentReal.Feeds(inReal)...), nn.Values(inReal, x.Data))
	}
	if l.config.classifies() {
		feeds = append(feeds, nn.Scalar(inWeight, l.auxiliaryWeight()))
	}
	if err := m.Run(append(feeds, l.feeds(x)...)...); err != nil {
		return err
	}
	l.fakes = append(l.fakes[:0], m.Output(outClips)...)
	losses[lossGenerator] = m.Loss(lossAll)
	if l.config.classifies() {
		losses[lossClassFake] = m.Loss(lossClassFake)
	}
	if _, bad := losses.NonFinite(); bad {
		return nil
	}
	return l.generator.Adam.Step(m)
}

// discriminatorStep updates the discriminator on the recordings of x and the kept generated clips.
func (l *Learner) discriminatorStep(x models.Batch, rng *rand.Rand, losses models.Losses) error {
	m, err := l.graphs.Get("discriminator", x.B, nn.Train, l.discriminator, func(n *nn.Graph) *nn.Tensor {
		return l.discriminatorLoss(n, x.B)
	})
	if err != nil {
		return err
	}
	feeds := l.withModes(l.pair.Feeds(l.config.Augment, x, l.fakes, rng), 2*x.B)
	if err := m.Run(append(feeds, l.feeds(x)...)...); err != nil {
		return err
	}
	losses[lossDiscriminator], losses[meanReal], losses[meanFake] = m.Loss(lossAll), m.Loss(meanReal), m.Loss(meanFake)
	if l.config.classifies() {
		losses[lossClassReal] = m.Loss(lossClassReal)
	}
	if _, bad := losses.NonFinite(); bad {
		return nil // the trainer reports the loss; the weights are not changed
	}
	return l.adamD.Step(m)
}

// penaltyStep updates the discriminator by the gradient penalty on the recordings of x.
func (l *Learner) penaltyStep(x models.Batch, rng *rand.Rand, losses models.Losses) error {
	m, err := l.graphs.Get("penalty", x.B, nn.Train, l.discriminator, func(n *nn.Graph) *nn.Tensor {
		return l.gradientPenalty(n, x.B)
	})
	if err != nil {
		return err
	}
	l.near = l.near[:0]
	for _, v := range x.Data {
		l.near = append(l.near, v+penaltyDistance*float32(rng.NormFloat64()))
	}
	l.twice = append(append(l.twice[:0], x.Labels...), x.Labels...)
	feeds := []nn.Feed{nn.Values(inReal, x.Data), nn.Values(inNear, l.near), nn.Labels(inLabels, l.twice)}
	if err := m.Run(l.withModes(feeds, 2*x.B)...); err != nil {
		return err
	}
	if losses[lossPenalty] = m.Loss(lossAll); losses[lossPenalty] != losses[lossPenalty] {
		return nil
	}
	return l.adamD.Step(m)
}
