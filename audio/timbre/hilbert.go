package timbre

import (
	"math"

	"gonum.org/v1/gonum/dsp/fourier"
)

// A hilbert is the Hilbert transform of signals of one period: each partial becomes a quarter of its period later. It is a
// convolution with the transform's impulse response for that period, a cotangent, by way of a transform of a quick length.
type hilbert struct {
	period   int
	plan     *fourier.FFT
	response []complex128
	padded   []float64
	spectrum []complex128
}

func newHilbert(period int) *hilbert {
	size := quickLen(2 * period)
	h := &hilbert{period: period, plan: fourier.NewFFT(size), padded: make([]float64, size), spectrum: make([]complex128, size/2+1)}
	response := make([]float64, size)
	for lag := 1; lag < period; lag++ {
		response[lag] = quadratureResponse(lag, period) / float64(size)
		response[size-lag] = -response[lag]
	}
	h.response = h.plan.Coefficients(nil, response)
	return h
}

// transform is the transform of one period x. The result holds until the next call.
func (h *hilbert) transform(x []float64) []float64 {
	copy(h.padded, x)
	clear(h.padded[len(x):])
	h.plan.Coefficients(h.spectrum, h.padded)
	for i := range h.spectrum {
		h.spectrum[i] *= h.response[i]
	}
	return h.plan.Sequence(h.padded, h.spectrum)[:len(x)]
}

// quickLen is the least length of n or more that is a power of two, or 5/4 or 3/2 of one.
func quickLen(n int) int {
	power := 4
	for 2*power <= n {
		power *= 2
	}
	for _, quarters := range []int{4, 5, 6} {
		if power/4*quarters >= n {
			return power / 4 * quarters
		}
	}
	return 2 * power
}

// quadratureResponse is the value at a lag of the Hilbert transform of an impulse in a period of n samples.
func quadratureResponse(lag, n int) float64 {
	angle := math.Pi * float64(lag) / float64(n)
	sign := 1 - 2*float64(lag%2) // cos(pi lag)
	if n%2 == 0 {
		return (1 - sign) / float64(n) / math.Tan(angle)
	}
	return (1/math.Tan(angle) - sign/math.Sin(angle)) / float64(n)
}
