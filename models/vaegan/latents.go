package vaegan

import (
	"fmt"
	"math"
	"math/rand/v2"
	"slices"

	"gonum.org/v1/gonum/mat"

	"wavemill/internal/stats"
	"wavemill/models"
	"wavemill/models/vae"
)

// latents tracks the means and covariances of each label's latents in the second phase, so that the decoder is also
// trained on latents as the prior will draw them. Everything is float32 and changed in place, so that a resumed run is
// exact.
type latents struct {
	width int
	count []float32 // [labels], limited to memory
	mean  []float32 // [labels, Z]
	cov   []float32 // [labels, Z, Z]
	bank  []float32 // [labels, banked, Z]: the latents seen last, for the manifold
	seen  []float32 // [labels]: how many there are, and beyond banked modulo it where the next goes

	// Scratch: the factor of each label's covariance where it is up to date, a deviation, a draw of noise.
	factor []float64 // [labels, Z, Z]
	fresh  []bool    // [labels]
	dev    []float32 // [Z]
	noise  []float64 // [Z]
	search vae.Search
}

// memory is about the number of clips of a label that the moments average over.
const memory = 500

// banked is the number of a label's latents that the bank holds: all of a label of up to 256 recordings.
const banked = 256

func newLatents(labels, width int) *latents {
	return &latents{
		bank: make([]float32, labels*banked*width), seen: make([]float32, labels),
		width: width, count: make([]float32, labels), mean: make([]float32, labels*width), cov: make([]float32, labels*width*width),
		factor: make([]float64, labels*width*width), fresh: make([]bool, labels), dev: make([]float32, width), noise: make([]float64, width),
	}
}

// observe takes one clip's latents into its label's moments.
func (p *latents) observe(label int, z []float32) {
	p.fresh[label] = false
	at := (label*banked + int(p.seen[label])%banked) * p.width
	copy(p.bank[at:at+p.width], z)
	if p.seen[label]++; p.seen[label] == 2*banked {
		p.seen[label] = banked
	}
	n := p.count[label]
	p.count[label] = min(n+1, memory)
	rate := 1 / (n + 1)
	mean := p.mean[label*p.width : (label+1)*p.width]
	cov := p.cov[label*p.width*p.width : (label+1)*p.width*p.width]
	d := p.dev
	for i, v := range z {
		d[i] = v - mean[i]
		mean[i] += rate * d[i]
	}
	// Welford's update, exponentially forgetting: (1-r) C + r (1-r) d dᵀ.
	for i := range d {
		row := cov[i*p.width : (i+1)*p.width]
		k := rate * (1 - rate) * d[i]
		for j := range row {
			row[j] = (1-rate)*row[j] + k*d[j]
		}
	}
}

// drawAs appends latents of a label to dst, drawn like those of package vae's prior. The kernel density and the manifold
// begin at z, the latents of a clip of the label.
func (p *latents) drawAs(dst []float32, label int, z []float32, c vae.Config, rng *rand.Rand) []float32 {
	switch c.Prior {
	case vae.PriorManifold:
		return p.between(dst, label, z, c, rng)
	case vae.PriorKDE:
		return p.around(dst, label, z, c.Bandwidth, c.Temperature, rng)
	default:
		return p.draw(dst, label, c.Temperature, rng)
	}
}

// draw appends latents of a label to dst: a Gaussian with the moments seen so far, N(0, I) while there are few.
func (p *latents) draw(dst []float32, label int, temperature float64, rng *rand.Rand) []float32 {
	return p.around(dst, label, nil, 1, temperature, rng)
}

// between is draw from the manifold, as package vae's: between the latents z of a clip of the label and the ones near
// them among those seen last, with noise of h times the label's deviation.
func (p *latents) between(dst []float32, label int, z []float32, c vae.Config, rng *rand.Rand) []float32 {
	n := min(int(p.seen[label]), banked)
	bank := p.bank[label*banked*p.width:][:n*p.width]
	near := p.search.Near(z, bank, c.NeighboursOf(n)+1, -1)
	if len(near) > 0 && slices.Equal(z, bank[int(near[0])*p.width:][:p.width]) {
		near = near[1:] // the clip itself, which has just been seen
	}
	mix := vae.Between(-1, near, rng)
	middle := make([]float32, p.width)
	for k, clip := range mix.Clip {
		of := z
		if clip >= 0 {
			of = bank[clip*p.width:][:p.width]
		}
		for i, v := range of {
			middle[i] += float32(mix.Share[k]) * v
		}
	}
	return p.noisy(dst, label, middle, 1, c.Bandwidth, c.Temperature, rng)
}

// around is draw from a kernel density, as package vae's: the latents z of a clip of the label, drawn towards their mean
// by sqrt(1-h²), and noise of h times the label's deviation.
func (p *latents) around(dst []float32, label int, z []float32, h, temperature float64, rng *rand.Rand) []float32 {
	return p.noisy(dst, label, z, math.Sqrt(1-h*h), h, temperature, rng)
}

// noisy appends the label's mean, and keep times the deviation of z from it where there is z, and h times noise of the
// label's covariance.
func (p *latents) noisy(dst []float32, label int, z []float32, keep, h, temperature float64, rng *rand.Rand) []float32 {
	n := p.width
	eps := p.noise
	for i := range eps {
		eps[i] = temperature * rng.NormFloat64()
	}
	if int(p.count[label]) < 2*n {
		for _, e := range eps {
			dst = append(dst, float32(e))
		}
		return dst
	}
	factor := p.factor[label*n*n : (label+1)*n*n]
	if !p.fresh[label] {
		p.factorise(label)
	}
	for i := range n {
		v := float64(p.mean[label*n+i])
		if z != nil {
			v += keep * (float64(z[i]) - v)
		}
		for j := range i + 1 {
			v += h * factor[i*n+j] * eps[j]
		}
		dst = append(dst, float32(v))
	}
	return dst
}

// factorise puts the lower factor of a label's covariance into its place. A covariance that is not finite has none; then
// the losses are not finite either, which the trainer reports.
func (p *latents) factorise(label int) {
	n := p.width
	from := p.cov[label*n*n : (label+1)*n*n]
	c := mat.NewSymDense(n, nil)
	for i := range n {
		for j := range i + 1 {
			c.SetSym(j, i, float64(from[i*n+j]))
		}
	}
	if lower, _, err := stats.CholeskyRidge(c, leastVariance); err == nil {
		copy(p.factor[label*n*n:], lower)
	}
	p.fresh[label] = true
}

// leastVariance is added to the variance of every latent before a covariance is factored: that of a few clips has
// directions without variance.
const leastVariance = 1e-8

// Names of the moments' tensors.
const (
	tensorCount = models.OptimizerPrefix + "latents/count"
	tensorMean  = models.OptimizerPrefix + "latents/mean"
	tensorCov   = models.OptimizerPrefix + "latents/covariance"
	tensorBank  = models.OptimizerPrefix + "latents/bank"
	tensorSeen  = models.OptimizerPrefix + "latents/seen"
)

func (p *latents) tensors() []models.Tensor {
	n := len(p.count)
	return []models.Tensor{
		{Name: tensorCount, Shape: []int{n}, Data: append([]float32(nil), p.count...)},
		{Name: tensorMean, Shape: []int{n, p.width}, Data: append([]float32(nil), p.mean...)},
		{Name: tensorCov, Shape: []int{n, p.width, p.width}, Data: append([]float32(nil), p.cov...)},
		{Name: tensorBank, Shape: []int{n, banked, p.width}, Data: append([]float32(nil), p.bank...)},
		{Name: tensorSeen, Shape: []int{n}, Data: append([]float32(nil), p.seen...)},
	}
}

func (p *latents) restore(c models.Checkpoint) error {
	for name, to := range map[string][]float32{tensorCount: p.count, tensorMean: p.mean, tensorCov: p.cov, tensorBank: p.bank, tensorSeen: p.seen} {
		t, err := c.Tensor(name)
		if err != nil {
			return err
		}
		if len(t.Data) != len(to) {
			return fmt.Errorf("vaegan: tensor %s has shape %v, want %d values", name, t.Shape, len(to))
		}
		copy(to, t.Data)
	}
	clear(p.fresh)
	return nil
}
