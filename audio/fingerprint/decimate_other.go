//go:build !amd64

package fingerprint

import "wavemill/internal/cpu"

// sumsOf returns the sumInOrder of a class of kernels: they all give the same bits.
func sumsOf(cpu.Class) func(y, even, odd, h []float32) { return sumInOrder }
