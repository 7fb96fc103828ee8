package kernel

import (
	"fmt"
	"os"
	"sync"
)

// class is one of the classes of kernels.
type class uint8

const (
	classGo class = iota
	classAVX2
	classAVX512
)

// EnvClass is the environment variable that forces a class of kernels.
const EnvClass = "WAVEMILL_KERNEL"

func (k class) String() string { return [...]string{"go", "avx2", "avx512"}[k] }

// Class names the class of kernels in use: "avx512", "avx2" or "go".
func Class() string { return current().String() }

// Check reports an error if WAVEMILL_KERNEL names a class that does not exist or
// that this processor cannot run. Programs call it once at their start; without
// it the operations run with the best class the processor has.
func Check() error {
	_, err := chosen()
	return err
}

// Classes lists the classes this processor can run, the best first.
func Classes() []string {
	var names []string
	for _, k := range supported() {
		names = append(names, k.String())
	}
	return names
}

func current() class {
	k, _ := chosen()
	return k
}

// chosen is decided once: a class must not change between two operations.
var chosen = sync.OnceValues(func() (class, error) { return choose(os.Getenv(EnvClass), supported()) })

// choose picks the class named by want, or the best of those supported.
func choose(want string, have []class) (class, error) {
	if want == "" {
		return have[0], nil
	}
	for _, k := range have {
		if k.String() == want {
			return k, nil
		}
	}
	for _, k := range []class{classAVX512, classAVX2} {
		if k.String() == want {
			return have[0], fmt.Errorf("kernel: %s=%s: this processor has no such instructions; it can run %v", EnvClass, want, have)
		}
	}
	return have[0], fmt.Errorf("kernel: %s=%s: unknown class; want avx512, avx2 or go", EnvClass, want)
}

// tileRows is the number of rows of the class's widest micro-kernel.
func (k class) tileRows() int { return [...]int{4, 6, 12}[k] }

// tileCols is the number of columns of the class's widest micro-kernel, and so
// the width of a panel of B.
func (k class) tileCols() int { return [...]int{4, 16, 32}[k] }

// panelWidth is the width in which a panel of so many columns is packed: the
// SIMD classes have micro-kernels of half the columns.
func (k class) panelWidth(cols int) int {
	if w := k.tileCols(); k == classGo || 2*cols > w {
		return w
	}
	return k.tileCols() / 2
}
