package kernel

// Class names the class of kernels in use: "avx512", "avx2" or "go".
func Class() string { return "go" }

// Check reports an error if WAVEMILL_KERNEL names a class that does not exist or
// that this processor cannot run.
func Check() error { return nil }
