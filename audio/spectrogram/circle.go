package spectrogram

import (
	"math"
	"math/rand/v2"
)

const (
	circleBits = 12
	circleSize = 1 << circleBits
)

// A circle is the unit circle in equal steps: sines and cosines of float32 at a fraction of math.Sincos's price.
type circle []complex64

func newCircle() circle {
	c := make(circle, circleSize)
	for i := range c {
		sin, cos := math.Sincos(2 * math.Pi * float64(i) / circleSize)
		c[i] = complex(float32(cos), float32(sin))
	}
	return c
}

// polar is m*exp(i*phase): the nearest step, turned by the second-order rest (below 1e-9).
func (c circle) polar(m, phase float32) complex64 {
	turn := float64(phase) * (circleSize / (2 * math.Pi))
	step := math.Floor(turn + 0.5)
	u := c[int(step)&(circleSize-1)]
	d := float32((turn - step) * (2 * math.Pi / circleSize))
	cos, sin := m*(1-d*d/2), m*d
	return complex(real(u)*cos-imag(u)*sin, imag(u)*cos+real(u)*sin)
}

// random gives magnitudes independent phases, uniform among the circle's steps: no finer ones help.
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
