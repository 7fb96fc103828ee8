package monitor

import (
	"math"
	"slices"

	"wavemill/models/eval/metric"
)

// A reference describes recordings in the basis.
type reference struct {
	train  [][]float64
	all    [][]float64 // of which train are some
	labels []int
	count  int // of labels

	variance float64   // of all components together
	within   float64   // mean over labels
	of       []moments // by label
	spread   []float64 // mean distance within a label; 0 where it has one clip

	ordinary float64 // 5 % quantile of the nearness of recordings to each other
	typical  float64 // median distance of held-out clips to the nearest training clip
}

// moments are the mean and variance of each component.
type moments struct {
	n              int
	mean, variance []float64
}

func momentsOf(x [][]float64, k int) moments {
	m := moments{n: len(x), mean: make([]float64, k), variance: make([]float64, k)}
	for _, row := range x {
		for j, v := range row {
			m.mean[j] += v / float64(len(x))
		}
	}
	if len(x) < 2 {
		return m
	}
	for _, row := range x {
		for j, v := range row {
			m.variance[j] += (v - m.mean[j]) * (v - m.mean[j]) / float64(len(x)-1)
		}
	}
	return m
}

func (m moments) total() float64 {
	var sum float64
	for _, v := range m.variance {
		sum += v
	}
	return sum
}

// byLabel parts rows by their labels.
func byLabel(x [][]float64, labels []int, count int) [][][]float64 {
	parts := make([][][]float64, count)
	for i, l := range labels {
		parts[l] = append(parts[l], x[i])
	}
	return parts
}

// newReference describes training clips, some of all there are. held may be empty.
func newReference(train [][]float64, labels []int, all, held [][]float64, count int) *reference {
	k := len(train[0])
	r := &reference{
		train: train, labels: labels, all: all, count: count, variance: momentsOf(train, k).total(),
		of: make([]moments, count), spread: make([]float64, count),
	}
	several := 0
	for l, x := range byLabel(train, labels, count) {
		r.of[l], r.spread[l] = momentsOf(x, k), spread(x)
		if r.of[l].n > 1 {
			r.within += r.of[l].total()
			several++
		}
	}
	r.within /= float64(max(several, 1))
	if len(held) >= minHeldOut {
		_, d := nearest(held, all)
		r.typical, r.ordinary = quantiles(d)
	} else if len(all) >= minHeldOut {
		d, err := metric.Spacing(all)
		if err == nil {
			r.typical, r.ordinary = quantiles(d)
		}
	}
	return r
}

// nearest returns the nearest row of y for each of x. Rows are of equal length, which is all that can go wrong.
func nearest(x, y [][]float64) ([]int, []float64) {
	at, d, err := metric.Nearest(x, y)
	if err != nil {
		return nil, nil
	}
	return at, d
}

// quantiles returns the median of distances and the 5 % quantile in its measure, 0 for a median of 0.
func quantiles(d []float64) (median, low float64) {
	sorted := slices.Sorted(slices.Values(d))
	if len(sorted) == 0 {
		return 0, 0
	}
	if median = sorted[len(sorted)/2]; median == 0 {
		return 0, 0
	}
	return median, sorted[len(sorted)/20] / median
}

// spread is the mean distance between any two rows, 0 for fewer.
func spread(x [][]float64) float64 {
	const most = 64 // clips: two thousand pairs are enough for a mean
	if len(x) > most {
		thin := make([][]float64, most)
		for i := range thin {
			thin[i] = x[i*len(x)/most]
		}
		x = thin
	}
	var sum float64
	pairs := 0
	for i := range x {
		for j := range i {
			sum += euclid(x[i], x[j])
			pairs++
		}
	}
	return sum / float64(max(pairs, 1))
}

func euclid(x, y []float64) float64 {
	var sum float64
	for i, v := range x {
		sum += (v - y[i]) * (v - y[i])
	}
	return math.Sqrt(sum)
}

// distance is that of Monitor.Evaluate.
func (r *reference) distance(made [][]float64, labels []int) (float64, error) {
	train := r.train
	if len(train) == 1 {
		train = [][]float64{train[0], train[0]}
	}
	all, err := metric.Frechet(made, train)
	if err != nil {
		return 0, err
	}
	var sum float64
	known := 0
	for l, x := range byLabel(made, labels, r.count) {
		if len(x) < 2 || r.of[l].n < 2 {
			continue
		}
		m := momentsOf(x, len(made[0]))
		for j, v := range m.variance {
			mean, deviation := m.mean[j]-r.of[l].mean[j], math.Sqrt(v)-math.Sqrt(r.of[l].variance[j])
			sum += mean*mean + deviation*deviation
		}
		known++
	}
	total := all / max(r.variance, tiny)
	if known > 0 {
		total = (total + sum/float64(known)/max(r.within, tiny)) / 2
	}
	return total, nil
}

// tiny stands in for a variance of 0, where all recordings are one.
const tiny = 1e-9

// A variety is how different clips of a label are, in the measure of recordings.
type variety struct {
	known   bool
	mean    float64
	byLabel []float64 // NaN where unknown
}

// diversity compares the distances within labels with those among recordings.
func (r *reference) diversity(made [][]float64, labels []int) variety {
	v := variety{byLabel: make([]float64, r.count)}
	n := 0
	for l, x := range byLabel(made, labels, r.count) {
		v.byLabel[l] = math.NaN()
		if len(x) < 2 || r.spread[l] < tiny {
			continue
		}
		v.byLabel[l] = spread(x) / r.spread[l]
		v.mean += v.byLabel[l]
		n++
	}
	v.known = n > 0
	v.mean /= float64(max(n, 1))
	return v
}

// nearness is the 5 % quantile of the distances of made clips to the nearest recording, in the measure of held-out
// ones; 1 where that is unknown.
func (r *reference) nearness(made [][]float64) float64 {
	if r.typical == 0 {
		return 1
	}
	_, d := nearest(made, r.all)
	if len(d) == 0 {
		return 1
	}
	slices.Sort(d)
	return d[len(d)/20] / r.typical
}
