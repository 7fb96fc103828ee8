package timbre

import (
	"math"
	"math/cmplx"
	"slices"
)

// A section is a biquad y[n] = b0 x[n] + b1 x[n-1] + b2 x[n-2] - a1 y[n-1] - a2 y[n-2].
type section struct{ b0, b1, b2, a1, a2 float64 }

// A butterworth is a Butterworth filter of fourth order, as sections.
type butterworth []section

// lowPass passes what is below a frequency in Hz.
func lowPass(hz float64) butterworth {
	cutoff := warped(hz)
	var out butterworth
	for _, p := range prototype() {
		out = append(out, newSection(p*complex(cutoff, 0), 1, 2, 1, 1))
	}
	return out
}

// bandPass passes what is between two frequencies in Hz.
func bandPass(from, to float64) butterworth {
	lo, hi := warped(from), warped(to)
	centre := math.Sqrt(lo * hi)
	middle := cmplx.Rect(1, 2*math.Atan(centre/2))
	var out butterworth
	for _, p := range prototype() {
		half := p * complex((hi-lo)/2, 0)
		root := cmplx.Sqrt(half*half - complex(centre*centre, 0))
		for _, q := range []complex128{half + root, half - root} {
			out = append(out, newSection(q, 1, 0, -1, middle))
		}
	}
	return out
}

// warped is the frequency of an analogue filter that the bilinear transform (of time step 1) takes to hz at 44.1 kHz.
func warped(hz float64) float64 { return 2 * math.Tan(math.Pi*hz/rate) }

// prototype is one pole of each conjugate pair of the analogue low pass of fourth order with cutoff 1.
func prototype() []complex128 {
	return []complex128{cmplx.Rect(1, 5*math.Pi/8), cmplx.Rect(1, 7*math.Pi/8)}
}

// newSection has the analogue pole p and its conjugate, a numerator up to scale, and gain 1 at the point unit of the
// unit circle.
func newSection(p complex128, b0, b1, b2 float64, unit complex128) section {
	z := (2 + p) / (2 - p)
	s := section{b0, b1, b2, -2 * real(z), real(z)*real(z) + imag(z)*imag(z)}
	inverse := 1 / unit
	numerator := complex(b0, 0) + inverse*(complex(b1, 0)+inverse*complex(b2, 0))
	gain := cmplx.Abs((1 + inverse*(complex(s.a1, 0)+inverse*complex(s.a2, 0))) / numerator)
	s.b0, s.b1, s.b2 = b0*gain, b1*gain, b2*gain
	return s
}

// bothWays filters x forwards and backwards, without delay of any frequency. The ends are extended by their odd
// reflections, and the filter starts as if the first value had been there for ever (Gustafsson 1996). x must be longer than
// the extension of f.pad() samples.
func (f butterworth) bothWays(x []float64) []float64 {
	pad, n := f.pad(), len(x)
	y := make([]float64, n+2*pad)
	for i := range pad {
		y[i] = 2*x[0] - x[pad-i]
		y[pad+n+i] = 2*x[n-1] - x[n-2-i]
	}
	copy(y[pad:], x)
	for range 2 {
		f.run(y)
		slices.Reverse(y)
	}
	return y[pad : pad+n]
}

// pad is three times the number of coefficients of the filter as one fraction.
func (f butterworth) pad() int { return 3 * (2*len(f) + 1) }

// run filters x in place from the steady state of x[0].
func (f butterworth) run(x []float64) {
	type memory struct{ s1, s2 float64 }
	state := make([]memory, len(f))
	level := x[0]
	for k, s := range f {
		out := level * (s.b0 + s.b1 + s.b2) / (1 + s.a1 + s.a2)
		state[k] = memory{out - s.b0*level, s.b2*level - s.a2*out}
		level = out
	}
	for i, v := range x {
		for k := range f {
			s, m := &f[k], &state[k]
			out := s.b0*v + m.s1
			m.s1 = s.b1*v - s.a1*out + m.s2
			m.s2 = s.b2*v - s.a2*out
			v = out
		}
		x[i] = v
	}
}
