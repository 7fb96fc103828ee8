package stats

import (
	"errors"
	"fmt"
	"math"
	"math/rand/v2"
	"slices"
)

// Interval is a confidence interval.
type Interval struct {
	Low  float64 `json:"low"`
	High float64 `json:"high"`
	// Level is the confidence level, for example 0.95.
	Level float64 `json:"level"`
}

// Contains reports whether v lies in the interval, its ends included. A difference whose interval
// contains 0 is no difference.
func (i Interval) Contains(v float64) bool { return i.Low <= v && v <= i.High }

// ErrTooFew is the error of intervals from fewer than two items: their spread is unknown.
var ErrTooFew = errors.New("stats: an interval takes two items or more")

// Bootstrap computes percentile intervals (Efron and Tibshirani, "An Introduction to the Bootstrap",
// 1993, chapter 13): items are drawn with replacement, and the interval is that of the figures computed
// from the draws. With few items (below about 20) it is too narrow. The zero value makes 2,000 draws for
// a level of 0.95 from seed 0.
type Bootstrap struct {
	Draws int     // 0 means 2,000, for which the ends vary by some percent of the width.
	Level float64 // 0 means 0.95.
	Seed  uint64
}

// Rows returns the interval of any figure of n items: figure computes it from the numbers of the drawn
// items, of which there are n with repetitions. The slice is overwritten by the next draw. Draws whose
// figure is NaN, because the drawn items do not define it, are left out; it is an error if all are.
func (b Bootstrap) Rows(n int, figure func(rows []int) float64) (Interval, error) {
	if n < 2 {
		return Interval{}, ErrTooFew
	}
	rows := make([]int, n)
	return b.interval(func(rng *rand.Rand) float64 {
		draw(rows, rng)
		return figure(rows)
	})
}

// Mean returns the interval of the mean of x.
func (b Bootstrap) Mean(x []float64) (Interval, error) {
	if err := finite(x); err != nil {
		return Interval{}, err
	}
	return b.Rows(len(x), func(rows []int) float64 { return meanOf(x, rows) })
}

// PairedDifference returns the interval of the mean of x[i]-y[i], where both are of the same item i.
func (b Bootstrap) PairedDifference(x, y []float64) (Interval, error) {
	d, err := differences(x, y)
	if err != nil {
		return Interval{}, err
	}
	return b.Mean(d)
}

// SeedMean returns the interval of the mean over seeds and items: x[s] holds the items of seed s. Each
// draw takes seeds with replacement, and items with replacement within each. With shared, item i is the
// same recording under every seed, and a draw takes the same items for all its seeds; all x[s] must then
// be of equal length. Without, each seed has items of its own (its own clips), in any number. The mean
// weighs all seeds alike. With one seed the interval says nothing about other seeds.
func (b Bootstrap) SeedMean(x [][]float64, shared bool) (Interval, error) {
	if len(x) == 0 {
		return Interval{}, ErrTooFew
	}
	longest := 0
	for s, items := range x {
		if len(items) < 2 {
			return Interval{}, fmt.Errorf("%w: seed %d of %d has %d", ErrTooFew, s+1, len(x), len(items))
		}
		if shared && len(items) != len(x[0]) {
			return Interval{}, fmt.Errorf("stats: seed %d has %d items and seed 1 has %d, so they cannot be the same", s+1, len(items), len(x[0]))
		}
		if err := finite(items); err != nil {
			return Interval{}, err
		}
		longest = max(longest, len(items))
	}
	buffer := make([]int, longest)
	return b.interval(func(rng *rand.Rand) float64 {
		if shared {
			draw(buffer, rng)
		}
		sum := 0.0
		for range x {
			items := x[rng.IntN(len(x))]
			rows := buffer[:len(items)]
			if !shared {
				draw(rows, rng)
			}
			sum += meanOf(items, rows)
		}
		return sum / float64(len(x))
	})
}

// SeedPairedDifference returns the interval of the mean of x[s][i]-y[s][i] over seeds s and items i, where
// both are of the same seed and item; see SeedMean for shared.
func (b Bootstrap) SeedPairedDifference(x, y [][]float64, shared bool) (Interval, error) {
	if len(x) != len(y) {
		return Interval{}, fmt.Errorf("stats: %d and %d seeds cannot be paired", len(x), len(y))
	}
	d := make([][]float64, len(x))
	for s := range x {
		var err error
		if d[s], err = differences(x[s], y[s]); err != nil {
			return Interval{}, err
		}
	}
	return b.SeedMean(d, shared)
}

// interval draws the figure and takes the interval's ends.
func (b Bootstrap) interval(figure func(rng *rand.Rand) float64) (Interval, error) {
	draws, level := b.Draws, b.Level
	if draws == 0 {
		draws = 2000
	}
	if level == 0 {
		level = 0.95
	}
	if draws < 1 || !(level > 0 && level < 1) {
		return Interval{}, fmt.Errorf("stats: a bootstrap of %d draws for a level of %g; want a positive number and a level between 0 and 1", draws, level)
	}
	rng := rand.New(rand.NewPCG(b.Seed, 0x626f6f74))
	figures := make([]float64, 0, draws)
	for range draws {
		if v := figure(rng); !math.IsNaN(v) {
			figures = append(figures, v)
		}
	}
	if len(figures) == 0 {
		return Interval{}, errors.New("stats: the figure is not defined for any draw")
	}
	slices.Sort(figures)
	tail := (1 - level) / 2
	return Interval{Low: SortedQuantile(figures, tail), High: SortedQuantile(figures, 1-tail), Level: level}, nil
}

// draw fills rows with numbers below their count, with repetitions.
func draw(rows []int, rng *rand.Rand) {
	for i := range rows {
		rows[i] = rng.IntN(len(rows))
	}
}

func meanOf(x []float64, rows []int) float64 {
	sum := 0.0
	for _, i := range rows {
		sum += x[i]
	}
	return sum / float64(len(rows))
}

func differences(x, y []float64) ([]float64, error) {
	if len(x) != len(y) {
		return nil, fmt.Errorf("stats: %d and %d items cannot be paired", len(x), len(y))
	}
	d := make([]float64, len(x))
	for i := range x {
		d[i] = x[i] - y[i]
	}
	return d, nil
}

func finite(x []float64) error {
	for i, v := range x {
		if math.IsNaN(v) || math.IsInf(v, 0) {
			return fmt.Errorf("stats: item %d is %v", i, v)
		}
	}
	return nil
}
