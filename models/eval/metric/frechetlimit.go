package metric

import (
	"fmt"
	"math/rand/v2"

	"gonum.org/v1/gonum/stat"
)

const (
	limitSizes   = 6  // numbers of clips that the limit is extrapolated from
	limitSubsets = 3  // of each number
	limitGroups  = 10 // left out in turn, for the uncertainty
	// limitRows is how many clips there must be for each feature: with fewer the distance is no straight line over 1/n.
	limitRows = 2
)

// LimitRows is how many rows FrechetLimit needs: twice as many as there are features.
func (r *Reference) LimitRows() int { return limitRows * len(r.mean) }

// FrechetLimit is the Fréchet distance that infinitely many clips of the distribution of x would have. The distance of n
// clips is too large by an amount in proportion to 1/n; the limit is where the straight line through the distances of
// random subsets of x, from half of x to all of it, meets 1/n = 0. It may be slightly negative. The reference stays the
// finite set that it is. Source: Chong and Forsyth, Effectively Unbiased FID and Inception Score, 2020; for sound Gui et
// al., Adapting Fréchet Audio Distance for Generative Music Evaluation, 2024.
//
// It also returns the limits without each tenth of x in turn, for a jackknife.
func (r *Reference) FrechetLimit(x [][]float64, seed uint64) (limit float64, without []float64, err error) {
	if len(x) < r.LimitRows() {
		return 0, nil, fmt.Errorf("metric: the limit of the Fréchet distance needs %d clips or more, twice as many as features; there are %d", r.LimitRows(), len(x))
	}
	rng := rand.New(rand.NewPCG(seed, 0x6c696d6974))
	order := rng.Perm(len(x))
	if limit, err = r.limit(x, order, rng); err != nil {
		return 0, nil, err
	}
	without = make([]float64, limitGroups)
	for g := range without {
		var rest []int
		for at, i := range order {
			if at%limitGroups != g {
				rest = append(rest, i)
			}
		}
		if without[g], err = r.limit(x, rest, rng); err != nil {
			return 0, nil, err
		}
	}
	return limit, without, nil
}

// limit extrapolates from the rows of x with the given indices.
func (r *Reference) limit(x [][]float64, indices []int, rng *rand.Rand) (float64, error) {
	var inverse, distance []float64
	n := len(indices)
	shuffled := append([]int(nil), indices...)
	for k := range limitSizes {
		// Evenly spaced in 1/n, from twice that of all clips.
		size := int(float64(n) / (2 - float64(k)/(limitSizes-1)))
		for range limitSubsets {
			rng.Shuffle(n, func(i, j int) { shuffled[i], shuffled[j] = shuffled[j], shuffled[i] })
			rows := make([][]float64, size)
			for i, at := range shuffled[:size] {
				rows[i] = x[at]
			}
			d, err := r.Frechet(rows)
			if err != nil {
				return 0, err
			}
			inverse, distance = append(inverse, 1/float64(size)), append(distance, d)
		}
	}
	at0, _ := stat.LinearRegression(inverse, distance, nil, false)
	return at0, nil
}
