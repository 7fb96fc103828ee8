package audio

import (
	"github.com/tphakala/simd/f32"

	"wavemill/internal/cpu"
)

// The routines of fir_amd64.s. acc is [windows][16], h is [n][16] with n even, and x holds
// (windows-1)*stride+n samples.

//go:noescape
func firAVX512x8(acc, h, x *float32, stride, n int)

//go:noescape
func firAVX512x1(acc, h, x *float32, stride, n int)

//go:noescape
func firAVX2x4(acc, h, x *float32, stride, n int)

//go:noescape
func firAVX2x1(acc, h, x *float32, stride, n int)

// firs lists the kernels that the class can run, the best first; none for cpu.Go, which uses dot products.
func firs(class cpu.Class) []fir {
	var list []fir
	if class >= cpu.AVX512 {
		list = append(list, fir{"avx512", 8, firAVX512x8, firAVX512x1})
	}
	if class >= cpu.AVX2 {
		list = append(list, fir{"avx2", 4, firAVX2x4, firAVX2x1})
	}
	return list
}

// dotOf returns the dot product of a class. Package f32 selects SIMD instructions by a detection of its
// own, therefore cpu.Go uses a loop.
func dotOf(class cpu.Class) func(a, b []float32) float32 {
	if class == cpu.Go {
		return dotGo
	}
	return f32.DotProduct
}
