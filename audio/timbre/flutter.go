package timbre

import (
	"math"

	"gonum.org/v1/gonum/dsp/fourier"
)

const (
	// envelopeStep is the spacing in samples of the values whose modulation is measured: 1.0 ms.
	envelopeStep = 44
	// modulationLen is the transform of these values; it reaches 8.17 s.
	modulationLen = 8192
)

// flutter measures Flutter and Line of a clip without the silence about it.
func (m *Meter) flutter(y []float64) (depth, line float64) {
	if len(y) <= m.high.pad() {
		return math.NaN(), math.NaN()
	}
	e := envelope(m.high.bothWays(y), 3)
	most := largest(e)
	if most == 0 {
		return math.NaN(), math.NaN()
	}
	lo, hi := within(e, -30)
	if float64(hi-1-lo) < 0.08*rate {
		return math.NaN(), math.NaN()
	}
	floor := most * math.Pow(10, -50.0/20)
	var levels []float64
	for i := lo; i < hi; i += envelopeStep {
		levels = append(levels, 20*math.Log10(e[i]+floor))
	}
	levels = levels[5 : len(levels)-5] // The ends are those of the sound.
	aboutTrend(levels)
	return deviation(levels), m.lineOf(levels)
}

// lineOf is Line of the levels about their trend.
func (m *Meter) lineOf(levels []float64) float64 {
	n := min(len(levels), modulationLen)
	windowed := make([]float64, modulationLen)
	for i, v := range levels[:n] {
		windowed[i] = v * hann(i, n)
	}
	if m.modulation == nil {
		m.modulation = fourier.NewFFT(modulationLen)
	}
	spectrum := m.modulation.Coefficients(nil, windowed)
	near := func(lo, hi float64) float64 {
		var sum float64
		var count int
		for i, c := range spectrum {
			if f := float64(i) * rate / envelopeStep / modulationLen; f > m.hopRate+lo && f < m.hopRate+hi {
				sum += real(c)*real(c) + imag(c)*imag(c)
				count++
			}
		}
		return sum / float64(count)
	}
	return finite(10 * math.Log10(near(-4, 4)/((near(-20, -10)+near(10, 20))/2)))
}

// hann is sample i of the symmetric window of n samples.
func hann(i, n int) float64 {
	if n == 1 {
		return 1
	}
	return 0.5 - 0.5*math.Cos(2*math.Pi*float64(i)/float64(n-1))
}

func finite(v float64) float64 {
	if math.IsInf(v, 0) {
		return math.NaN()
	}
	return v
}
