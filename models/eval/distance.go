package eval

import (
	"errors"
	"fmt"
	"math"
	"math/rand/v2"
	"slices"
	"sort"

	"gonum.org/v1/gonum/mat"
	"gonum.org/v1/gonum/stat"
)

// Features are rows of equal length, one per clip: the values before a classifier's last layer.
type Features [][]float64

// check returns the width of a and b, or an error where they are too few or differ.
func check(least int, sets ...Features) (int, error) {
	width := -1
	for i, f := range sets {
		if len(f) < least {
			return 0, fmt.Errorf("eval: set %d has %d clips; %d are needed", i+1, len(f), least)
		}
		for _, row := range f {
			if width < 0 {
				width = len(row)
			}
			if len(row) != width || width == 0 {
				return 0, fmt.Errorf("eval: features of %d and %d values cannot be compared", width, len(row))
			}
			for _, v := range row {
				if math.IsNaN(v) || math.IsInf(v, 0) {
					return 0, fmt.Errorf("eval: a feature is %v", v)
				}
			}
		}
	}
	return width, nil
}

// Frechet returns the Fréchet distance between the Gaussians fitted to a and b, |m1-m2|² + tr(C1 + C2 - 2 (C1 C2)^½)
// (Heusel et al. 2017, on our classifier's features instead of Inception's). Zero for equal sets; it grows with few
// clips, so compare only sets of equal size, and give the figure of real against real beside it.
func Frechet(a, b Features) (float64, error) {
	width, err := check(2, a, b)
	if err != nil {
		return 0, err
	}
	m1, c1 := moments(a, width)
	m2, c2 := moments(b, width)
	var d float64
	for i := range m1 {
		d += (m1[i] - m2[i]) * (m1[i] - m2[i])
	}
	root, err := sqrtSym(c1)
	if err != nil {
		return 0, err
	}
	// The trace of (C1 C2)^½ is that of (C1^½ C2 C1^½)^½, which is symmetric.
	var t mat.Dense
	t.Product(root, c2, root)
	s := mat.NewSymDense(width, nil)
	for i := range width {
		for j := i; j < width; j++ {
			s.SetSym(i, j, (t.At(i, j)+t.At(j, i))/2)
		}
	}
	var e mat.EigenSym
	if !e.Factorize(s, false) {
		return 0, errors.New("eval: Fréchet distance: the eigenvalues do not converge")
	}
	d += mat.Trace(c1) + mat.Trace(c2)
	for _, v := range e.Values(nil) {
		d -= 2 * math.Sqrt(max(0, v))
	}
	return max(0, d), nil
}

func moments(f Features, width int) ([]float64, *mat.SymDense) {
	x := mat.NewDense(len(f), width, slices.Concat(f...))
	mean := make([]float64, width)
	for j := range mean {
		mean[j] = stat.Mean(mat.Col(nil, j, x), nil)
	}
	var c mat.SymDense
	stat.CovarianceMatrix(&c, x, nil)
	return mean, &c
}

// sqrtSym returns the root of a symmetric matrix without negative eigenvalues (but for rounding).
func sqrtSym(c *mat.SymDense) (*mat.Dense, error) {
	var e mat.EigenSym
	if !e.Factorize(c, true) {
		return nil, errors.New("eval: the eigenvalues of a covariance do not converge")
	}
	values := e.Values(nil)
	for i, v := range values {
		values[i] = math.Sqrt(max(0, v))
	}
	var q, r mat.Dense
	e.VectorsTo(&q)
	r.Product(&q, mat.NewDiagDense(len(values), values), q.T())
	return &r, nil
}

// Kernel returns the unbiased kernel distance (KID, Bińkowski et al. 2018): the squared maximum mean discrepancy with
// the kernel (x·y/d + 1)³. Its mean is zero for two samples of one distribution, whatever their size, so it may be
// slightly negative.
func Kernel(a, b Features) (float64, error) {
	width, err := check(2, a, b)
	if err != nil {
		return 0, err
	}
	k := func(x, y []float64) float64 {
		v := dot(x, y)/float64(width) + 1
		return v * v * v
	}
	within := func(f Features) float64 {
		var sum float64
		for i := range f {
			for j := range i {
				sum += k(f[i], f[j])
			}
		}
		return 2 * sum / float64(len(f)*(len(f)-1))
	}
	var between float64
	for _, x := range a {
		for _, y := range b {
			between += k(x, y)
		}
	}
	return within(a) + within(b) - 2*between/float64(len(a)*len(b)), nil
}

// TwoSample is a leave-one-out nearest-neighbour test of whether two sets can be told apart (Lopez-Paz and Oquab
// 2017): the share of clips whose nearest neighbour is of their own set. 0.5 is ideal; above, the sets differ; below,
// one is made of near copies of the other.
type TwoSample struct {
	Accuracy float64 `json:"accuracy"`
	Real     float64 `json:"real"`      // of the real clips
	Made     float64 `json:"generated"` // of the generated clips
}

// NearestNeighbour runs the two-sample test. The sets should be of equal size.
func NearestNeighbour(real, made Features) (TwoSample, error) {
	if _, err := check(2, real, made); err != nil {
		return TwoSample{}, err
	}
	own := func(f, other Features) float64 {
		n := 0
		for i, x := range f {
			same := math.Inf(1)
			for j, y := range f {
				if j != i {
					same = min(same, squared(x, y))
				}
			}
			if same < nearest(x, other) {
				n++
			}
		}
		return float64(n)
	}
	r, m := own(real, made), own(made, real)
	return TwoSample{
		Accuracy: (r + m) / float64(len(real)+len(made)),
		Real:     r / float64(len(real)), Made: m / float64(len(made)),
	}, nil
}

// Memory says how near generated clips are to training clips, in units of how near held-out real clips are.
type Memory struct {
	// Median and Low are the median and the 5 % quantile of d(generated, nearest training clip), divided by the median
	// of d(held-out real clip, nearest training clip).
	Median float64 `json:"median"`
	Low    float64 `json:"low"`
	// HeldOutLow is the 5 % quantile for the held-out clips themselves: real clips are near each other too.
	HeldOutLow float64 `json:"held_out_low"`
	// Alarm is set where the low tail is less than half of what held-out clips show: copies.
	Alarm bool `json:"alarm"`
}

// Memorisation measures whether a model gives its training clips back.
func Memorisation(train, heldOut, made Features) (Memory, error) {
	if _, err := check(1, train, heldOut, made); err != nil {
		return Memory{}, err
	}
	distances := func(f Features) []float64 {
		d := make([]float64, len(f))
		for i, x := range f {
			d[i] = math.Sqrt(nearest(x, train))
		}
		sort.Float64s(d)
		return d
	}
	real, gen := distances(heldOut), distances(made)
	unit := stat.Quantile(0.5, stat.Empirical, real, nil)
	if unit == 0 {
		return Memory{}, errors.New("eval: held-out clips are copies of training clips; memorisation cannot be measured")
	}
	m := Memory{
		Median: stat.Quantile(0.5, stat.Empirical, gen, nil) / unit, Low: stat.Quantile(0.05, stat.Empirical, gen, nil) / unit,
		HeldOutLow: stat.Quantile(0.05, stat.Empirical, real, nil) / unit,
	}
	m.Alarm = m.Low < 0.5*m.HeldOutLow
	return m, nil
}

// Diversity returns the mean distance between two clips of one label, over all labels that have at least two clips.
// Divided by that of real clips it says how much of the real variety a model makes.
func Diversity(f Features, labels []int) (float64, error) {
	if _, err := check(1, f); err != nil {
		return 0, err
	}
	if len(labels) != len(f) {
		return 0, fmt.Errorf("eval: %d clips and %d labels", len(f), len(labels))
	}
	groups := map[int]Features{}
	for i, l := range labels {
		groups[l] = append(groups[l], f[i])
	}
	var sum float64
	n := 0
	for _, l := range slices.Sorted(slices.Values(labels)) {
		g := groups[l]
		if len(g) < 2 {
			continue
		}
		delete(groups, l)
		var d float64
		for i := range g {
			for j := range i {
				d += math.Sqrt(squared(g[i], g[j]))
			}
		}
		sum += 2 * d / float64(len(g)*(len(g)-1))
		n++
	}
	if n == 0 {
		return 0, errors.New("eval: diversity: no label has two clips")
	}
	return sum / float64(n), nil
}

// Bins is the result of comparing how two sets fill the clusters of the real clips (number of statistically different
// bins, Richardson and Weiss 2018).
type Bins struct {
	Different int     `json:"different"`
	Bins      int     `json:"bins"`
	Share     float64 `json:"share"` // Different / Bins; 0.05 is expected of real against real
}

// DifferentBins clusters the real clips into k bins by k-means and counts those that hold a share of the generated
// clips which differs from the real one at the 5 % level of a two-proportion z-test.
func DifferentBins(real, made Features, k int, seed uint64) (Bins, error) {
	if _, err := check(max(2, k), real); err != nil {
		return Bins{}, err
	}
	if _, err := check(1, real, made); err != nil {
		return Bins{}, err
	}
	if k < 2 {
		return Bins{}, fmt.Errorf("eval: %d bins; at least 2 are needed", k)
	}
	centres := kMeans(real, k, seed)
	count := func(f Features) []float64 {
		n := make([]float64, k)
		for _, x := range f {
			n[closest(x, centres)]++
		}
		return n
	}
	a, b := count(real), count(made)
	na, nb := float64(len(real)), float64(len(made))
	r := Bins{Bins: k}
	for i := range a {
		p := (a[i] + b[i]) / (na + nb)
		se := math.Sqrt(p * (1 - p) * (1/na + 1/nb))
		if se > 0 && math.Abs(a[i]/na-b[i]/nb)/se > 1.959963984540054 { // two-sided 5 %
			r.Different++
		}
	}
	r.Share = float64(r.Different) / float64(k)
	return r, nil
}

// kMeans is Lloyd's algorithm from k-means++ seeds (Arthur and Vassilvitskii 2007).
func kMeans(f Features, k int, seed uint64) Features {
	rng := rand.New(rand.NewPCG(seed, 0x6b6d65616e73))
	centres := Features{slices.Clone(f[rng.IntN(len(f))])}
	for len(centres) < k {
		var total float64
		d := make([]float64, len(f))
		for i, x := range f {
			d[i] = nearest(x, centres)
			total += d[i]
		}
		at, pick := rng.Float64()*total, len(f)-1
		for i, v := range d {
			if at -= v; at < 0 {
				pick = i
				break
			}
		}
		centres = append(centres, slices.Clone(f[pick]))
	}
	assigned := make([]int, len(f))
	for range 100 {
		changed := false
		for i, x := range f {
			if c := closest(x, centres); c != assigned[i] {
				assigned[i], changed = c, true
			}
		}
		if !changed {
			break
		}
		for c := range centres {
			sum, n := make([]float64, len(f[0])), 0.0
			for i, x := range f {
				if assigned[i] == c {
					n++
					for j, v := range x {
						sum[j] += v
					}
				}
			}
			if n > 0 {
				for j := range sum {
					centres[c][j] = sum[j] / n
				}
			}
		}
	}
	return centres
}

func closest(x []float64, f Features) int {
	best, at := math.Inf(1), 0
	for i, y := range f {
		if d := squared(x, y); d < best {
			best, at = d, i
		}
	}
	return at
}

// nearest returns the squared distance from x to the nearest row of f.
func nearest(x []float64, f Features) float64 { return squared(x, f[closest(x, f)]) }

func squared(x, y []float64) float64 {
	var s float64
	for i, v := range x {
		d := v - y[i]
		s += d * d
	}
	return s
}

func dot(x, y []float64) float64 {
	var s float64
	for i, v := range x {
		s += v * y[i]
	}
	return s
}
