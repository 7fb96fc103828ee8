package nn

import (
	"math"

	"wavemill/models/nn/kernel"
)

// NormalNoise returns normally distributed values of the given shape, new in every run: a function of
// the run's [Seed], the name and the position alone.
func (n *Graph) NormalNoise(name string, shape ...int) *Tensor {
	if n.err != nil {
		return &Tensor{}
	}
	return n.apply(name, &noise{stream: streamOf(n.prefix + name)}, shape, n.seedInput())
}

// Dropout zeroes values with probability p and divides the others by 1-p; in Eval mode it does
// nothing. Which ones is a function of the run's [Seed], the name and the position alone. Source:
// Srivastava et al., Dropout, 2014.
func (n *Graph) Dropout(name string, x *Tensor, p float64) *Tensor {
	if !n.ok(x) {
		return &Tensor{}
	}
	if p < 0 || p >= 1 {
		return n.Fail(name, "dropout: probability %g is not in [0, 1)", p)
	}
	if n.mode == Eval || p == 0 {
		return x
	}
	mask := n.apply(name, &dropMask{streamOf(n.prefix + name), p}, x.shape, n.seedInput())
	return n.apply(name, product{}, x.shape, x, mask)
}

// seedInput is the node that random operations depend on. Its value is not used: a run's seed has 64 bits.
func (n *Graph) seedInput() *Tensor {
	const name = "seed of the run"
	if t := n.byName[name]; t != nil {
		return t
	}
	return n.Input(name, 1)
}

// streamOf makes different streams of random numbers of different names.
func streamOf(name string) uint64 {
	h := uint64(14695981039346656037)
	for _, b := range []byte(name) {
		h = (h ^ uint64(b)) * 1099511628211
	}
	return h
}

// mix is the finaliser of SplitMix64 (Steele et al., 2014): a bijection whose output passes for
// random on consecutive inputs, so that the i-th number of a stream needs no predecessor.
func mix(x uint64) uint64 {
	x += 0x9e3779b97f4a7c15
	x = (x ^ x>>30) * 0xbf58476d1ce4e5b9
	x = (x ^ x>>27) * 0x94d049bb133111eb
	return x ^ x>>31
}

// uniform returns the i-th number of a stream, in (0, 1).
func uniform(key, i uint64) float64 {
	return (float64(mix(key+i*0x9e3779b97f4a7c15)>>11) + 0.5) / (1 << 53)
}

type noise struct{ stream uint64 }

func (*noise) kind() string { return "normal noise" }

func (c *noise) run(o *op) {
	key := mix(o.net.seed ^ c.stream)
	kernel.Parallel(len(o.y), 1<<12, func(lo, hi int) { // the grain is even: pairs stay together
		for i := lo; i < hi; i += 2 {
			// Box and Muller: two uniform numbers make two normal ones.
			r := math.Sqrt(-2 * math.Log(uniform(key, uint64(i))))
			sin, cos := math.Sincos(2 * math.Pi * uniform(key, uint64(i+1)))
			o.y[i] = float32(r * cos)
			if i+1 < hi {
				o.y[i+1] = float32(r * sin)
			}
		}
	})
}

type dropMask struct {
	stream uint64
	p      float64
}

func (*dropMask) kind() string { return "dropout" }

func (c *dropMask) run(o *op) {
	key := mix(o.net.seed ^ c.stream)
	keep := float32(1 / (1 - c.p))
	kernel.Parallel(len(o.y), 1<<13, func(lo, hi int) {
		for i := lo; i < hi; i++ {
			o.y[i] = 0
			if uniform(key, uint64(i)) >= c.p {
				o.y[i] = keep
			}
		}
	})
}

// Reparameterise returns mean + e^(logVar/2) eps, a sample of a Gaussian through which gradients flow
// into its parameters; all have one shape. eps is an input or [Graph.NormalNoise]. Source: Kingma and
// Welling, Auto-Encoding Variational Bayes, 2014.
func (n *Graph) Reparameterise(mean, logVar, eps *Tensor) *Tensor {
	if !n.sameShape("reparameterise", mean, logVar, eps) {
		return &Tensor{}
	}
	return n.apply(label("reparameterise", mean), reparameterise{}, mean.shape, mean, logVar, eps)
}

func (n *Graph) sameShape(what string, in ...*Tensor) bool {
	if !n.ok(in...) {
		return false
	}
	for _, t := range in[1:] {
		if !equalShapes(t.shape, in[0].shape) {
			n.Fail(label(what, in[0]), "want equal shapes, got %s", shapes(in))
			return false
		}
	}
	return true
}

// reparameterise's inputs: mean, log variance, eps.
type reparameterise struct{}

func (reparameterise) kind() string { return "reparameterise" }

func (reparameterise) run(o *op) {
	mean, logVar, eps := o.x[0], o.x[1], o.x[2]
	for i, m := range mean {
		o.y[i] = m + float32(math.Exp(float64(logVar[i])/2))*eps[i]
	}
}

func (reparameterise) gradient(n *Graph, o *op, dy *Tensor) []*Tensor {
	var d [3]*Tensor
	if o.in[0].needs {
		d[0] = dy
	}
	if o.in[1].needs {
		d[1] = n.apply(o.layer, reparameteriseGradient{}, o.in[1].shape, dy, o.in[0], o.out)
	}
	return d[:]
}

// reparameteriseGradient is the gradient of the log variance: dy (z - mean)/2. Inputs: dy, mean, z.
type reparameteriseGradient struct{}

func (reparameteriseGradient) kind() string { return "reparameterise gradient" }

func (reparameteriseGradient) run(o *op) {
	for i, g := range o.x[0] {
		o.y[i] = g * (o.x[2][i] - o.x[1][i]) / 2
	}
}
