package nn

import (
	"math"
	"slices"

	"wavemill/models/nn/kernel"
)

// normKind selects the values over which a normalisation computes its statistics.
type normKind uint8

const (
	noNorm       normKind = iota // none: mean 0, variance 1
	batchNorm                    // per channel over the batch and the pixels
	groupNorm                    // per example and group of channels
	instanceNorm                 // per example and channel
)

// BatchNorm normalises x [B, ..., C] per channel by the mean and variance of the batch and its pixels,
// in Eval mode by their running averages; then come the learned scale and shift, FiLM, and the
// activation of the options. Parameters: gamma, beta [C]; state: mean, variance [C]. The running
// variance is the unbiased one. Source: Ioffe and Szegedy, Batch Normalization, 2015.
func (n *Graph) BatchNorm(layer string, x *Tensor, options ...Option) *Tensor {
	return n.normLayer(layer, x, batchNorm, 0, options)
}

// GroupNorm normalises each example of x [B, ..., C] over its pixels and the channels of a group; one
// group is layer normalisation. Parameters: gamma, beta [C]. Source: Wu and He, Group Normalization,
// 2018.
func (n *Graph) GroupNorm(layer string, x *Tensor, groups int, options ...Option) *Tensor {
	return n.normLayer(layer, x, groupNorm, groups, options)
}

// InstanceNorm normalises each channel of each example of x [B, ..., C] over its pixels. Parameters:
// gamma, beta [C]. Source: Ulyanov et al., Instance Normalization, 2016.
func (n *Graph) InstanceNorm(layer string, x *Tensor, options ...Option) *Tensor {
	return n.normLayer(layer, x, instanceNorm, 0, options)
}

// Modulate multiplies x [B, ..., C] by 1 + scale and adds shift, both [B, C], and activates: FiLM
// without a normalisation before it.
func (n *Graph) Modulate(layer string, x, scale, shift *Tensor, options ...Option) *Tensor {
	return n.normLayer(layer, x, noNorm, 0, append([]Option{FiLM(scale, shift), NoAffine()}, options...))
}

func (n *Graph) normLayer(layer string, x *Tensor, kind normKind, groups int, options []Option) *Tensor {
	if !n.enter(layer, x) {
		return &Tensor{}
	}
	s := newSpec(options)
	s.norm, s.groups = kind, groups
	return n.normalise(layer, &s, x)
}

// normalise adds the normalisation, FiLM and activation that s describes.
func (n *Graph) normalise(layer string, s *layerSpec, x *Tensor) *Tensor {
	if len(x.shape) < 2 {
		return n.Fail(layer, "normalisation of %v: want [B, ..., C]", x.shape)
	}
	c := x.Dim(-1)
	k := &norm{
		over: s.norm, batch: x.shape[0], channels: c, pixels: x.Size() / x.shape[0] / c,
		film: s.scale != nil, affine: !s.noAffine && s.norm != noNorm,
		running: s.norm == batchNorm, train: n.mode == Train,
		update:  s.norm == batchNorm && n.mode == Train && !n.frozen,
		epsilon: s.epsilon, momentum: s.momentum, act: s.act, slope: s.slope,
	}
	switch s.norm {
	case groupNorm:
		k.group = c / max(1, s.groups)
		if s.groups < 1 || c%s.groups != 0 {
			return n.Fail(layer, "group norm: %d channels do not divide into %d groups", c, s.groups)
		}
	case instanceNorm:
		k.group = 1
	case batchNorm:
		if k.train && k.batch*k.pixels < 2 {
			return n.Fail(layer, "batch norm: needs more than one value per channel in training, got %v", x.shape)
		}
	}
	late := s.act != kernel.ActNone && s.act != kernel.ActReLU && s.act != kernel.ActLeakyReLU
	if late {
		k.act = kernel.ActNone
	}
	in := []*Tensor{x}
	fan := fans{1, 1}
	if k.affine {
		in = append(in, n.param(layer, "gamma", []int{c}, fan, Constant(1), false), n.param(layer, "beta", []int{c}, fan, Constant(0), false))
	}
	if k.running {
		mean, variance := n.param(layer, "mean", []int{c}, fan, Constant(0), true), n.param(layer, "variance", []int{c}, fan, Constant(1), true)
		in = append(in, mean, variance)
		k.state = []*Param{mean.param, variance.param}
	}
	if k.film {
		want := []int{k.batch, c}
		if !n.ok(s.scale, s.shift) {
			return &Tensor{}
		}
		for _, f := range []*Tensor{s.scale, s.shift} {
			if len(f.shape) != 2 || f.shape[0] != want[0] || f.shape[1] != want[1] {
				return n.Fail(layer, "FiLM of %v: want scale and shift %v, got %v and %v", x.shape, want, s.scale.shape, s.shift.shape)
			}
		}
		in = append(in, s.scale, s.shift)
	}
	k.makeTables()
	h := n.apply(layer, k, x.shape, in...)
	if late {
		return n.activate(layer, h, s.act, s.slope)
	}
	return h
}

// norm is a normalisation followed by an affine map per channel (and example), and an activation.
// Inputs: x, [gamma, beta], [running mean, running variance], [FiLM scale, FiLM shift].
type norm struct {
	over                    normKind
	batch, pixels, channels int
	group                   int // channels in a group, for statistics per example
	affine, running, film   bool
	train, update           bool
	epsilon, momentum       float64
	state                   []*Param // the running statistics
	act                     kernel.Act
	slope                   float32

	// What the last forward run used, for the backward run: per channel or, for statistics per
	// example, per example and channel; a and b with FiLM per example and channel.
	mean, variance, invStd []float32
	a, b                   []float32 // of y = act(a x + b)
}

func (k *norm) kind() string {
	return [...]string{"modulation", "batch norm", "group norm", "instance norm"}[k.over]
}

// perExample reports whether the statistics are each example's own.
func (k *norm) perExample() bool { return k.over == groupNorm || k.over == instanceNorm }

// separate reports whether the affine map differs from example to example.
func (k *norm) separate() bool { return k.perExample() || k.film }

func (k *norm) makeTables() {
	n, m := k.channels, k.channels
	if k.perExample() {
		n *= k.batch
	}
	if k.separate() {
		m *= k.batch
	}
	k.mean, k.variance, k.invStd = make([]float32, n), make([]float32, n), make([]float32, n)
	k.a, k.b = make([]float32, m), make([]float32, m)
	for i := range k.invStd {
		k.invStd[i] = 1
	}
}

// operands are the inputs of a norm by role; nil where it has none.
type normOperands[T any] struct {
	x, gamma, beta, mean, variance, scale, shift T
}

func split[T any](k *norm, in []T) (r normOperands[T]) {
	r.x, in = in[0], in[1:]
	if k.affine {
		r.gamma, r.beta, in = in[0], in[1], in[2:]
	}
	if k.running {
		r.mean, r.variance, in = in[0], in[1], in[2:]
	}
	if k.film {
		r.scale, r.shift = in[0], in[1]
	}
	return r
}

func (k *norm) effect() bool { return k.update }

func (k *norm) run(o *op) {
	r := split(k, o.x)
	k.statistics(r)
	k.affineMap(r)
	if !k.separate() {
		kernel.ScaleShift(o.y, r.x, k.a, k.b, k.act, k.slope)
		return
	}
	kernel.Parallel(k.batch, 1, func(lo, hi int) {
		for i := lo; i < hi; i++ {
			t := k.row(i)
			e := k.example(i)
			kernel.ScaleShift(o.y[e.lo:e.hi], r.x[e.lo:e.hi], k.a[t.lo:t.hi], k.b[t.lo:t.hi], k.act, k.slope)
		}
	})
}

type span struct{ lo, hi int }

// row is example i's part of a table per example and channel, example its part of x and y.
func (k *norm) row(i int) span     { return span{i * k.channels, (i + 1) * k.channels} }
func (k *norm) example(i int) span { s := k.pixels * k.channels; return span{i * s, (i + 1) * s} }

// statistics fills mean and invStd, and updates the running statistics.
func (k *norm) statistics(r normOperands[[]float32]) {
	switch {
	case k.over == noNorm:
		return
	case k.perExample():
		kernel.Parallel(k.batch, 1, func(lo, hi int) {
			for i := lo; i < hi; i++ {
				t, e := k.row(i), k.example(i)
				kernel.Moments(k.mean[t.lo:t.hi], k.variance[t.lo:t.hi], r.x[e.lo:e.hi])
				k.mergeGroups(k.mean[t.lo:t.hi], k.variance[t.lo:t.hi])
			}
		})
	case k.train:
		kernel.Moments(k.mean, k.variance, r.x)
		if k.update && !slices.ContainsFunc(k.state, func(p *Param) bool { return p.fixed }) {
			m := k.momentum
			count := float64(k.batch * k.pixels)
			for c := range k.mean {
				r.mean[c] = float32((1-m)*float64(r.mean[c]) + m*float64(k.mean[c]))
				r.variance[c] = float32((1-m)*float64(r.variance[c]) + m*float64(k.variance[c])*count/(count-1))
			}
			for _, p := range k.state {
				p.Touch()
			}
		}
	default:
		copy(k.mean, r.mean)
		copy(k.variance, r.variance)
	}
	for i, v := range k.variance {
		k.invStd[i] = float32(1 / math.Sqrt(float64(v)+k.epsilon))
	}
}

// mergeGroups replaces the statistics of one example's channels by those of their groups.
func (k *norm) mergeGroups(mean, variance []float32) {
	if k.group == 1 {
		return
	}
	for g := 0; g < len(mean); g += k.group {
		var m, v float64
		for c := g; c < g+k.group; c++ {
			m += float64(mean[c])
		}
		m /= float64(k.group)
		for c := g; c < g+k.group; c++ {
			d := float64(mean[c]) - m
			v += float64(variance[c]) + d*d
		}
		v /= float64(k.group)
		for c := g; c < g+k.group; c++ {
			mean[c], variance[c] = float32(m), float32(v)
		}
	}
}

// affineMap fills a and b, the whole affine map from x to the activation.
func (k *norm) affineMap(r normOperands[[]float32]) {
	for i := 0; i < len(k.a); i += k.channels {
		stat := i
		if !k.perExample() {
			stat = 0
		}
		for c := range k.channels {
			a := k.invStd[stat+c]
			b := float32(0)
			if r.gamma != nil {
				a *= r.gamma[c]
				b = r.beta[c]
			}
			b -= k.mean[stat+c] * a
			if r.scale != nil {
				s := 1 + r.scale[i+c]
				a, b = a*s, b*s+r.shift[i+c]
			}
			k.a[i+c], k.b[i+c] = a, b
		}
	}
}

func (k *norm) gradient(n *Graph, o *op, dy *Tensor) []*Tensor {
	r := split(k, o.in)
	like := []*Tensor{r.x, r.gamma, r.beta, r.scale, r.shift}
	w := needed(like...)
	in := []*Tensor{dy, r.x}
	if k.affine {
		in = append(in, r.gamma, r.beta)
	}
	if k.film {
		in = append(in, r.scale)
	}
	d := w.add(n, o.layer, &normBackward{k, w}, like, in...)
	out := []*Tensor{d[0]}
	if k.affine {
		out = append(out, d[1], d[2])
	}
	if k.running {
		out = append(out, nil, nil)
	}
	if k.film {
		out = append(out, d[3], d[4])
	}
	return out
}

// normBackward computes, as wanted, the gradients of x, gamma, beta, FiLM scale and FiLM shift.
// Inputs: dy, x, [gamma, beta], [FiLM scale].
type normBackward struct {
	*norm
	wants wants
}

func (k *normBackward) kind() string { return k.norm.kind() + " gradient" }

func (k *normBackward) effect() bool { return false }

// scratch holds, per example and channel where the maps are separate, the sums of g and of g times
// the normalised x, and the coefficients of x and 1 in dx.
func (k *normBackward) scratch(*op) []int {
	n := len(k.a)
	return []int{n, n, n, n}
}

func (k *normBackward) run(o *op) {
	var buf [5][]float32
	d := k.wants.outputs(o, buf[:0])
	dy, x := o.x[0], o.x[1]
	var gamma, beta, scale []float32
	rest := o.x[2:]
	if k.affine {
		gamma, beta, rest = rest[0], rest[1], rest[2:]
	}
	if k.film {
		scale = rest[0]
	}
	g1, g2, k1, k0 := o.w[0], o.w[1], o.w[2], o.w[3]
	k.sums(g1, g2, dy, x)
	k.parameterGradients(d, g1, g2, gamma, beta, scale)
	if d[0] == nil {
		return
	}
	k.coefficients(k1, k0, g1, g2, gamma, scale)
	if !k.separate() {
		kernel.NormGrad(d[0], dy, x, k.a, k.b, k1, k0, k.act, k.slope)
		return
	}
	kernel.Parallel(k.batch, 1, func(lo, hi int) {
		for i := lo; i < hi; i++ {
			t, e := k.row(i), k.example(i)
			kernel.NormGrad(d[0][e.lo:e.hi], dy[e.lo:e.hi], x[e.lo:e.hi],
				k.a[t.lo:t.hi], k.b[t.lo:t.hi], k1[t.lo:t.hi], k0[t.lo:t.hi], k.act, k.slope)
		}
	})
}

// sums computes Σ g and Σ g x̂ over the pixels, where g is the gradient before the activation.
func (k *normBackward) sums(g1, g2, dy, x []float32) {
	if !k.separate() {
		kernel.NormGradSums(g1, g2, dy, x, k.mean, k.invStd, k.a, k.b, k.act, k.slope)
		return
	}
	kernel.Parallel(k.batch, 1, func(lo, hi int) {
		for i := lo; i < hi; i++ {
			t, e := k.row(i), k.example(i)
			s := t
			if !k.perExample() {
				s = span{0, k.channels}
			}
			kernel.NormGradSums(g1[t.lo:t.hi], g2[t.lo:t.hi], dy[e.lo:e.hi], x[e.lo:e.hi],
				k.mean[s.lo:s.hi], k.invStd[s.lo:s.hi], k.a[t.lo:t.hi], k.b[t.lo:t.hi], k.act, k.slope)
		}
	})
}

func (k *normBackward) parameterGradients(d [][]float32, g1, g2, gamma, beta, scale []float32) {
	dgamma, dbeta, dscale, dshift := d[1], d[2], d[3], d[4]
	if dshift != nil {
		copy(dshift, g1)
	}
	for i := range dscale {
		if gamma == nil {
			dscale[i] = g2[i]
			continue
		}
		c := i % k.channels
		dscale[i] = gamma[c]*g2[i] + beta[c]*g1[i]
	}
	for j, dst := range [][]float32{dgamma, dbeta} {
		if dst == nil {
			continue
		}
		g := [][]float32{g2, g1}[j]
		for c := range dst {
			s := 0.0
			for i := c; i < len(g); i += k.channels {
				v := float64(g[i])
				if scale != nil {
					v *= 1 + float64(scale[i])
				}
				s += v
			}
			dst[c] = float32(s)
		}
	}
}

// coefficients fills k1 and k0 of dx = a g + k1 x + k0.
func (k *normBackward) coefficients(k1, k0, g1, g2, gamma, scale []float32) {
	if k.over == noNorm || k.over == batchNorm && !k.train {
		clear(k1)
		clear(k0)
		return
	}
	weight := func(i int) float64 { // of the normalised value in the activation's input
		w := 1.0
		if gamma != nil {
			w = float64(gamma[i%k.channels])
		}
		if scale != nil {
			w *= 1 + float64(scale[i])
		}
		return w
	}
	solve := func(s1, s2, count float64, stat int) (float32, float32) {
		inv, mean := float64(k.invStd[stat]), float64(k.mean[stat])
		c1 := -inv * inv * s2 / count
		return float32(c1), float32(-inv*s1/count - c1*mean)
	}
	if k.over == batchNorm {
		for c := range k.channels {
			var s1, s2 float64
			for i := c; i < len(g1); i += k.channels {
				w := weight(i)
				s1 += w * float64(g1[i])
				s2 += w * float64(g2[i])
			}
			p, q := solve(s1, s2, float64(k.batch*k.pixels), c)
			for i := c; i < len(k1); i += k.channels {
				k1[i], k0[i] = p, q
			}
		}
		return
	}
	for g := 0; g < len(g1); g += k.group {
		var s1, s2 float64
		for i := g; i < g+k.group; i++ {
			w := weight(i)
			s1 += w * float64(g1[i])
			s2 += w * float64(g2[i])
		}
		for i := g; i < g+k.group; i++ {
			k1[i], k0[i] = solve(s1, s2, float64(k.pixels*k.group), i)
		}
	}
}
