package vae

import (
	"errors"
	"fmt"
	"math/rand/v2"

	"gonum.org/v1/gonum/mat"

	"wavemill/models"
)

// A prior is a Gaussian over the latents for every label: mean + factor eps, factor lower triangular.
type prior struct {
	latent int
	mean   [][]float32 // [labels][Z]
	factor [][]float32 // [labels][Z Z], row-major
}

// normalPrior returns N(0, I) for every label.
func normalPrior(labels, latent int) *prior {
	p := &prior{latent: latent}
	for range labels {
		f := make([]float32, latent*latent)
		for i := range latent {
			f[i*latent+i] = 1
		}
		p.mean, p.factor = append(p.mean, make([]float32, latent)), append(p.factor, f)
	}
	return p
}

// draw adds to dst the latents of clip number i of a series. They depend on nothing else.
func (p *prior) draw(dst []float32, label int, seed uint64, i int, temperature float64) []float32 {
	rng := rand.New(rand.NewPCG(seed, 0x636c6970+uint64(i)))
	eps := make([]float64, p.latent)
	for j := range eps {
		eps[j] = temperature * rng.NormFloat64()
	}
	for j := range p.latent {
		v := float64(p.mean[label][j])
		for k := range j + 1 {
			v += float64(p.factor[label][j*p.latent+k]) * eps[k]
		}
		dst = append(dst, float32(v))
	}
	return dst
}

// fitPrior fits a Gaussian with full covariance to the latents [B, Z] of each label. Few clips say little about a
// covariance, so each is drawn towards that within all labels, by Z / (Z + 5 n) for n clips.
func fitPrior(z []float32, labels []int, count, latent int) (*prior, error) {
	groups := make([][]int, count)
	for i, l := range labels {
		groups[l] = append(groups[l], i)
	}
	means := make([][]float64, count)
	scatter := make([]*mat.SymDense, count)
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
	for l, of := range groups {
		own := 1 - float64(latent)/float64(latent+5*len(of))
		if len(of) < 2 {
			own = 0
		}
		c := mat.NewSymDense(latent, nil)
		for i := range latent {
			for j := i; j < latent; j++ {
				c.SetSym(i, j, own*scatter[l].At(i, j)/float64(max(1, len(of)-1))+(1-own)*pooled.At(i, j))
			}
		}
		f, err := factor(c)
		if err != nil {
			return nil, fmt.Errorf("vae: prior of label %d: %w", l, err)
		}
		p.mean, p.factor = append(p.mean, narrow(means[l])), append(p.factor, f)
	}
	return p, nil
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

// factor returns the lower Cholesky factor of c, with as much added to the diagonal as it takes.
func factor(c *mat.SymDense) ([]float32, error) {
	n := c.SymmetricDim()
	var ch mat.Cholesky
	for ridge := 1e-6; ridge < 1; ridge *= 10 {
		r := mat.NewSymDense(n, nil)
		r.CopySym(c)
		for i := range n {
			r.SetSym(i, i, r.At(i, i)+ridge)
		}
		if !ch.Factorize(r) {
			continue
		}
		var l mat.TriDense
		ch.LTo(&l)
		f := make([]float32, n*n)
		for i := range n {
			for j := range i + 1 {
				f[i*n+j] = float32(l.At(i, j))
			}
		}
		return f, nil
	}
	return nil, errors.New("the covariance of the latents cannot be factored")
}

func narrow(x []float64) []float32 {
	y := make([]float32, len(x))
	for i, v := range x {
		y[i] = float32(v)
	}
	return y
}

// Names of the prior's tensors.
const (
	tensorMean   = "prior/mean"   // [labels, Z]
	tensorFactor = "prior/factor" // [labels, Z, Z]
)

func (p *prior) tensors() []models.Tensor {
	n := len(p.mean)
	mean := models.Tensor{Name: tensorMean, Shape: []int{n, p.latent}}
	factor := models.Tensor{Name: tensorFactor, Shape: []int{n, p.latent, p.latent}}
	for l := range n {
		mean.Data = append(mean.Data, p.mean[l]...)
		factor.Data = append(factor.Data, p.factor[l]...)
	}
	return []models.Tensor{mean, factor}
}

// openPrior reads what tensors returned.
func openPrior(c models.Checkpoint, labels, latent int) (*prior, error) {
	mean, err := c.Tensor(tensorMean)
	if err != nil {
		return nil, err
	}
	factor, err := c.Tensor(tensorFactor)
	if err != nil {
		return nil, err
	}
	if len(mean.Data) != labels*latent || len(factor.Data) != labels*latent*latent {
		return nil, fmt.Errorf("vae: prior of shapes %v and %v for %d labels and %d latents", mean.Shape, factor.Shape, labels, latent)
	}
	p := &prior{latent: latent}
	for l := range labels {
		p.mean = append(p.mean, mean.Data[l*latent:(l+1)*latent])
		p.factor = append(p.factor, factor.Data[l*latent*latent:(l+1)*latent*latent])
	}
	return p, nil
}
