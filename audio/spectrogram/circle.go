package spectrogram

import (
	"math"
	"math/rand/v2"
)

const (
	circleBits = 12
	circleSize = 1 << circleBits
)

// A circle holds the sines and cosines of equal steps around the unit circle, in float32. A look-up costs a fraction of
// math.Sincos.
type circle []complex64

func newCircle() circle {
	c := make(circle, circleSize)
	for i := range c {
		sin, cos := math.Sincos(2 * math.Pi * float64(i) / circleSize)
		c[i] = complex(float32(cos), float32(sin))
	}
	return c
}

// polar returns m*exp(i*phase): the nearest step, corrected for the remaining angle to second order (error below 1e-9).
func (c circle) polar(m, phase float32) complex64 {
	turn := float64(phase) * (circleSize / (2 * math.Pi))
	step := math.Floor(turn + 0.5)
	u := c[int(step)&(circleSize-1)]
	d := float32((turn - step) * (2 * math.Pi / circleSize))
	cos, sin := m*(1-d*d/2), m*d
	return complex(real(u)*cos-imag(u)*sin, imag(u)*cos+real(u)*sin)
}

// random gives magnitudes independent phases, uniform among the circle's steps. Finer steps do not improve the result.
func (c circle) random(dst []complex64, magnitude []float32, seed uint64) {
	rng := rand.New(rand.NewPCG(seed, 0))
	var bits uint64
	for i, m := range magnitude {
		if i%(64/circleBits) == 0 {
			bits = rng.Uint64()
		}
		u := c[bits%circleSize]
		bits >>= circleBits
		dst[i] = complex(m*real(u), m*imag(u))
	}
}
