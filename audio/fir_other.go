//go:build !amd64

package audio

import "wavemill/internal/cpu"

// firs lists the kernels that the class can run: none, which leaves dot products.
func firs(cpu.Class) []fir { return nil }
