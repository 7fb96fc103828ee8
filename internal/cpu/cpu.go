// Package cpu decides which class of SIMD kernels this process runs. The neural-network kernels, the
// FFT, the resampler and the fingerprint all ask it, so that one name ("avx512", "avx2" or "go") describes the whole
// process.
//
// Each class requires the same processor features everywhere:
//
//	avx512: AVX-512 F, VL, DQ and BW, BMI2, and all of avx2
//	avx2:   AVX2 and FMA
//	go:     nothing; portable Go code, on every architecture
//
// The environment variable WAVEMILL_KERNEL forces a class. It is read once, at the first use.
package cpu

import (
	"fmt"
	"os"
	"sync"
)

// Class is a class of kernels. Results are the same bytes on all machines of one class and processor
// architecture; between classes they differ by rounding.
type Class uint8

// The classes, slowest first.
const (
	Go Class = iota
	AVX2
	AVX512
)

// Env is the environment variable that forces a class: "avx512", "avx2" or "go". Empty means the best
// class that the processor supports.
const Env = "WAVEMILL_KERNEL"

// String returns the name of the class as Env accepts it.
func (c Class) String() string {
	switch c {
	case Go:
		return "go"
	case AVX2:
		return "avx2"
	case AVX512:
		return "avx512"
	}
	return fmt.Sprintf("class(%d)", uint8(c))
}

// Supported lists the classes that this processor can run, the best first. The last is always Go.
func Supported() []Class { return supported() }

// Current returns the class of this process. It does not change while the process runs. If Env names
// a class that does not exist or that the processor cannot run, it returns the best supported class
// and Check reports the error.
func Current() Class {
	c, _ := current()
	return c
}

// Check returns an error if Env names an unknown class or one that this processor cannot run. Programs
// call it once at their start.
func Check() error {
	_, err := current()
	return err
}

// current reads the environment once, because a class must not change between two operations.
var current = sync.OnceValues(func() (Class, error) { return choose(os.Getenv(Env), supported()) })

// choose returns the class named by want, or the best of those supported if want is empty. On error it
// returns the best supported class.
func choose(want string, have []Class) (Class, error) {
	if want == "" {
		return have[0], nil
	}
	for _, c := range have {
		if c.String() == want {
			return c, nil
		}
	}
	for _, c := range []Class{AVX512, AVX2} {
		if c.String() == want {
			return have[0], fmt.Errorf("%s=%s: this processor has no such instructions; it can run %v", Env, want, have)
		}
	}
	return have[0], fmt.Errorf("%s=%s: unknown class; want avx512, avx2 or go", Env, want)
}
