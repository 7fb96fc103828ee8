package gan

import "wavemill/models/nn"

// Names of the inputs, outputs and losses of the graphs.
const (
	inLatent          = "latents"          // [B, Z]
	inLabels          = "labels"           // [B], of the discriminator's loss [2B]
	inModes           = "modes"            // [B], of the discriminator's loss [2B]
	inReal            = "real"             // [B, T, F, 1]
	inFake            = "fake"             // [B, T, F, 1]
	inNear            = "near"             // [B, T, F, 1]
	outClips          = "made"             // [B, T, F, 1]
	outScore          = "score"            // [B, 1]
	inOne             = "one"              // [1], fed with 1
	inZero            = "zero"             // [1], fed with 0
	inOnes            = "ones"             // [B, 1], fed with 1
	inOneHot          = "names"            // [B, labels], one-hot
	inWeight          = "auxiliary weight" // [1]
	lossAll           = "loss"
	meanReal          = "real score"
	meanFake          = "fake score"
	lossPenalty       = "penalty"
	lossGenerator     = "generator"
	lossDiscriminator = "discriminator"
	lossClassReal     = "naming" // of the auxiliary head on recordings
	lossClassFake     = "named"  // of the auxiliary head on generated clips
)

// network returns the discriminator of the configuration.
func (l *Learner) network() DiscriminatorNetwork { return l.config.discriminator(l.shape.Labels) }

// modeInput is the input of the modes of a batch; nil where labels have none.
func (l *Learner) modeInput(n *nn.Graph, batch int) *nn.Tensor {
	if l.modes == nil {
		return nil
	}
	return n.Input(inModes, batch)
}

// generate adds the generator of n's parameters.
func (l *Learner) generate(n *nn.Graph, labels, modes *nn.Tensor, batch int) *nn.Tensor {
	z := n.Input(inLatent, batch, l.config.Latent)
	if modes != nil {
		z = addModeMeans(n, z, modes, l.shape, l.config)
	}
	return generator(n, z, labels, nil, l.shape, l.config)
}

func (l *Learner) clipInput(n *nn.Graph, name string, batch int) *nn.Tensor {
	return n.Input(name, batch, l.shape.Frames, l.shape.Bins, 1)
}

// discriminatorLoss adds the discriminator's loss on batch recordings and as many generated clips.
func (l *Learner) discriminatorLoss(n *nn.Graph, batch int) *nn.Tensor {
	clips, labels := AddPair(n, l.config.Augment, batch, l.shape.Frames, l.shape.Bins)
	d := l.network().ForBatch(batch).Apply(n, clips, labels, l.modeInput(n, 2*batch))
	r, f := n.Rows(d.Score, 0, batch), n.Rows(d.Score, batch, 2*batch)
	n.Loss(meanReal, n.Mean(r))
	n.Loss(meanFake, n.Mean(f))
	loss := l.scoreLoss(n, r, f, l.constants(n, batch))
	if l.config.classifies() {
		class := n.Loss(lossClassReal, n.CrossEntropy(n.Rows(d.Classes, 0, batch), n.Input(inOneHot, batch, l.shape.Labels)))
		loss = n.Add(loss, n.Scale(class, l.config.Auxiliary))
	}
	return n.Loss(lossAll, loss)
}

// constants are the targets of losses.
type constants struct{ zero, one, ones *nn.Tensor }

func (l *Learner) constants(n *nn.Graph, batch int) constants {
	return constants{n.Input(inZero, 1), n.Input(inOne, 1), n.Input(inOnes, batch, 1)}
}

// scoreLoss adds the loss that falls as the scores of more [B, 1] rise above those of less [B, 1].
func (l *Learner) scoreLoss(n *nn.Graph, more, less *nn.Tensor, k constants) *nn.Tensor {
	switch l.config.Loss {
	case LossBCE:
		return n.Add(n.BCEWithLogits(more, k.one), n.BCEWithLogits(less, k.zero))
	case LossLSGAN:
		return n.Add(n.LeastSquares(more, k.one), n.LeastSquares(less, k.zero))
	case LossWGAN:
		// The last term keeps scores near zero (Karras et al. 2018).
		return n.Add(n.Mean(less), n.Scale(n.Mean(more), -1), n.Scale(n.LeastSquares(more, k.zero), 2e-3))
	case LossRaHinge:
		above := n.Sub(more, n.Mul(k.ones, n.Mean(less)))
		below := n.Sub(less, n.Mul(k.ones, n.Mean(more)))
		return n.Scale(n.Add(n.HingeReal(above), n.HingeFake(below)), 0.5)
	case LossPaired:
		return n.BCEWithLogits(n.Sub(more, less), k.one)
	default:
		return n.Add(n.HingeReal(more), n.HingeFake(less))
	}
}

// generatorLoss adds the generator's loss through the frozen discriminator.
func (l *Learner) generatorLoss(n *nn.Graph, batch int) *nn.Tensor {
	labels, modes := n.Input(inLabels, batch), l.modeInput(n, batch)
	made := n.Output(outClips, l.generate(n.With(l.generator.Params), labels, modes, batch))
	x := l.config.Augment.Apply(n, inFake, made)
	g := n.With(l.discriminator)
	if l.adamD != nil { // the first graph creates the parameters
		g = g.Frozen()
	}
	k := l.constants(n, batch)
	d := l.network().ForBatch(batch)
	fake := d.Apply(g, x, labels, modes)
	var loss *nn.Tensor
	switch l.config.Loss {
	case LossBCE:
		loss = n.BCEWithLogits(fake.Score, k.one)
	case LossLSGAN:
		loss = n.LeastSquares(fake.Score, k.one)
	case LossRaHinge, LossPaired:
		recordings := l.config.Augment.Apply(n, inReal, l.clipInput(n, inReal, batch))
		real := d.Apply(g.Reuse(), recordings, labels, modes)
		loss = l.scoreLoss(n, fake.Score, n.Detach(real.Score), k)
	default:
		loss = n.Scale(n.Mean(fake.Score), -1)
	}
	if l.config.classifies() {
		class := n.Loss(lossClassFake, n.CrossEntropy(fake.Classes, n.Input(inOneHot, batch, l.shape.Labels)))
		loss = n.Add(loss, n.Mul(n.Input(inWeight, 1), class))
	}
	return n.Loss(lossAll, loss)
}

// gradientPenalty adds the mean squared change of the score along a random direction, between two close clips. It needs
// no second-order gradients.
func (l *Learner) gradientPenalty(n *nn.Graph, batch int) *nn.Tensor {
	labels := n.Input(inLabels, 2*batch)
	clips := n.Stack(l.clipInput(n, inReal, batch), l.clipInput(n, inNear, batch))
	d := l.network().ForBatch(batch).Apply(n, clips, labels, l.modeInput(n, 2*batch))
	k := l.config.Penalty * float64(l.config.PenaltyEvery) / (penaltyDistance * penaltyDistance)
	return n.Loss(lossAll, n.Scale(n.MSE(n.Rows(d.Score, 0, batch), n.Rows(d.Score, batch, 2*batch)), k))
}

// penaltyDistance is the standard deviation of the change of every value for the gradient penalty. Values lie in [-1, 1].
const penaltyDistance = 0.03
