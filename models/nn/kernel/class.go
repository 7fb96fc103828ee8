package kernel

import "wavemill/internal/cpu"

// class is a cpu.Class with the operations of its kernels.
type class cpu.Class

const (
	classGo     = class(cpu.Go)
	classAVX2   = class(cpu.AVX2)
	classAVX512 = class(cpu.AVX512)
)

func (k class) String() string { return cpu.Class(k).String() }

// Class names the class of kernels in use: "avx512", "avx2" or "go".
func Class() string { return cpu.Current().String() }

// Check reports an error if WAVEMILL_KERNEL names a class that does not exist or
// that this processor cannot run. Programs call it once at their start; without
// it the operations run with the best class the processor has.
func Check() error { return cpu.Check() }

// current is the class of this process.
func current() class { return class(cpu.Current()) }

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
