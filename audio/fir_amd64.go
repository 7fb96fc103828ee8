package audio

import "golang.org/x/sys/cpu"

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

// firs lists the kernels that this machine can run, the best first.
func firs() []fir {
	var list []fir
	if cpu.X86.HasAVX512F && cpu.X86.HasAVX512DQ {
		list = append(list, fir{"avx512", 8, firAVX512x8, firAVX512x1})
	}
	if cpu.X86.HasAVX2 && cpu.X86.HasFMA {
		list = append(list, fir{"avx2", 4, firAVX2x4, firAVX2x1})
	}
	return list
}
