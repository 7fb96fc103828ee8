package nn

import (
	"math"
	"slices"

	"wavemill/models/nn/kernel"
)

func equalShapes(a, b []int) bool { return slices.Equal(a, b) }

// Mean returns the mean of all values, [1]. As a critic's loss, Mean(fake) - Mean(real) is that of a
// Wasserstein GAN (Arjovsky et al., 2017); -Mean(fake) is the generator's in that and the hinge GAN.
func (n *Graph) Mean(x *Tensor) *Tensor { return n.pointwise("mean", lossMean, x, nil, 1) }

// Sum returns the sum of all values, [1].
func (n *Graph) Sum(x *Tensor) *Tensor {
	return n.pointwise("sum", lossMean, x, nil, float64(x.Size()))
}

// BCEWithLogits returns the mean binary cross-entropy of the probabilities sigmoid(logit) and the
// targets, [1]. target has the shape of logit or a single value.
func (n *Graph) BCEWithLogits(logit, target *Tensor) *Tensor {
	return n.pointwise("binary cross-entropy", lossBCE, logit, target, 1)
}

// LeastSquares returns half the mean squared difference of the logits from the target, [1], as in a
// least-squares GAN (Mao et al., 2017). target has the shape of logit or a single value.
func (n *Graph) LeastSquares(logit, target *Tensor) *Tensor {
	return n.pointwise("least squares", lossSquare, logit, target, 0.5)
}

// HingeReal returns the mean of max(0, 1 - logit), a discriminator's loss on real examples. Source:
// Lim and Ye, Geometric GAN, 2017.
func (n *Graph) HingeReal(logit *Tensor) *Tensor {
	return n.pointwise("hinge", lossHinge, logit, nil, 1)
}

// HingeFake returns the mean of max(0, 1 + logit), a discriminator's loss on generated examples.
func (n *Graph) HingeFake(logit *Tensor) *Tensor {
	return n.HingeReal(n.Scale(logit, -1))
}

// MSE returns the mean squared difference, [1].
func (n *Graph) MSE(a, b *Tensor) *Tensor { return n.pointwise("mse", lossSquare, a, b, 1) }

// L1 returns the mean absolute difference, [1].
func (n *Graph) L1(a, b *Tensor) *Tensor { return n.pointwise("l1", lossAbs, a, b, 1) }

// FeatureMatching returns the mean over pairs of activations of the relative L1 distance
// mean|fake - real| / mean|real|, [1]; no gradient flows into the real ones. Source: Larsen et al.,
// Autoencoding beyond pixels, 2016; relative as in Caillon and Esling, RAVE, 2021.
func (n *Graph) FeatureMatching(fake, real []*Tensor) *Tensor {
	if n.err != nil {
		return &Tensor{}
	}
	if len(fake) != len(real) || len(fake) == 0 {
		return n.Fail("feature matching", "want as many real activations as generated, got %d and %d", len(real), len(fake))
	}
	terms := make([]*Tensor, len(fake))
	for i := range fake {
		terms[i] = n.pointwise("feature matching", lossRelative, fake[i], n.Detach(real[i]), 1/float64(len(fake)))
	}
	return n.Add(terms...)
}

// GaussianNLL returns the negative log-likelihood per example of x under a Gaussian of mean y and a
// single variance, the batch's own mean squared error: (D/2)(ln(2π σ²) + 1) with D values per
// example, [1]. This is the optimal variance, so there is no weight to balance against a KL
// divergence. Source: Rybkin et al., Simple and Effective VAE Training with Calibrated Decoders, 2021.
func (n *Graph) GaussianNLL(x, y *Tensor) *Tensor {
	if !n.sameShape("gaussian", x, y) {
		return &Tensor{}
	}
	return n.pointwise("gaussian", lossGaussian, x, y, float64(x.Size()/x.shape[0]))
}

type lossKind uint8

const (
	lossMean     lossKind = iota // k mean(a)
	lossBCE                      // k mean(softplus(a) - a b)
	lossHinge                    // k mean(max(0, 1-a))
	lossSquare                   // k mean((a-b)²)
	lossAbs                      // k mean|a-b|
	lossRelative                 // k mean|a-b| / mean|b|
	lossGaussian                 // k/2 (ln(2π mean((a-b)²)) + 1)
)

func (n *Graph) pointwise(what string, kind lossKind, a, b *Tensor, k float64) *Tensor {
	in := []*Tensor{a}
	if b != nil {
		in = append(in, b)
	}
	if !n.ok(in...) {
		return &Tensor{}
	}
	if b != nil && b.Size() != 1 && !slices.Equal(a.shape, b.shape) {
		return n.Fail(label(what, a), "want equal shapes, got %s", shapes(in))
	}
	return n.apply(label(what, a), &pointLoss{name: what, what: kind, k: k}, []int{1}, in...)
}

// pointLoss is a loss that is a function of the mean of a pointwise one. Inputs: a and, for those of
// two operands, b.
type pointLoss struct {
	name  string
	what  lossKind
	k     float64
	slope float64 // of the loss in the mean, as the last run left it
}

const varianceFloor = 1e-8 // of lossGaussian and lossRelative, against a division by zero

func (l *pointLoss) kind() string { return l.name }

const lossGrain = 1 << 14

func (l *pointLoss) scratch(o *op) []int {
	return []int{2 * ((o.in[0].Size() + lossGrain - 1) / lossGrain)}
}

func (l *pointLoss) run(o *op) {
	a := o.x[0]
	var b []float32
	if len(o.x) > 1 {
		b = o.x[1]
	}
	partial := o.w[0] // the sum of each block and, for lossRelative, of |b|
	kernel.Parallel(len(a), lossGrain, func(lo, hi int) {
		s, t := l.sum(a[lo:hi], block(b, lo, hi))
		partial[2*(lo/lossGrain)], partial[2*(lo/lossGrain)+1] = float32(s), float32(t)
	})
	var s, t float64
	for i := 0; i < len(partial); i += 2 {
		s += float64(partial[i])
		t += float64(partial[i+1])
	}
	mean := s / float64(len(a))
	switch l.what {
	case lossRelative:
		l.slope = l.k / max(t/float64(len(a)), varianceFloor)
		o.y[0] = float32(l.slope * mean)
	case lossGaussian:
		v := max(mean, varianceFloor)
		l.slope = l.k / (2 * v)
		o.y[0] = float32(l.k / 2 * (math.Log(2*math.Pi*v) + 1))
	default:
		l.slope = l.k
		o.y[0] = float32(l.k * mean)
	}
}

// block is b[lo:hi], all of b where it is a single value, or nil.
func block(b []float32, lo, hi int) []float32 {
	if len(b) <= 1 {
		return b
	}
	return b[lo:hi]
}

// sum returns the sum of the pointwise loss, and of |b| for lossRelative.
func (l *pointLoss) sum(a, b []float32) (s, t float64) {
	if len(b) == len(a) {
		switch l.what {
		case lossSquare, lossGaussian:
			return kernel.SumSquaredDiff(a, b), 0
		case lossAbs:
			return kernel.SumAbsDiff(a, b), 0
		}
	}
	at := func(i int) float64 {
		if len(b) == 1 {
			i = 0
		}
		return float64(b[i])
	}
	for i, v := range a {
		x := float64(v)
		switch l.what {
		case lossMean:
			s += x
		case lossBCE:
			s += max(x, 0) + math.Log1p(math.Exp(-math.Abs(x))) - x*at(i)
		case lossHinge:
			s += max(0, 1-x)
		case lossSquare, lossGaussian:
			d := x - at(i)
			s += d * d
		case lossAbs:
			s += math.Abs(x - at(i))
		case lossRelative:
			s += math.Abs(x - at(i))
			t += math.Abs(at(i))
		}
	}
	return s, t
}

func (l *pointLoss) gradient(n *Graph, o *op, dy *Tensor) []*Tensor {
	d := make([]*Tensor, len(o.in))
	for i, t := range o.in {
		if !t.needs {
			continue
		}
		if i == 1 && (l.what == lossBCE || l.what == lossRelative || t.Size() != o.in[0].Size()) {
			n.Fail(o.layer, "%s has no gradient with respect to its target; Detach it", l.name)
			return d
		}
		d[i] = n.apply(o.layer, &pointLossGradient{l, i == 1}, t.shape, append([]*Tensor{dy}, o.in...)...)
	}
	return d
}

// pointLossGradient's inputs: dy, a, [b]. For b, the losses being functions of a-b, it is minus that
// for a.
type pointLossGradient struct {
	*pointLoss
	second bool
}

func (l *pointLossGradient) kind() string { return l.name + " gradient" }

func (l *pointLossGradient) scratch(*op) []int { return nil }

func (l *pointLossGradient) run(o *op) {
	a := o.x[1]
	var b []float32
	if len(o.x) > 2 {
		b = o.x[2]
	}
	k := float64(o.x[0][0]) * l.slope / float64(len(a))
	if l.second {
		k = -k
	}
	kernel.Parallel(len(a), lossGrain, func(lo, hi int) {
		l.slopes(o.y[lo:hi], a[lo:hi], block(b, lo, hi), k)
	})
}

// slopes fills d with k times the derivative of the pointwise loss in a.
func (l *pointLossGradient) slopes(d, a, b []float32, k float64) {
	if len(b) == len(a) && (l.what == lossSquare || l.what == lossGaussian) {
		kernel.Sub(d, a, b)
		kernel.Scale(d, float32(2*k), d)
		return
	}
	at := func(i int) float32 {
		if len(b) == 1 {
			i = 0
		}
		return b[i]
	}
	f := float32(k)
	for i, x := range a {
		switch l.what {
		case lossMean:
			d[i] = f
		case lossBCE:
			d[i] = float32(k * (1/(1+math.Exp(-float64(x))) - float64(at(i))))
		case lossHinge:
			d[i] = 0
			if x < 1 {
				d[i] = -f
			}
		case lossSquare, lossGaussian:
			d[i] = 2 * f * (x - at(i))
		case lossAbs, lossRelative:
			switch v := x - at(i); {
			case v > 0:
				d[i] = f
			case v < 0:
				d[i] = -f
			default:
				d[i] = 0
			}
		}
	}
}

// KL returns the Kullback-Leibler divergence of the Gaussians of the given means and log variances
// [B, Z] from the standard one, per example: the sum over dimensions of the mean over the batch, [1].
// A dimension counts at least freeBits nats (and has no gradient below), which keeps the posterior
// from collapsing; 0 for none. Source: Kingma et al., Improving Variational Inference with Inverse
// Autoregressive Flow, 2016.
func (n *Graph) KL(mean, logVar *Tensor, freeBits float64) *Tensor {
	if !n.sameShape("kl", mean, logVar) {
		return &Tensor{}
	}
	rows := mean.shape[0]
	k := &divergence{rows: rows, width: mean.Size() / rows, free: freeBits}
	k.active = make([]bool, k.width)
	return n.apply(label("kl", mean), k, []int{1}, mean, logVar)
}

type divergence struct {
	rows, width int
	free        float64
	active      []bool // the dimensions above free, in the last run
}

func (*divergence) kind() string { return "kl divergence" }

func (k *divergence) run(o *op) {
	total := 0.0
	for j := range k.width {
		s := 0.0
		for i := j; i < len(o.x[0]); i += k.width {
			m, lv := float64(o.x[0][i]), float64(o.x[1][i])
			s += (math.Exp(lv) + m*m - 1 - lv) / 2
		}
		s /= float64(k.rows)
		k.active[j] = k.free <= 0 || s > k.free
		total += max(s, k.free)
	}
	o.y[0] = float32(total)
}

func (k *divergence) gradient(n *Graph, o *op, dy *Tensor) []*Tensor {
	d := make([]*Tensor, 2)
	for i, t := range o.in {
		if t.needs {
			d[i] = n.apply(o.layer, &divergenceGradient{k, i == 1}, t.shape, dy, t)
		}
	}
	return d
}

// divergenceGradient's inputs: dy and the mean or, for that, the log variance.
type divergenceGradient struct {
	*divergence
	logVar bool
}

func (*divergenceGradient) kind() string { return "kl divergence gradient" }

func (k *divergenceGradient) run(o *op) {
	g := o.x[0][0] / float32(k.rows)
	for i, v := range o.x[1] {
		switch {
		case !k.active[i%k.width]:
			o.y[i] = 0
		case k.logVar:
			o.y[i] = g * float32(math.Expm1(float64(v))/2)
		default:
			o.y[i] = g * v
		}
	}
}
