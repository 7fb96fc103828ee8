//go:build !amd64 && !arm64

package audio

import "wavemill/internal/cpu"

// dotOf returns the dot product of a class: the portable one. That of package f32 adds one product after the other, which
// costs the passband of long filters its -120 dB.
func dotOf(cpu.Class) func(a, b []float32) float32 { return dotGo }

// squares is the sum of the squares of x.
func squares(x []float32) float64 { return float64(dotGo(x, x)) }
