package eval

import (
	"math"
	"math/rand/v2"

	"wavemill/internal/stats"
)

// A Difference is a figure of one row less that of another.
type Difference struct {
	Figure   string   `json:"figure"` // JSON name, such as "label_accuracy"
	A        string   `json:"a"`      // names of the rows
	B        string   `json:"b"`
	Value    float64  `json:"value"` // of A less B
	Interval Interval `json:"interval"`
	None     bool     `json:"none"`   // the interval holds 0: there is no difference
	Paired   bool     `json:"paired"` // resampled together, recording by recording; else from the two intervals
}

// Compare returns the difference of a figure, named as in Row.Intervals, between two rows. It is false where one of
// them lacks the figure or its interval.
//
// Rows of one Evaluator are compared resample by resample: usefulness on the same classifier seeds and recordings,
// shares of clips on the same requests where both have as many clips. To differences of shares two pseudo-recordings
// are added, one in favour of either side (Agresti and Min, 2005), because a percentile bootstrap takes three or four
// recordings that speak for one side for proof. Rows read from JSON are compared by their intervals, as if they were
// independent (Zou and Donner, 2008), which is wider.
func Compare(a, b Row, figure string) (Difference, bool) {
	d := Difference{Figure: figure, A: a.Name, B: b.Name}
	ia, oka := a.interval(figure)
	ib, okb := b.interval(figure)
	if !oka || !okb {
		return d, false
	}
	x, pairedA := a.figures[figure]
	y, pairedB := b.figures[figure]
	if d.Paired = pairedA && pairedB; d.Paired {
		d.Value = x.value - y.value
		d.Interval = pairedInterval(x, y)
	} else {
		va, _ := a.figure(figure)
		vb, _ := b.figure(figure)
		d.Value = va - vb
		d.Interval = Interval{
			d.Value - math.Hypot(va-ia[0], ib[1]-vb),
			d.Value + math.Hypot(ia[1]-va, vb-ib[0]),
		}
	}
	d.None = d.Interval.Holds(0)
	return d, true
}

// pairedInterval is that of x less y.
func pairedInterval(x, y draws) Interval {
	cases := min(x.cases, y.cases)
	rng := stream(0, "pseudo-recordings", cases)
	values := make([]float64, min(len(x.values), len(y.values)))
	for i := range values {
		values[i] = x.values[i] - y.values[i]
		if cases > 0 {
			values[i] += pseudo(rng, cases)
		}
	}
	q := stats.Quantiles(values, 0.025, 0.975)
	v := x.value - y.value
	return Interval{min(q[0], v), max(q[1], v)}
}

// pseudo is what two pseudo-recordings, one in favour of either side, add to a resampled difference of shares.
func pseudo(rng *rand.Rand, cases int) float64 {
	inFavour := poisson(rng.Float64())
	against := poisson(rng.Float64())
	return float64(inFavour-against) / float64(cases)
}

// poisson is the quantile of the Poisson distribution of mean 1: how often one thing among many is drawn.
func poisson(p float64) int {
	term, k := math.Exp(-1), 0
	for ; p >= term && k < 12; k++ {
		p -= term
		term /= float64(k + 1)
	}
	return k
}
