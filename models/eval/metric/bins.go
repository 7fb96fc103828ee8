package metric

import (
	"fmt"
	"math"
	"math/rand/v2"
)

// Bins partitions a feature space into the cells of cluster centres.
type Bins struct {
	centres [][]float64
}

// Cluster returns k bins around the means that Lloyd's algorithm finds from k-means++ starting points, drawn by seed.
// It stops when no point changes its bin, or after 100 rounds.
//
// Source: Arthur and Vassilvitskii, k-means++: the advantages of careful seeding, 2007.
func Cluster(features [][]float64, k int, seed uint64) (*Bins, error) {
	if _, err := table("features", features, max(1, k)); err != nil {
		return nil, err
	}
	if k < 1 {
		return nil, fmt.Errorf("metric: %d clusters", k)
	}
	rng := rand.New(rand.NewPCG(seed, 0x6b6d))
	b := &Bins{centres: plusPlus(features, k, rng)}
	var last []int
	for range 100 {
		bin, distance := nearest(features, b.centres, false)
		if last != nil && equal(bin, last) {
			break
		}
		last = bin
		b.centres = means(features, bin, distance, k)
	}
	return b, nil
}

// plusPlus draws starting points: each with a probability proportional to its squared distance from those before.
func plusPlus(x [][]float64, k int, rng *rand.Rand) [][]float64 {
	centres := [][]float64{x[rng.IntN(len(x))]}
	weight := make([]float64, len(x))
	for i := range weight {
		weight[i] = math.Inf(1)
	}
	for len(centres) < k {
		var total float64
		for i, row := range x {
			d := euclid(row, centres[len(centres)-1])
			weight[i] = min(weight[i], d*d)
			total += weight[i]
		}
		u := rng.Float64() * total
		next := len(x) - 1
		for i, w := range weight {
			if u -= w; u < 0 {
				next = i
				break
			}
		}
		centres = append(centres, x[next])
	}
	return centres
}

// means returns the mean of each bin. An empty bin takes the point farthest from its own centre.
func means(x [][]float64, bin []int, distance []float64, k int) [][]float64 {
	sum, count := make([][]float64, k), make([]float64, k)
	for b := range sum {
		sum[b] = make([]float64, len(x[0]))
	}
	for i, row := range x {
		count[bin[i]]++
		for j, v := range row {
			sum[bin[i]][j] += v
		}
	}
	for b := range sum {
		if count[b] == 0 {
			far := 0
			for i, d := range distance {
				if d > distance[far] {
					far = i
				}
			}
			distance[far] = 0
			copy(sum[b], x[far])
			continue
		}
		for j := range sum[b] {
			sum[b][j] /= count[b]
		}
	}
	return sum
}

func equal(a, b []int) bool {
	for i, v := range a {
		if v != b[i] {
			return false
		}
	}
	return true
}

// Len is the number of bins.
func (b *Bins) Len() int { return len(b.centres) }

// Count returns how many of the features fall into each bin.
func (b *Bins) Count(features [][]float64) ([]int, error) {
	if _, err := pair("the features", features, "the centres", b.centres, 1); err != nil {
		return nil, err
	}
	count := make([]int, len(b.centres))
	bin, _ := nearest(features, b.centres, false)
	for _, i := range bin {
		count[i]++
	}
	return count, nil
}

// Different is the share of statistically different bins, NDB/k: bins whose proportion of clips differs between the
// two sets by a two-sided two-proportion z-test with pooled variance at the 5 % level. Two samples of one distribution
// have 0.05 in the mean; a set that misses modes or repeats one has more.
//
// Source: Richardson and Weiss, On GANs and GMMs, 2018.
func Different(x, y []int) (float64, error) {
	if len(x) == 0 || len(x) != len(y) {
		return 0, fmt.Errorf("metric: counts of %d and %d bins", len(x), len(y))
	}
	var n, m float64
	for i := range x {
		n += float64(x[i])
		m += float64(y[i])
	}
	if n == 0 || m == 0 {
		return 0, fmt.Errorf("metric: bins of %g and %g clips", n, m)
	}
	const critical = 1.959963984540054 // the 97.5 % quantile of the standard normal distribution
	different := 0
	for i := range x {
		p, q := float64(x[i])/n, float64(y[i])/m
		pooled := (p*n + q*m) / (n + m)
		se := math.Sqrt(pooled * (1 - pooled) * (1/n + 1/m))
		if se > 0 && math.Abs(p-q)/se > critical {
			different++
		}
	}
	return float64(different) / float64(len(x)), nil
}
