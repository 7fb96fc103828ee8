//go:build !amd64

package fft

// available lists the kernels that this machine can run, fastest first.
func available() []kernels { return []kernels{portable} }
