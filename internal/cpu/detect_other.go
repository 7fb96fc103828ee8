//go:build !amd64

package cpu

// supported lists the classes that this processor can run: the SIMD kernels are written for amd64.
func supported() []Class { return []Class{Go} }
