package fingerprint

import "wavemill/internal/cpu"

// sumAVX2 is sumInOrder of 64 samples; taps is at least 1.
//
//go:noescape
func sumAVX2(y, even, odd, h *float32, taps int)

// sumsOf returns the sumInOrder of a class of kernels: they all give the same bits.
func sumsOf(class cpu.Class) func(y, even, odd, h []float32) {
	if class < cpu.AVX2 {
		return sumInOrder
	}
	return func(y, even, odd, h []float32) {
		for first := 0; first < len(y); first += sumsAtOnce {
			sumAVX2(&y[first], &even[first], &odd[first], &h[0], len(h))
		}
	}
}
