package benchmark

import (
	"math"
	"testing"

	"wavemill/models/eval"
)

func near(a, b float64) bool { return math.Abs(a-b) < 1e-6*math.Max(1, math.Abs(b)) }

func TestEstimate(t *testing.T) {
	wide, narrow := &eval.Interval{0.5, 0.9}, &eval.Interval{0.699, 0.701}
	for _, c := range []struct {
		name           string
		samples        []sample
		mean, low, hgh float64 // low > high: none
	}{
		{"none", nil, 0, 1, 0},
		{"one run without interval", []sample{{0.7, nil}}, 0.7, 1, 0},
		{"equal runs without intervals", []sample{{0.7, nil}, {0.7, nil}}, 0.7, 1, 0},
		{"one run", []sample{{0.7, wide}}, 0.7, 0.5, 0.9},
		// Student's t with 2 degrees of freedom: 4.3026527 * 0.1 / sqrt(3).
		{"three runs", []sample{{0.6, nil}, {0.7, nil}, {0.8, nil}}, 0.7, 0.7 - 0.24841378, 0.7 + 0.24841378},
		{"three runs with narrow intervals", []sample{{0.6, narrow}, {0.7, narrow}, {0.8, narrow}}, 0.7, 0.7 - 0.24841378, 0.7 + 0.24841378},
		// Equal by chance: the runs' own intervals, of half width 0.2, over sqrt(3).
		{"three equal runs", []sample{{0.7, wide}, {0.7, wide}, {0.7, wide}}, 0.7, 0.7 - 0.2/math.Sqrt(3), 0.7 + 0.2/math.Sqrt(3)},
		// Shares near 1 are less certain downwards.
		{"two equal runs with skewed intervals", []sample{{0.5, &eval.Interval{-0.3, 0.9}}, {0.5, &eval.Interval{-0.3, 0.9}}}, 0.5, 0.5 - 0.8/math.Sqrt2, 0.5 + 0.4/math.Sqrt2},
	} {
		e := estimate(c.samples)
		if !near(e.Mean, c.mean) || e.Runs != len(c.samples) || (e.Low == nil) != (c.low > c.hgh) {
			t.Errorf("%s: %+v", c.name, e)
			continue
		}
		if e.Low != nil && (!near(*e.Low, c.low) || !near(*e.High, c.hgh)) {
			t.Errorf("%s: %g to %g, want %g to %g", c.name, *e.Low, *e.High, c.low, c.hgh)
		}
	}
}

func TestEstimateText(t *testing.T) {
	for _, c := range []struct {
		e    Estimate
		want string
		none bool
	}{
		{estimate(nil), "–", true},
		{estimate([]sample{{0.5, nil}}), "0.50", true},
		{estimate([]sample{{0.5, &eval.Interval{0.25, 0.75}}}), "0.50 [0.25, 0.75]", false},
		{estimate([]sample{{0.5, &eval.Interval{-0.25, 1.75}}}), "0.50 [-0.25, 1.75]", true},
		{estimate([]sample{{0.5, &eval.Interval{-0.25, 1.75}}}).clamp(), "0.50 [0.00, 1.00]", true},
	} {
		if got := c.e.Text(2); got != c.want || c.e.None() != c.none {
			t.Errorf("%q, none %t; want %q, %t", got, c.e.None(), c.want, c.none)
		}
	}
}
