//go:build !amd64

package audio

// firs lists the kernels that this machine can run: none, which leaves dot products.
func firs() []fir { return nil }
