package vae

import (
	"fmt"
	"math"
	"math/rand/v2"

	"wavemill/models/internal/shape"
	"wavemill/models/nn"
)

// An expert is one Gaussian of a mixture posterior.
type expert struct {
	mean, logVar *nn.Tensor // [B, Z]
	gate         *nn.Tensor // [B, 1]: its probability; those of a clip add up to 1
}

// posteriors are the experts of the encoder's features h: a dense layer each, and a gate.
func posteriors(n *nn.Graph, h *nn.Tensor, c Config) []expert {
	gates := gate(n, h, c.Encoders)
	experts := make([]expert, c.Encoders)
	for k := range experts {
		mean, logVar := posterior(n, fmt.Sprintf("posterior%d", k+1), h, c)
		experts[k] = expert{mean, logVar, gates[k]}
	}
	return experts
}

// gate returns k probabilities for each example of h, [B, 1] each, that add up to 1: of what the ones before have left,
// each takes a share by the logistic function (logistic stick breaking, as in Linderman et al. 2015). For two, this is
// the softmax; for more, it reaches the same probabilities. All are alike, but for small weights, at the beginning.
//
// Logits are divided by the root of the number of inputs. Adam moves every weight by its rate, thousands of them in one
// direction, and an expert that is worse by chance would be shut off for good within a few steps.
func gate(n *nn.Graph, h *nn.Tensor, k int) []*nn.Tensor {
	root := math.Sqrt(float64(max(h.Size(), 1)) / float64(max(h.Dim(0), 1)))
	gates := make([]*nn.Tensor, k)
	var rest *nn.Tensor // nil: 1
	for i := range k - 1 {
		layer := fmt.Sprintf("gate%d", i+1)
		even := nn.Bias(nn.Constant(-math.Log(float64(k-i-1)) * root))
		logit := n.Scale(n.Dense(layer, h, 1, nn.Weight(nn.Normal(0.1)), even), 1/root) // [B, 1]
		take, leave := n.Activate(logit, nn.Sigmoid()), n.Activate(n.Scale(logit, -1), nn.Sigmoid())
		if rest != nil {
			take, leave = n.Mul(rest, take), n.Mul(rest, leave)
		}
		gates[i], rest = take, leave
	}
	gates[k-1] = rest
	return gates
}

// likeliest returns mean and log variance of the expert that the gate prefers. The choice is a steep logistic function
// of the differences between probabilities, in single precision 1 or 0 unless they agree to five digits.
func likeliest(n *nn.Graph, experts []expert) (mean, logVar *nn.Tensor) {
	const steep = 1e7
	means, logVars := make([]*nn.Tensor, len(experts)), make([]*nn.Tensor, len(experts))
	for k, e := range experts {
		var chosen *nn.Tensor // [B, 1]
		for j, other := range experts {
			if j == k {
				continue
			}
			wins := n.Activate(n.Scale(n.Sub(e.gate, other.gate), steep), nn.Sigmoid())
			if chosen == nil {
				chosen = wins
			} else {
				chosen = n.Mul(chosen, wins)
			}
		}
		means[k], logVars[k] = n.MulRows(e.mean, chosen), n.MulRows(e.logVar, chosen)
	}
	return n.Add(means...), n.Add(logVars...)
}

// Names of what the graph of several experts has beside elbo's.
const (
	inPrecision  = "precision"    // [1], 1/(2 σ²)
	inNormaliser = "normaliser"   // [1], D/2 ln(2π σ²)
	inZeros      = "zeros"        // [B, Z]
	inOnes       = "ones"         // [B, Z]
	outGate      = "gate"         // [K B, 1]
	lossBalance  = "gate balance" // 0: all experts are used alike; K-1: one alone
)

// balance weighs the gate's balance, in nats: against the few nats by which one expert is better than another at the
// beginning, not against what they learn to differ in.
const balance = 100

// mixtureELBO is elbo for a mixture-of-experts posterior q(z|x) = Σ_k g_k(x) q_k(z|x) (Jacobs et al. 1991 for the gate;
// Shi et al. 2019 for the posterior). It is minimised over
//
//	Σ_k g_k(x) (E_{q_k}[-ln p(x|z)] + KL(q_k ‖ p)),
//
// which is at least the negative evidence bound of q: the expectation under a mixture is that of its parts, and the
// divergence is convex, so that it is greater by at most ln K. Every expert's term is there in every step (stratified
// sampling, as Shi et al. do), which gives the gate an exact gradient and costs a pass of the decoder each. A gate
// that is left to itself soon uses one expert only, so the squared coefficient of variation of its means over the
// batch is added (the importance loss of Shazeer et al. 2017).
//
// The likelihood's variance, which is the same for all clips, is an input rather than the optimum for the batch: that of
// the batch before, which is as good a bound.
func mixtureELBO(n *nn.Graph, x, labels, weight *nn.Tensor, s shape.Shape, c Config) *nn.Tensor {
	batch, pixels, k := x.Dim(0), s.Frames*s.Bins, c.Encoders
	enc := n.Scope("encoder")
	experts := posteriors(enc, features(enc, x, c), c)
	zeros, ones := n.Input(inZeros, batch, c.Latent), n.Input(inOnes, batch, c.Latent)
	var latents, means, gates, kls, clips, codes []*nn.Tensor
	dec := n.Scope("decoder")
	e := embedding(dec, labels, s, c)
	for i, q := range experts {
		z := q.mean
		if n.Mode() == nn.Train {
			z = n.Reparameterise(q.mean, q.logVar, n.NormalNoise(fmt.Sprintf("posterior noise %d", i+1), batch, c.Latent))
		}
		latents, means, gates = append(latents, z), append(means, q.mean), append(gates, q.gate)
		clips, codes = append(clips, x), append(codes, e)
		kls = append(kls, divergence(n, q, zeros, ones))
	}
	z, g := n.Stack(latents...), n.Stack(gates...) // [K B, Z], [K B, 1]
	if e != nil {
		e = n.Stack(codes...) // [K B, E]
	}
	if c.Prior == PriorFlow {
		n.Output(outMean, n.Stack(means...))
		n.Output(outGate, g)
	}
	y := decodeEmbedded(dec, z, e, s, c)                                                            // [K B, T, F, 1]
	miss := n.Reshape(n.Sub(y, n.Stack(clips...)), k*batch, pixels)                                 // [K B, T F]
	square := n.Scale(n.Sum(n.Mul(n.RowDot(miss, miss), g)), 1/float64(batch))                      // [1], of a clip
	nll := n.Loss(lossNLL, n.Add(n.Mul(square, n.Input(inPrecision, 1)), n.Input(inNormaliser, 1))) // [1]
	kl := n.Loss(lossKL, n.Scale(n.Sum(n.Mul(n.Stack(kls...), g)), 1/float64(batch)))               // [1]
	n.Loss(lossMSE, n.Scale(square, 1/float64(pixels)))
	spread := n.Loss(lossBalance, variation(n, gates, ones))
	return n.Loss(lossAll, n.Add(nll, n.Mul(kl, weight), n.Scale(spread, balance)))
}

// divergence returns KL(q ‖ N(0, I)) of each clip, [B, 1]: half of Σ μ² + σ² - ln σ² - 1.
func divergence(n *nn.Graph, q expert, zeros, ones *nn.Tensor) *nn.Tensor {
	sd := n.Reparameterise(zeros, q.logVar, ones)
	return n.Scale(n.Sub(n.Add(n.RowDot(q.mean, q.mean), n.RowDot(sd, sd)), n.Add(n.RowDot(q.logVar, ones), n.RowDot(ones, ones))), 0.5)
}

// variation returns the squared coefficient of variation of the gates' means over the batch, [1]. ones are any ones.
func variation(n *nn.Graph, gates []*nn.Tensor, ones *nn.Tensor) *nn.Tensor {
	var squares []*nn.Tensor
	for _, g := range gates {
		mean := n.Mean(g)
		squares = append(squares, n.Mul(mean, mean))
	}
	return n.Sub(n.Scale(n.Add(squares...), float64(len(gates))), n.Mean(ones))
}

// mixtureFeeds are the inputs that mixtureELBO has beside elbo's.
func (l *Learner) mixtureFeeds() []nn.Feed {
	if l.config.Encoders <= 1 {
		return nil
	}
	variance := max(float64(l.variance), 1e-6)
	return []nn.Feed{
		nn.Scalar(inPrecision, 1/(2*variance)), nn.Scalar(inNormaliser, float64(l.shape.Frames*l.shape.Bins)/2*math.Log(2*math.Pi*variance)),
		nn.Scalar(inZeros, 0), nn.Scalar(inOnes, 1),
	}
}

// means returns the posterior means of a batch that the machine was run on, [B, Z]; with several experts, of one drawn by
// the gate.
func (l *Learner) means(m *nn.Machine, batch int, rng *rand.Rand) []float32 {
	z := m.Output(outMean)
	if l.config.Encoders <= 1 {
		return z
	}
	gates, width := m.Output(outGate), l.config.Latent
	l.drawn = l.drawn[:0]
	for i := range batch {
		k, at := 0, rng.Float64()
		for k < l.config.Encoders-1 && at >= float64(gates[k*batch+i]) {
			at -= float64(gates[k*batch+i])
			k++
		}
		l.drawn = append(l.drawn, z[(k*batch+i)*width:(k*batch+i+1)*width]...)
	}
	return l.drawn
}

// lastBlock is the decoder's block to spectrograms: one, or several mixed by a gate that sees what the decoder does (a
// mixture of experts, Jacobs et al. 1991). The blocks before, which hold nine tenths of the work, are shared.
func lastBlock(n *nn.Graph, h, e *nn.Tensor, c Config) *nn.Tensor {
	if c.Decoders <= 1 {
		return block(n, 4, h, e, 1, nn.Kernel(5))
	}
	made := make([]*nn.Tensor, c.Decoders)
	for k, g := range gate(n, e, c.Decoders) {
		made[k] = n.MulRows(block(n.Scope(fmt.Sprintf("last%d", k+1)), 4, h, e, 1, nn.Kernel(5)), g)
	}
	return n.Add(made...)
}
