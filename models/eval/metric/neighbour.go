package metric

import (
	"errors"
	"fmt"
	"math"
	"slices"

	"gonum.org/v1/gonum/mat"
)

// Nearest returns, for each row of x, the index of the row of y at the smallest Euclidean distance (of equals the
// first), and that distance.
func Nearest(x, y [][]float64) (index []int, distance []float64, err error) {
	if _, err := pair("x", x, "y", y, 1); err != nil {
		return nil, nil, err
	}
	index, distance = nearest(x, y, false)
	return index, distance, nil
}

// Spacing returns the distance from each row of x to the nearest other row.
func Spacing(x [][]float64) ([]float64, error) {
	if _, err := table("x", x, 2); err != nil {
		return nil, err
	}
	_, distance := nearest(x, x, true)
	return distance, nil
}

// nearest is Nearest; with others, x is y and a row is not its own neighbour.
func nearest(x, y [][]float64, others bool) (index []int, distance []float64) {
	const block = 256 // rows of x at a time: a few MB of products
	d := len(x[0])
	index, distance = make([]int, len(x)), make([]float64, len(x))
	my, squares := dense(y, d), make([]float64, len(y))
	for j, row := range y {
		squares[j] = dot(row, row)
	}
	for lo := 0; lo < len(x); lo += block {
		part := x[lo:min(lo+block, len(x))]
		var g mat.Dense
		g.Mul(dense(part, d), my.T())
		for i := range part {
			// The products only rank; the distance of the winner is computed without their cancellation.
			best := math.Inf(1)
			for j, v := range g.RawRowView(i) {
				if s := squares[j] - 2*v; s < best && (!others || lo+i != j) {
					best, index[lo+i] = s, j
				}
			}
			distance[lo+i] = euclid(part[i], y[index[lo+i]])
		}
	}
	return index, distance
}

func dot(x, y []float64) float64 {
	var s float64
	for i, v := range x {
		s += v * y[i]
	}
	return s
}

func euclid(x, y []float64) float64 {
	var s float64
	for i, v := range x {
		s += (v - y[i]) * (v - y[i])
	}
	return math.Sqrt(s)
}

// TwoSample is the leave-one-out accuracy of a 1-nearest-neighbour classifier told to tell real from generated
// features, for each half apart. Both are 0.5 when the sets cannot be told apart. Above, they can: a high real half
// says that parts of the real set are missing in the generated one. Below 0.5, generated clips sit on top of real
// ones. The sets must be of equal size.
//
// Source: Lopez-Paz and Oquab, Revisiting Classifier Two-Sample Tests, 2017; Xu et al., An empirical study on
// evaluation metrics of generative adversarial networks, 2018.
func TwoSample(real, generated [][]float64) (ofReal, ofGenerated float64, err error) {
	if _, err := pair("the real set", real, "the generated set", generated, 2); err != nil {
		return 0, 0, err
	}
	n := len(real)
	if len(generated) != n {
		return 0, 0, fmt.Errorf("metric: two-sample test of %d real and %d generated clips: the numbers must be equal", n, len(generated))
	}
	all := slices.Concat(real, generated)
	index, _ := nearest(all, all, true)
	var right [2]float64
	for i, j := range index {
		if i/n == j/n {
			right[i/n]++
		}
	}
	return right[0] / float64(n), right[1] / float64(n), nil
}

// MemorisationAlarm is the ratio below which the lowest twentieth of generated clips must not fall, nor below
// MemorisationMargin times that of held-out real clips, whichever is lower.
const (
	MemorisationAlarm  = 0.5
	MemorisationMargin = 0.75
)

// Memorisation tells copies of training clips from new ones by Ratio, the 5 % quantile over generated clips of
//
//	distance to the nearest training clip / median distance of held-out real clips to their nearest training clip.
//
// A model that makes clips as new as real ones are has about the ratio of held-out real clips; copies have 0. Alarm is
// set when one clip in twenty lies less than half as far from a training clip as fresh recordings usually do, and
// nearer than fresh recordings ever do.
type Memorisation struct {
	Ratio   float64   `json:"ratio"`
	HeldOut float64   `json:"held_out"` // the same quantile for the held-out real clips themselves
	Alarm   bool      `json:"alarm"`
	Ratios  []float64 `json:"-"` // of each generated clip
	Nearest []int     `json:"-"` // index of its nearest training clip
}

// Memorise measures Memorisation in the space of the given vectors, one row a clip.
func Memorise(generated, heldOut, train [][]float64) (Memorisation, error) {
	if _, err := pair("the held-out set", heldOut, "the training set", train, 1); err != nil {
		return Memorisation{}, err
	}
	if _, err := pair("the generated set", generated, "the training set", train, 1); err != nil {
		return Memorisation{}, err
	}
	_, base := nearest(heldOut, train, false)
	scale := quantile(base, 0.5)
	if scale == 0 {
		return Memorisation{}, errors.New("metric: most held-out clips equal a training clip: the split holds duplicates")
	}
	m := Memorisation{HeldOut: quantile(base, 0.05) / scale}
	m.Nearest, m.Ratios = nearest(generated, train, false)
	for i := range m.Ratios {
		m.Ratios[i] /= scale
	}
	m.Ratio = quantile(m.Ratios, 0.05)
	m.Alarm = m.Ratio < min(MemorisationAlarm, MemorisationMargin*m.HeldOut)
	return m, nil
}

// quantile interpolates linearly between order statistics, as NumPy does.
func quantile(x []float64, q float64) float64 {
	s := slices.Sorted(slices.Values(x))
	at := q * float64(len(s)-1)
	lo := int(at)
	hi := min(lo+1, len(s)-1)
	return s[lo] + (at-float64(lo))*(s[hi]-s[lo])
}

// ErrNoPairs is returned by Diversity where no label has two clips.
var ErrNoPairs = errors.New("metric: no label has two clips")

// Diversity is the mean Euclidean distance between two different clips of one label, averaged over the labels that
// have at least two clips. Divided by that of real clips it shows collapse: below 0.3, a model makes a few clips per
// label again and again.
func Diversity(features [][]float64, labels []int) (float64, error) {
	if _, err := table("features", features, 2); err != nil {
		return 0, err
	}
	if len(labels) != len(features) {
		return 0, fmt.Errorf("metric: %d labels for %d clips", len(labels), len(features))
	}
	byLabel := map[int][][]float64{}
	for i, l := range labels {
		byLabel[l] = append(byLabel[l], features[i])
	}
	var means []float64
	for _, rows := range byLabel {
		if len(rows) < 2 {
			continue
		}
		var sum float64
		for i, a := range rows {
			for _, b := range rows[:i] {
				sum += euclid(a, b)
			}
		}
		n := float64(len(rows))
		means = append(means, sum/(n*(n-1)/2))
	}
	if len(means) == 0 {
		return 0, ErrNoPairs
	}
	slices.Sort(means) // the order of a map must not reach the sum's rounding
	var mean float64
	for _, m := range means {
		mean += m / float64(len(means))
	}
	return mean, nil
}
