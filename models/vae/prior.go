package vae

import (
	"fmt"
	"math"
	"math/rand/v2"
	"slices"

	"gonum.org/v1/gonum/mat"

	"wavemill/internal/stats"
	"wavemill/models"
	"wavemill/models/internal/shape"
)

// A prior is a mixture of Gaussians over the latents for every label, or one for all of them. The components of a label
// share their covariance.
type prior struct {
	latent int
	labels []mixture
}

// A mixture draws one of its means, or a point between one and its neighbours where it has a neighbourhood, and adds
// factor eps, factor lower triangular.
type mixture struct {
	mean   []float32 // [K, Z]
	weight []float32 // [K], adding to 1
	factor []float32 // [Z, Z], row-major
	image  []float32 // [K, bins], see tensorImage; nil: none
	neighbourhood
}

// normalPrior returns N(0, I) for every label.
func normalPrior(labels, latent int) *prior {
	p := &prior{latent: latent}
	for range labels {
		f := make([]float32, latent*latent)
		for i := range latent {
			f[i*latent+i] = 1
		}
		p.labels = append(p.labels, mixture{mean: make([]float32, latent), weight: []float32{1}, factor: f})
	}
	return p
}

// component returns the component of a label at a place in [0, 1).
func (p *prior) component(label int, at float64) int {
	m := p.labels[min(label, len(p.labels)-1)]
	for c, w := range m.weight {
		if at -= float64(w); at < 0 {
			return c
		}
	}
	return len(m.weight) - 1
}

// drawFrom appends latents of a label to dst, drawn from its component k.
func (p *prior) drawFrom(dst []float32, label, k int, rng *rand.Rand, temperature float64) []float32 {
	m := p.labels[min(label, len(p.labels)-1)]
	eps := make([]float64, p.latent)
	for j := range eps {
		eps[j] = temperature * rng.NormFloat64()
	}
	between := Mix{Clip: [mixed]int{k, k, k}, Share: [mixed]float64{1}}
	if m.size > 0 {
		between = Between(k, m.near[k*m.size:(k+1)*m.size], rng)
	}
	for j := range p.latent {
		var v float64
		for i, clip := range between.Clip {
			v += between.Share[i] * float64(m.mean[clip*p.latent+j])
		}
		for k := range j + 1 {
			v += float64(m.factor[j*p.latent+k]) * eps[k]
		}
		dst = append(dst, float32(v))
	}
	return dst
}

// priors is how many labels have a prior of their own.
func (c Config) priors(s shape.Shape) int {
	if c.Unconditional {
		return 1
	}
	return s.Labels
}

// fitPrior fits the configuration's prior to the latents z [B, Z] of each label; with PriorFlow a class Gaussian, for
// programs that do not implement flows.
func fitPrior(c Config, z []float32, labels []int, count int, seed uint64) (*prior, error) {
	latent := c.Latent
	if c.Unconditional {
		labels, count = make([]int, len(labels)), 1
	}
	if c.Prior == PriorNormal {
		return normalPrior(count, latent), nil
	}
	groups := make([][]int, count)
	for i, l := range labels {
		groups[l] = append(groups[l], i)
	}
	scatter := make([]*mat.SymDense, count)
	means := make([][]float64, count)
	pooled := mat.NewSymDense(latent, nil)
	for l, of := range groups {
		if len(of) == 0 {
			return nil, fmt.Errorf("vae: label %d has no training clips", l)
		}
		means[l], scatter[l] = moments(z, of, latent)
		pooled.AddSym(pooled, scatter[l])
	}
	pooled.ScaleSym(1/float64(max(1, len(labels)-count)), pooled)
	p := &prior{latent: latent}
	rare := rareLabels(groups)
	for l, of := range groups {
		var m mixture
		var covariance *mat.SymDense
		kind := c.Prior
		if rare[l] && (kind == PriorKDE || kind == PriorManifold || kind == PriorGMM) {
			kind = priorTransferred
		}
		switch kind {
		case priorTransferred:
			m, covariance = transferred(z, of, means[l]), pooled
		case PriorKDE:
			m, covariance = kernels(z, of, means[l], shrink(scatter[l], len(of), pooled), c.Bandwidth)
		case PriorManifold:
			m, covariance = manifold(z, of, latent, shrink(scatter[l], len(of), pooled), c)
		case PriorGMM:
			m, covariance = expectationMaximisation(z, of, latent, c.Components, pooled, rand.New(rand.NewPCG(seed, uint64(l))))
		default:
			m, covariance = mixture{mean: narrow(means[l]), weight: []float32{1}}, shrink(scatter[l], len(of), pooled)
		}
		factor, _, err := stats.CholeskyRidge(covariance, leastVariance)
		if err != nil {
			return nil, fmt.Errorf("vae: prior of label %d: %w", l, err)
		}
		m.factor = narrow(factor)
		p.labels = append(p.labels, m)
	}
	return p, nil
}

// leastVariance is added to the variance of every latent before a covariance is factored.
const leastVariance = 1e-6

// kernelLimit is the largest number of a label's clips that a kernel density or a manifold uses.
const kernelLimit = 4096

// kernels returns a Gaussian of covariance h² C around each of the latents, which are first moved towards their mean by
// the factor sqrt(1-h²), so that the density has the mean and the covariance C of the latents (West 1993).
func kernels(z []float32, rows []int, mean []float64, covariance *mat.SymDense, h float64) (mixture, *mat.SymDense) {
	latent := len(mean)
	stride := (len(rows) + kernelLimit - 1) / kernelLimit
	var m mixture
	for i := 0; i < len(rows); i += stride {
		for j, v := range z[rows[i]*latent : (rows[i]+1)*latent] {
			m.mean = append(m.mean, float32(mean[j]+math.Sqrt(1-h*h)*(float64(v)-mean[j])))
		}
	}
	n := len(m.mean) / latent
	m.weight = slices.Repeat([]float32{1 / float32(n)}, n)
	var c mat.SymDense
	c.ScaleSym(h*h, covariance)
	return m, &c
}

// manifold returns the latents with their neighbourhoods, and the covariance of the noise that is added to points between
// them.
func manifold(z []float32, rows []int, latent int, covariance *mat.SymDense, config Config) (mixture, *mat.SymDense) {
	stride := (len(rows) + kernelLimit - 1) / kernelLimit
	var m mixture
	for i := 0; i < len(rows); i += stride {
		m.mean = append(m.mean, z[rows[i]*latent:(rows[i]+1)*latent]...)
	}
	n := len(m.mean) / latent
	m.weight = slices.Repeat([]float32{1 / float32(n)}, n)
	m.neighbourhood = nearest(m.mean, latent, config.NeighboursOf(n))
	var c mat.SymDense
	c.ScaleSym(config.Bandwidth*config.Bandwidth, covariance)
	return m, &c
}

// shrink returns the covariance of n clips with the given scatter. The estimate from few clips is unreliable, so it is
// averaged with the covariance within all labels, whose weight is Z / (Z + 5 n).
func shrink(scatter *mat.SymDense, n int, pooled *mat.SymDense) *mat.SymDense {
	latent := pooled.SymmetricDim()
	own := 1 - float64(latent)/float64(latent+5*n)
	if n < 2 {
		own = 0
	}
	c := mat.NewSymDense(latent, nil)
	for i := range latent {
		for j := i; j < latent; j++ {
			c.SetSym(i, j, own*scatter.At(i, j)/float64(max(1, n-1))+(1-own)*pooled.At(i, j))
		}
	}
	return c
}

// moments returns the mean of the rows of z and the sum of the outer products of their deviations.
func moments(z []float32, rows []int, latent int) ([]float64, *mat.SymDense) {
	mean := make([]float64, latent)
	for _, r := range rows {
		for j, v := range z[r*latent : (r+1)*latent] {
			mean[j] += float64(v) / float64(len(rows))
		}
	}
	sum := mat.NewSymDense(latent, nil)
	d := mat.NewVecDense(latent, nil)
	for _, r := range rows {
		for j, v := range z[r*latent : (r+1)*latent] {
			d.SetVec(j, float64(v)-mean[j])
		}
		sum.SymRankOne(sum, 1, d)
	}
	return mean, sum
}

func narrow(x []float64) []float32 {
	y := make([]float32, len(x))
	for i, v := range x {
		y[i] = float32(v)
	}
	return y
}

// Names of the prior's tensors. C is the number of components of all labels together.
const (
	tensorMean   = "prior/mean"   // [C, Z]
	tensorWeight = "prior/weight" // [C]
	tensorCount  = "prior/count"  // [labels]: components of each
	tensorFactor = "prior/factor" // [labels, Z, Z]
	tensorNear   = "prior/near"   // [N]: for every label the size of its neighbourhoods, and then these, [K, size]
)

func (p *prior) tensors() []models.Tensor {
	mean := models.Tensor{Name: tensorMean}
	weight := models.Tensor{Name: tensorWeight}
	count := models.Tensor{Name: tensorCount, Shape: []int{len(p.labels)}}
	factor := models.Tensor{Name: tensorFactor, Shape: []int{len(p.labels), p.latent, p.latent}}
	near, local := models.Tensor{Name: tensorNear}, false
	for _, m := range p.labels {
		near.Data, local = append(near.Data, float32(m.size)), local || m.size > 0
		for _, clip := range m.near {
			near.Data = append(near.Data, float32(clip))
		}
		mean.Data = append(mean.Data, m.mean...)
		weight.Data = append(weight.Data, m.weight...)
		count.Data = append(count.Data, float32(len(m.weight)))
		factor.Data = append(factor.Data, m.factor...)
	}
	weight.Shape = []int{len(weight.Data)}
	mean.Shape = []int{len(weight.Data), p.latent}
	t := []models.Tensor{mean, weight, count, factor}
	if local {
		near.Shape = []int{len(near.Data)}
		t = append(t, near)
	}
	return append(t, p.imageTensor()...)
}

// openPrior reads what tensors returned.
func openPrior(c models.Checkpoint, labels, latent int) (*prior, error) {
	data := map[string][]float32{}
	for _, name := range []string{tensorMean, tensorWeight, tensorCount, tensorFactor} {
		t, err := c.Tensor(name)
		if err != nil {
			return nil, err
		}
		data[name] = t.Data
	}
	total := len(data[tensorWeight])
	if len(data[tensorCount]) != labels || len(data[tensorMean]) != total*latent || len(data[tensorFactor]) != labels*latent*latent {
		return nil, fmt.Errorf("vae: a prior of %d components for %d labels and %d latents does not fit its tensors", total, labels, latent)
	}
	p := &prior{latent: latent}
	at := 0
	for l, n := range data[tensorCount] {
		if n < 1 || n != float32(int(n)) || int(n) > total-at {
			return nil, fmt.Errorf("vae: prior: label %d has %g components of %d", l, n, total)
		}
		end := at + int(n)
		p.labels = append(p.labels, mixture{
			mean: data[tensorMean][at*latent : end*latent], weight: data[tensorWeight][at:end],
			factor: data[tensorFactor][l*latent*latent : (l+1)*latent*latent],
		})
		at = end
	}
	if err := p.openNeighbourhoods(c); err != nil {
		return nil, err
	}
	return p, p.openImages(c)
}

// openNeighbourhoods reads the neighbourhoods, if there are any.
func (p *prior) openNeighbourhoods(c models.Checkpoint) error {
	if !slices.ContainsFunc(c.Tensors, func(t models.Tensor) bool { return t.Name == tensorNear }) {
		return nil
	}
	t, err := c.Tensor(tensorNear)
	if err != nil {
		return err
	}
	rest := t.Data
	for l := range p.labels {
		m := &p.labels[l]
		k := len(m.weight)
		if len(rest) == 0 || !(rest[0] >= 0 && rest[0] < float32(k)) || len(rest)-1 < k*int(rest[0]) {
			return fmt.Errorf("vae: tensor %s ends within the neighbourhoods of label %d, or has a size that cannot be", tensorNear, l)
		}
		m.size = int(rest[0])
		for _, v := range rest[1 : 1+k*m.size] {
			if !(v >= 0 && v < float32(k)) {
				return fmt.Errorf("vae: tensor %s: label %d has no clip %g; it has %d", tensorNear, l, v, k)
			}
			m.near = append(m.near, int32(v))
		}
		rest = rest[1+k*m.size:]
	}
	if len(rest) > 0 {
		return fmt.Errorf("vae: tensor %s has %d values too many", tensorNear, len(rest))
	}
	return nil
}
