package synth

import "math"

// biquad is a second-order section in direct form 1; its zero value is silence.
type biquad struct {
	b0, b1, b2, a1, a2 float64
	x1, x2, y1, y2     float64
}

// run filters x in place and keeps the state for the samples that follow.
func (q *biquad) run(x []float64) {
	for i, v := range x {
		y := q.b0*v + q.b1*q.x1 + q.b2*q.x2 - q.a1*q.y1 - q.a2*q.y2
		q.x2, q.x1 = q.x1, v
		q.y2, q.y1 = q.y1, y
		x[i] = y
	}
}

// reset clears the state.
func (q *biquad) reset() { q.x1, q.x2, q.y1, q.y2 = 0, 0, 0, 0 }

// highPass is a Butterworth high-pass (Bristow-Johnson, Cookbook formulae for audio EQ biquad filter coefficients).
func highPass(cutoff, rate float64) biquad {
	w := 2 * math.Pi * cutoff / rate
	alpha, c := math.Sin(w)/math.Sqrt2, math.Cos(w)
	a0 := 1 + alpha
	return biquad{b0: (1 + c) / 2 / a0, b1: -(1 + c) / a0, b2: (1 + c) / 2 / a0, a1: -2 * c / a0, a2: (1 - alpha) / a0}
}

// resonance is a two-pole resonator of unit gain at 0 Hz (Klatt 1980, eq. 1).
func resonance(f, bandwidth, rate float64) biquad {
	r := math.Exp(-math.Pi * bandwidth / rate)
	a1, a2 := -2*r*math.Cos(2*math.Pi*f/rate), r*r
	return biquad{b0: 1 + a1 + a2, a1: a1, a2: a2}
}
