package nn

import "math"

// A Schedule is a learning rate over steps: a linear rise from 0, then half a cosine from Rate to
// Final. The zero values of Warmup and Steps leave those parts out. Source: Loshchilov and Hutter,
// SGDR, 2017; the warm-up is Goyal et al.'s, 2017.
type Schedule struct {
	Rate   float64 // the highest
	Final  float64 // after Steps, and ever after
	Warmup int64   // steps of the rise
	Steps  int64   // steps in all; 0 keeps Rate
}

// At returns the learning rate of a step, counted from 1.
func (s Schedule) At(step int64) float64 {
	switch {
	case step <= s.Warmup:
		return s.Rate * float64(step) / float64(s.Warmup)
	case s.Steps <= 0:
		return s.Rate
	case step >= s.Steps:
		return s.Final
	}
	t := float64(step-s.Warmup) / float64(max(s.Steps-s.Warmup, 1))
	return s.Final + (s.Rate-s.Final)*(1+math.Cos(math.Pi*t))/2
}
