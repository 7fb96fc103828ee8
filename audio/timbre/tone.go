package timbre

import (
	"math"

	"gonum.org/v1/gonum/dsp/fourier"
)

const (
	// toneLen is the transform at 44.1 kHz that the pitch is read from: lines of 0.67 Hz, between which a parabola is laid.
	toneLen = 1 << 16
	// pitchStep is the step in samples at which a band below 200 Hz is known well enough.
	pitchStep = 32
	// Where the tone is looked for, and the least that must be left of the clip there.
	toneFrom, toneTo, toneLeast = 0.02, 0.25, 0.08 // seconds
)

// tone measures Pitch and Warble of a clip without the silence about it.
func (m *Meter) tone(y []float64) (pitch, warble float64) {
	from, to := int(toneFrom*rate), min(len(y), int(toneTo*rate))
	if float64(to-from) < toneLeast*rate {
		return math.NaN(), math.NaN()
	}
	all := y[from:to]
	low := m.low.bothWays(all)
	if power(low) < 0.2*power(all) || power(low) == 0 {
		return math.NaN(), math.NaN()
	}
	return m.strongest(low), m.movement(low)
}

func power(x []float64) float64 {
	var sum float64
	for _, v := range x {
		sum += v * v
	}
	return sum
}

// strongest is the frequency of the strongest line of x from 30 to 300 Hz.
func (m *Meter) strongest(x []float64) float64 {
	if m.pitch == nil {
		m.pitch = fourier.NewFFT(toneLen / pitchStep)
	}
	windowed := make([]float64, toneLen/pitchStep)
	for i := 0; i < len(x); i += pitchStep {
		windowed[i/pitchStep] = x[i] * hann(i, len(x))
	}
	spectrum := m.pitch.Coefficients(nil, windowed)
	level := func(k int) float64 { return math.Log(math.Hypot(real(spectrum[k]), imag(spectrum[k]))) }
	width := float64(rate) / toneLen
	best := int(30/width) + 1
	for k := best; float64(k)*width < 300; k++ {
		if level(k) > level(best) {
			best = k
		}
	}
	before, at, after := level(best-1), level(best), level(best+1)
	offset := (before - after) / (2 * (before - 2*at + after))
	if !(math.Abs(offset) <= 0.5) { // The maximum is the edge of the range, or the spectrum is zero.
		offset = 0
	}
	return (float64(best) + offset) * width
}

// movement is the deviation of the level of a band below 200 Hz from its trend.
func (m *Meter) movement(low []float64) float64 {
	if m.hilbert == nil || m.hilbert.period != len(low) {
		m.hilbert = newHilbert(len(low))
	}
	quadrature := m.hilbert.transform(low)
	const end = rate / 100 // The envelope is not known to 10 ms from the ends.
	e := make([]float64, len(low)-2*end)
	for i := range e {
		re, im := low[i+end], quadrature[i+end]
		e[i] = math.Sqrt(re*re + im*im)
	}
	least := 0.05 * largest(e)
	var levels []float64
	for _, v := range e {
		if v > least {
			levels = append(levels, 20*math.Log10(v+1e-9))
		}
	}
	aboutTrend(levels)
	return deviation(levels)
}
