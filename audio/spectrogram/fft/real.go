// Package fft is the real Fourier transform under the spectrogram: float32 in, complex64 out, no allocation per transform.
package fft

import (
	"fmt"

	"gonum.org/v1/gonum/dsp/fourier"
)

// A Real is a plan for the discrete Fourier transform of n real samples. It owns its scratch: use one per goroutine.
type Real struct {
	n     int
	plan  *fourier.FFT
	wide  []float64
	coeff []complex128
}

// NewReal makes a plan for transforms of n samples, n >= 2.
func NewReal(n int) (*Real, error) {
	if n < 2 {
		return nil, fmt.Errorf("fft: length %d: a transform needs at least 2 samples", n)
	}
	return &Real{n: n, plan: fourier.NewFFT(n), wide: make([]float64, n), coeff: make([]complex128, n/2+1)}, nil
}

// Len is the number of samples of one transform.
func (r *Real) Len() int { return r.n }

// Bins is the number of coefficients of one transform, n/2 + 1.
func (r *Real) Bins() int { return r.n/2 + 1 }

// Forward writes the first n/2+1 coefficients of the unscaled transform of x to dst.
func (r *Real) Forward(dst []complex64, x []float32) {
	for i, v := range x[:r.n] {
		r.wide[i] = float64(v)
	}
	r.plan.Coefficients(r.coeff, r.wide)
	for i, c := range r.coeff {
		dst[i] = complex64(c)
	}
}

// Inverse writes the n samples whose transform is s to dst: Inverse undoes Forward, scale included.
func (r *Real) Inverse(dst []float32, s []complex64) {
	for i := range r.coeff {
		r.coeff[i] = complex128(s[i])
	}
	r.plan.Sequence(r.wide, r.coeff)
	scale := 1 / float64(r.n)
	for i, v := range r.wide {
		dst[i] = float32(v * scale)
	}
}
