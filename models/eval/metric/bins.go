package metric

import (
	"fmt"
	"math"
	"math/rand/v2"
	"slices"

	"wavemill/internal/stats"
)

// Bins partitions a feature space into the cells of cluster centres.
type Bins struct {
	centres [][]float64
}

// Cluster returns k bins around the means that k-means finds from k-means++ starting points, drawn by seed. It stops
// when no point changes its bin, or after 100 rounds. A bin that becomes empty takes the point farthest from its own
// centre (stats.RefillEmpty).
func Cluster(features [][]float64, k int, seed uint64) (*Bins, error) {
	if _, err := table("features", features, max(1, k)); err != nil {
		return nil, err
	}
	if k < 1 {
		return nil, fmt.Errorf("metric: %d clusters", k)
	}
	width := len(features[0])
	found, err := stats.KMeans(slices.Concat(features...), width, k, stats.KMeansOptions{Empty: stats.RefillEmpty}, rand.New(rand.NewPCG(seed, 0x6b6d)))
	if err != nil {
		return nil, fmt.Errorf("metric: %w", err)
	}
	return &Bins{centres: slices.Collect(slices.Chunk(found.Centres, width))}, nil
}

// Len is the number of bins.
func (b *Bins) Len() int { return len(b.centres) }

// Assign returns the bin of each row.
func (b *Bins) Assign(features [][]float64) ([]int, error) {
	if _, err := pair("the features", features, "the centres", b.centres, 1); err != nil {
		return nil, err
	}
	bin, _ := nearest(features, b.centres, false)
	return bin, nil
}

// Count returns how many of the features fall into each bin.
func (b *Bins) Count(features [][]float64) ([]int, error) {
	bin, err := b.Assign(features)
	if err != nil {
		return nil, err
	}
	count := make([]int, len(b.centres))
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
