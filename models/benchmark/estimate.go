package benchmark

import (
	"fmt"
	"math"

	"gonum.org/v1/gonum/stat"
	"gonum.org/v1/gonum/stat/distuv"

	"wavemill/models/eval"
)

// An Estimate is the mean of a figure over runs with its 95 % interval.
//
// Two things make a figure uncertain: the run (its seed, its split, the group left out) and the recordings that were held
// out in it. Where there are two runs or more, Student's t interval of their mean covers both, because each run has
// held-out recordings of its own. It may come out too narrow by chance; the interval is therefore at least as wide as
// the runs' own intervals over their held-out recordings imply. With one run, the interval is that run's.
//
// Runs share training recordings, so that they are not quite independent: read intervals of few runs as optimistic.
type Estimate struct {
	Mean float64 `json:"mean"`
	SD   float64 `json:"sd"` // from run to run; 0 for one
	// Low and High are the ends of the interval; nil where nothing is known about it.
	Low  *float64 `json:"low,omitempty"`
	High *float64 `json:"high,omitempty"`
	Runs int      `json:"runs"`
}

// A sample is a figure of one run.
type sample struct {
	value    float64
	interval *eval.Interval // over the held-out recordings; nil where it is not known
}

// estimate returns the mean of samples with its interval.
func estimate(samples []sample) Estimate {
	e := Estimate{Runs: len(samples)}
	if e.Runs == 0 {
		return e
	}
	values := make([]float64, len(samples))
	var below, above float64 // squared distances to the ends of the runs' own intervals
	known := 0.0
	for i, s := range samples {
		values[i] = s.value
		if s.interval != nil {
			known++
			below += math.Pow(max(s.value-s.interval[0], 0), 2)
			above += math.Pow(max(s.interval[1]-s.value, 0), 2)
		}
	}
	if e.Runs == 1 {
		e.Mean = values[0]
		if i := samples[0].interval; i != nil {
			e.bound(min(i[0], e.Mean), max(i[1], e.Mean))
		}
		return e
	}
	e.Mean, e.SD = stat.MeanStdDev(values, nil)
	n := float64(e.Runs)
	between := distuv.StudentsT{Mu: 0, Sigma: 1, Nu: n - 1}.Quantile(0.975) * e.SD / math.Sqrt(n)
	low, high := between, between
	if known > 0 {
		low, high = max(low, math.Sqrt(below/known/n)), max(high, math.Sqrt(above/known/n))
	}
	if low > 0 || high > 0 { // equal values without intervals say nothing about the next run
		e.bound(e.Mean-low, e.Mean+high)
	}
	return e
}

func (e *Estimate) bound(low, high float64) { e.Low, e.High = &low, &high }

// clamp cuts the interval of a share off at 0 and 1.
func (e Estimate) clamp() Estimate {
	if e.Low != nil {
		e.bound(max(*e.Low, 0), min(*e.High, 1))
	}
	return e
}

// None reports whether the interval holds 0 or is not known: as a difference, there is none.
func (e Estimate) None() bool { return e.Low == nil || (*e.Low <= 0 && 0 <= *e.High) }

// Text prints the mean with its interval, as "0.98 [0.96, 0.99]", or a dash where there were no runs.
func (e Estimate) Text(digits int) string {
	switch {
	case e.Runs == 0:
		return "–"
	case e.Low == nil:
		return fmt.Sprintf("%.*f", digits, e.Mean)
	}
	return fmt.Sprintf("%.*f [%.*f, %.*f]", digits, e.Mean, digits, *e.Low, digits, *e.High)
}
