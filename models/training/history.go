package training

import (
	"math"
	"runtime"
	"runtime/metrics"

	"wavemill/models"
)

// historyPoints bounds the points of a training curve: more than its picture has pixels.
const historyPoints = 400

// History holds the losses of a training by step. The zero value is empty. It is not safe for concurrent use.
type History struct {
	Steps  []float64            // of the training losses, evenly spaced, at most about 400
	Losses map[string][]float64 // by name, of training, smoothed; NaN where a step has no such loss
	Evals  []float64            // steps of the evaluations
	Val    map[string][]float64 // by name, on the validation clips
}

// Add takes the losses of an event. Events of other kinds than steps and evaluations are ignored.
func (h *History) Add(p models.Progress) {
	step := float64(p.Step)
	switch p.Event {
	case models.EventStep:
		if len(h.Steps) >= historyPoints {
			h.thin()
		}
		every := 1.0
		if n := len(h.Steps); n > 1 {
			every = h.Steps[n-1] - h.Steps[n-2]
		}
		if n := len(h.Steps); n > 0 && step < h.Steps[n-1]+every {
			return
		}
		h.Steps = append(h.Steps, step)
		h.Losses = appendLosses(h.Losses, p.Train, len(h.Steps))
	case models.EventEval:
		h.Evals = append(h.Evals, step)
		h.Val = appendLosses(h.Val, p.Val, len(h.Evals))
	default:
	}
}

// appendLosses appends losses as the n-th point of each curve and returns the curves. A loss that was not there before, or
// is not there now, has gaps of NaN.
func appendLosses(curves map[string][]float64, losses models.Losses, n int) map[string][]float64 {
	if curves == nil {
		curves = map[string][]float64{}
	}
	for name, v := range losses {
		for len(curves[name]) < n-1 {
			curves[name] = append(curves[name], math.NaN())
		}
		curves[name] = append(curves[name][:n-1], v)
	}
	for name := range curves {
		for len(curves[name]) < n {
			curves[name] = append(curves[name], math.NaN())
		}
	}
	return curves
}

// thin drops every other point of the training losses.
func (h *History) thin() {
	drop := func(x []float64) []float64 {
		out := make([]float64, 0, len(x)/2+1)
		for i := 0; i < len(x); i += 2 {
			out = append(out, x[i])
		}
		return out
	}
	h.Steps = drop(h.Steps)
	for name, x := range h.Losses {
		h.Losses[name] = drop(x)
	}
}

// cpuSeconds is the time that all cores together have spent in this process, as the Go runtime estimates it: on a
// machine that other processes use too, waiting for a core counts.
func cpuSeconds() float64 {
	runtime.GC() // a collection updates the estimates
	samples := []metrics.Sample{{Name: "/cpu/classes/total:cpu-seconds"}, {Name: "/cpu/classes/idle:cpu-seconds"}}
	metrics.Read(samples)
	return samples[0].Value.Float64() - samples[1].Value.Float64()
}
