package gan

import "wavemill/models/nn"

// Names of the inputs, outputs and losses of the graphs.
const (
	inLatent   = "latents"          // [B, Z]
	inLabels   = "labels"           // [B], for judge [2B]
	inModes    = "modes"            // [B], for judge [2B]
	inReal     = "real"             // [B, T, F, 1]
	inFake     = "fake"             // [B, T, F, 1]
	inNear     = "near"             // [B, T, F, 1]
	outClips   = "made"             // [B, T, F, 1]
	outScore   = "score"            // [B, 1]
	inOne      = "one"              // [1], fed with 1
	inZero     = "zero"             // [1], fed with 0
	inOnes     = "ones"             // [B, 1], fed with 1
	inNames    = "names"            // [B, labels], one-hot
	inWeight   = "auxiliary weight" // [1]
	lossAll    = "loss"
	meanReal   = "real score"
	meanFake   = "fake score"
	lossPlayer = "generator"
	lossJudge  = "discriminator"
	lossSlope  = "penalty"
	lossNames  = "naming"
	lossNamed  = "named" // the generator's
)

// criticFor returns the discriminator for that batch size.
func (l *Learner) criticFor(batch int) Critic {
	c := l.config
	group := min(c.Stddev, batch)
	for group > 1 && batch%group != 0 {
		group--
	}
	return c.critic(l.shape.labels, group)
}

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
		z = placed(n, z, modes, l.shape, l.config)
	}
	return generator(n, z, labels, nil, l.shape, l.config)
}

func (l *Learner) clipInput(n *nn.Graph, name string, batch int) *nn.Tensor {
	return n.Input(name, batch, l.shape.frames, l.shape.bins, 1)
}

// judge adds the discriminator's step on batch real clips and as many made ones.
func (l *Learner) judge(n *nn.Graph, batch int) *nn.Tensor {
	n = n.With(l.critic)
	real := l.config.Augment.Apply(n, inReal, l.clipInput(n, inReal, batch))
	fake := l.config.Augment.Apply(n, inFake, l.clipInput(n, inFake, batch))
	j := l.criticFor(batch).Judge(n, n.Stack(real, fake), n.Input(inLabels, 2*batch), l.modeInput(n, 2*batch))
	r, f := n.Rows(j.Score, 0, batch), n.Rows(j.Score, batch, 2*batch)
	n.Loss(meanReal, n.Mean(r))
	n.Loss(meanFake, n.Mean(f))
	loss := l.lossOf(n, r, f, l.constants(n, batch))
	if l.config.named() {
		named := n.Loss(lossNames, n.CrossEntropy(n.Rows(j.Classes, 0, batch), n.Input(inNames, batch, l.shape.labels)))
		loss = n.Add(loss, n.Scale(named, l.config.Auxiliary))
	}
	return n.Loss(lossAll, loss)
}

// constants are what scores are compared with.
type constants struct{ zero, one, ones *nn.Tensor }

func (l *Learner) constants(n *nn.Graph, batch int) constants {
	return constants{n.Input(inZero, 1), n.Input(inOne, 1), n.Input(inOnes, batch, 1)}
}

// lossOf adds the loss of a player who wants the scores of more [B, 1] above those of less [B, 1].
func (l *Learner) lossOf(n *nn.Graph, more, less *nn.Tensor, k constants) *nn.Tensor {
	switch l.config.Loss {
	case LossBCE:
		return n.Add(n.BCEWithLogits(more, k.one), n.BCEWithLogits(less, k.zero))
	case LossLSGAN:
		return n.Add(n.LeastSquares(more, k.one), n.LeastSquares(less, k.zero))
	case LossWGAN:
		// The drift keeps scores near zero (Karras et al. 2018).
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

// deceive adds the generator's step through the frozen discriminator.
func (l *Learner) deceive(n *nn.Graph, batch int) *nn.Tensor {
	labels, modes := n.Input(inLabels, batch), l.modeInput(n, batch)
	made := n.Output(outClips, l.generate(n.With(l.generator), labels, modes, batch))
	x := l.config.Augment.Apply(n, inFake, made)
	d := n.With(l.critic)
	if l.adamD != nil { // but the first time, when the parameters are made
		d = d.Frozen()
	}
	k := l.constants(n, batch)
	j := l.criticFor(batch).Judge(d, x, labels, modes)
	var loss *nn.Tensor
	switch l.config.Loss {
	case LossBCE:
		loss = n.BCEWithLogits(j.Score, k.one)
	case LossLSGAN:
		loss = n.LeastSquares(j.Score, k.one)
	case LossRaHinge, LossPaired:
		real := l.config.Augment.Apply(n, inReal, l.clipInput(n, inReal, batch))
		r := l.criticFor(batch).Judge(d.Reuse(), real, labels, modes)
		loss = l.lossOf(n, j.Score, n.Detach(r.Score), k)
	default:
		loss = n.Scale(n.Mean(j.Score), -1)
	}
	if l.config.named() {
		named := n.Loss(lossNamed, n.CrossEntropy(j.Classes, n.Input(inNames, batch, l.shape.labels)))
		loss = n.Add(loss, n.Mul(n.Input(inWeight, 1), named))
	}
	return n.Loss(lossAll, loss)
}

// slopes adds the gradient penalty: the mean square of the change of the score along a random direction, for two
// clips that are fed close together. It needs no second-order gradients.
func (l *Learner) slopes(n *nn.Graph, batch int) *nn.Tensor {
	n = n.With(l.critic)
	labels := n.Input(inLabels, 2*batch)
	j := l.criticFor(batch).Judge(n, n.Stack(l.clipInput(n, inReal, batch), l.clipInput(n, inNear, batch)), labels, l.modeInput(n, 2*batch))
	k := l.config.Penalty * float64(l.config.PenaltyEvery) / (penaltyStep * penaltyStep)
	return n.Loss(lossAll, n.Scale(n.MSE(n.Rows(j.Score, 0, batch), n.Rows(j.Score, batch, 2*batch)), k))
}

// penaltyStep is how far apart the clips of slopes are, per value; values lie in [-1, 1].
const penaltyStep = 0.03
