package eval

import (
	"hash/fnv"
	"math"
	"math/rand/v2"
	"slices"
	"strconv"

	"wavemill/internal/stats"
)

// An Interval holds the ends of a 95 % interval, low before high.
type Interval [2]float64

// Holds reports whether v lies in the interval, its ends included.
func (i Interval) Holds(v float64) bool { return i[0] <= v && v <= i[1] }

// Intervals are those of figures, by the figures' JSON names.
type Intervals map[string]Interval

const (
	resamples       = 1000 // of shares of clips and recordings
	partResamples   = 300  // of figures that take a matrix product each
	kernelResamples = 200
	leastParts      = 5 // fewer parts say too little of their deviation: the clips are resampled
)

// draws are the values of one figure on resamples. Figures of two sets that were drawn from the same stream are paired:
// value r of both belongs to the same resample of recordings.
type draws struct {
	value  float64   // the figure itself
	values []float64 // on the resamples
	cases  int       // of a share: clips or recordings that it is a share of; else 0
}

// interval is the percentile interval, of a share widened to Wilson's (1927).
func (d draws) interval() Interval {
	q := stats.Quantiles(d.values, 0.025, 0.975)
	i := Interval{min(q[0], d.value), max(q[1], d.value)}
	if d.cases > 0 {
		w := wilson(d.value, float64(d.cases))
		// The deviation between classifiers, added to a share near 1, can lie beyond it.
		i = Interval{max(0, min(i[0], w[0])), min(1, max(i[1], w[1]))}
	}
	return i
}

// recentred moves the values so that their mean is the figure, and cuts them off at the least and the greatest
// possible one. It takes out the bias that resampling with replacement adds.
func (d draws) recentred(least, most float64) draws {
	shift := d.value - average(d.values)
	for i, v := range d.values {
		d.values[i] = math.Min(math.Max(v+shift, least), most)
	}
	return d
}

// rescaled is recentred for a figure that is a positive amount and varies in proportion to itself: the values are
// multiplied, so that none reaches 0.
func (d draws) rescaled() draws {
	by := ratio(d.value, average(d.values))
	for i := range d.values {
		d.values[i] *= by
	}
	return d
}

// over are the draws of the quotient of two figures, 0 where the divisor is. A divisor that is 0 in a draw counts as the
// least one that is not.
func (d draws) over(base draws) draws {
	least := math.Inf(1)
	for _, v := range base.values {
		if v > 0 {
			least = min(least, v)
		}
	}
	q := draws{value: ratio(d.value, base.value), values: make([]float64, min(len(d.values), len(base.values)))}
	for i := range q.values {
		q.values[i] = d.values[i] / max(base.values[i], least)
	}
	return q
}

// quotient is over for two shares of the same cases. Like a difference of shares, it has two pseudo-recordings (see
// Compare), so that equal scores on few recordings are not taken for certain.
func (d draws) quotient(base draws) draws {
	q := d.over(base)
	rng := stream(0, "pseudo-recordings", d.cases)
	for i := range q.values {
		q.values[i] = max(0, q.values[i]+ratio(pseudo(rng, d.cases), base.values[i]))
	}
	return q
}

// scaled multiplies the figure and its draws.
func (d draws) scaled(by float64) draws {
	s := draws{value: by * d.value, values: make([]float64, len(d.values))}
	for i, v := range d.values {
		s.values[i] = by * v
	}
	return s
}

// wilson is the score interval of a share p of n cases.
func wilson(p, n float64) Interval {
	const z = 1.959963984540054
	centre := (p + z*z/(2*n)) / (1 + z*z/n)
	half := z / (1 + z*z/n) * math.Sqrt(p*(1-p)/n+z*z/(4*n*n))
	return Interval{math.Max(0, centre-half), math.Min(1, centre+half)}
}

// stream is the source of the resamples of a figure over n things. Equal seeds, names and numbers give equal streams.
func stream(seed uint64, name string, n int) *rand.Rand {
	h := fnv.New64a()
	h.Write([]byte(name + "\x00" + strconv.Itoa(n))) // never fails
	return rand.New(rand.NewPCG(seed, h.Sum64()))
}

// shareDraws resamples cases, each 0 or 1 (or a mean of such), of which the figure is the mean.
func shareDraws(cases []float64, rng *rand.Rand) draws {
	return draws{value: average(cases), values: meanDraws(cases, resamples, rng), cases: len(cases)}
}

// meanDraws returns the means of resamples of x.
func meanDraws(x []float64, count int, rng *rand.Rand) []float64 {
	out := make([]float64, count)
	for r := range out {
		for range x {
			out[r] += x[rng.IntN(len(x))]
		}
		out[r] /= float64(len(x))
	}
	return out
}

// A table holds for each seed of a classifier and each held-out recording 1 where its label was named, else 0.
type hitTable [][]float64

// twoLevel are the draws of the mean of a table: the recordings are resampled and, apart from them, the seeds where there
// are several. seed is that of the resamples; tables with as many recordings and seeds are paired.
func (t hitTable) twoLevel(seed uint64) draws {
	bySeed, byRecording := t.means()
	d := draws{value: average(bySeed), cases: len(byRecording)}
	d.values = meanDraws(byRecording, resamples, stream(seed, "recordings", len(byRecording)))
	if s := float64(len(t)); len(t) > 1 {
		widen := math.Sqrt(s / (s - 1))
		for r, v := range meanDraws(bySeed, resamples, stream(seed, "seeds", len(t))) {
			d.values[r] += widen * (v - d.value)
		}
	}
	return d
}

// means returns the mean of each row and of each column.
func (t hitTable) means() (bySeed, byRecording []float64) {
	byRecording = make([]float64, len(t[0]))
	for _, row := range t {
		bySeed = append(bySeed, average(row))
		for i, v := range row {
			byRecording[i] += v / float64(len(t))
		}
	}
	return bySeed, byRecording
}

// of returns the columns of some recordings.
func (t hitTable) of(recordings []int) hitTable {
	out := make(hitTable, len(t))
	for s, row := range t {
		out[s] = pick(row, recordings)
	}
	return out
}

func average(x []float64) float64 {
	var sum float64
	for _, v := range x {
		sum += v
	}
	return ratio(sum, float64(len(x)))
}

// figures are the draws of a row's figures by their JSON names.
type figures map[string]draws

// intervals of all figures.
func (f figures) intervals() Intervals {
	out := Intervals{}
	for name, d := range f {
		if len(d.values) > 0 && !slices.ContainsFunc(d.values, math.IsNaN) {
			out[name] = d.interval()
		}
	}
	return out
}
