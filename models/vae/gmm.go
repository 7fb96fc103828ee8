package vae

import (
	"math"
	"math/rand/v2"
	"slices"

	"gonum.org/v1/gonum/floats"
	"gonum.org/v1/gonum/mat"

	"wavemill/internal/stats"
)

// Of the fit of a mixture.
const (
	clipsPerComponent = 20 // with fewer, the mean of a component is unreliable
	emSteps           = 50
)

// expectationMaximisation fits a mixture of at most k Gaussians with one common covariance, from k-means++ seeds
// (Dempster, Laird and Rubin 1977; Arthur and Vassilvitskii 2007).
func expectationMaximisation(z []float32, rows []int, latent, k int, pooled *mat.SymDense, rng *rand.Rand) (mixture, *mat.SymDense) {
	k = max(1, min(k, len(rows)/clipsPerComponent))
	x := make([][]float64, len(rows))
	for i, r := range rows {
		for _, v := range z[r*latent : (r+1)*latent] {
			x[i] = append(x[i], float64(v))
		}
	}
	means := seedMeans(x, k, pooled, rng)
	weights := make([]float64, k)
	for j := range weights {
		weights[j] = 1 / float64(k)
	}
	covariance := pooled
	share := make([][]float64, len(x)) // of each component in each clip
	for i := range share {
		share[i] = make([]float64, k)
	}
	for range emSteps {
		var ch mat.Cholesky
		if !ch.Factorize(ridged(covariance)) {
			break
		}
		for i, row := range x {
			for j := range share[i] {
				share[i][j] = math.Log(weights[j]) - mahalanobis(&ch, row, means[j])/2
			}
			all := floats.LogSumExp(share[i])
			for j, v := range share[i] {
				share[i][j] = math.Exp(v - all)
			}
		}
		scatter := mat.NewSymDense(latent, nil)
		for j := range k {
			var total float64
			mean := make([]float64, latent)
			for i, row := range x {
				total += share[i][j]
				floats.AddScaled(mean, share[i][j], row)
			}
			weights[j] = max(total, 1e-9) / float64(len(x))
			floats.Scale(1/max(total, 1e-9), mean)
			means[j] = mean
			for i, row := range x {
				d := make([]float64, latent)
				floats.SubTo(d, row, mean)
				scatter.SymRankOne(scatter, share[i][j], mat.NewVecDense(latent, d))
			}
		}
		covariance = shrink(scatter, len(x)-k+1, pooled)
	}
	var m mixture
	for j, mean := range means {
		m.mean = append(m.mean, narrow(mean)...)
		m.weight = append(m.weight, float32(weights[j]))
	}
	return m, covariance
}

// seedMeans returns k of the rows as first means, chosen by k-means++ with the Mahalanobis distance of the covariance.
func seedMeans(x [][]float64, k int, covariance *mat.SymDense, rng *rand.Rand) [][]float64 {
	var ch mat.Cholesky
	known := ch.Factorize(ridged(covariance))
	squared := func(i, j int) float64 {
		if !known {
			d := floats.Distance(x[i], x[j], 2)
			return d * d
		}
		return mahalanobis(&ch, x[i], x[j])
	}
	means := make([][]float64, 0, k)
	for _, i := range stats.PlusPlus(slices.Repeat([]float64{math.Inf(1)}, len(x)), k, squared, rng) {
		means = append(means, x[i])
	}
	return means
}

// mahalanobis returns the squared distance of a and b in units of the covariance.
func mahalanobis(ch *mat.Cholesky, a, b []float64) float64 {
	d := make([]float64, len(a))
	floats.SubTo(d, a, b)
	v := mat.NewVecDense(len(d), d)
	var s mat.VecDense
	if err := ch.SolveVecTo(&s, v); err != nil {
		return math.Inf(1)
	}
	return mat.Dot(v, &s)
}

// ridged returns c with a little added to its diagonal.
func ridged(c *mat.SymDense) *mat.SymDense {
	n := c.SymmetricDim()
	r := mat.NewSymDense(n, nil)
	r.CopySym(c)
	for i := range n {
		r.SetSym(i, i, r.At(i, i)+leastVariance)
	}
	return r
}
