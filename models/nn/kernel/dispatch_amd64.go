package kernel

import "unsafe"

// The offsets the assembly knows; the build fails where the compiler's differ.
var (
	_ [0]struct{}   = [unsafe.Offsetof(tile{}.a)]struct{}{}
	_ [24]struct{}  = [unsafe.Offsetof(tile{}.b)]struct{}{}
	_ [48]struct{}  = [unsafe.Offsetof(tile{}.c)]struct{}{}
	_ [72]struct{}  = [unsafe.Offsetof(tile{}.bias)]struct{}{}
	_ [96]struct{}  = [unsafe.Offsetof(tile{}.rows)]struct{}{}
	_ [120]struct{} = [unsafe.Offsetof(tile{}.outs)]struct{}{}
	_ [144]struct{} = [unsafe.Offsetof(tile{}.segs)]struct{}{}
	_ [168]struct{} = [unsafe.Offsetof(tile{}.aStep)]struct{}{}
	_ [176]struct{} = [unsafe.Offsetof(tile{}.bStep)]struct{}{}
	_ [184]struct{} = [unsafe.Offsetof(tile{}.cols)]struct{}{}
	_ [192]struct{} = [unsafe.Offsetof(tile{}.n)]struct{}{}
	_ [200]struct{} = [unsafe.Offsetof(tile{}.slope)]struct{}{}
	_ [204]struct{} = [unsafe.Offsetof(tile{}.flags)]struct{}{}
	_ [24]struct{}  = [unsafe.Sizeof(segment{})]struct{}{}
)

// run computes the tile. The switches are on purpose: a call through a function
// variable would move every tile to the heap.
func (k class) run(t *tile) {
	switch k {
	case classAVX512:
		runAVX512(t)
	case classAVX2:
		runAVX2(t)
	default:
		runGo(t)
	}
}

func runAVX512(t *tile) {
	full, rest := t.n/12*12, t.n%12
	wide := t.cols > 16
	p := (*byte)(unsafe.Pointer(t))
	if t.isDot() {
		dot12AVX512(p)
		return
	}
	if full > 0 {
		t.n = full
		if wide {
			tile12x32AVX512(p)
		} else {
			tile12x16AVX512(p)
		}
		t.skip(full)
	}
	if rest == 0 {
		return
	}
	t.n = rest
	switch {
	case rest > 8 && wide:
		tile12x32AVX512(p)
	case rest > 8:
		tile12x16AVX512(p)
	case rest > 4 && wide:
		tile8x32AVX512(p)
	case rest > 4:
		tile8x16AVX512(p)
	case wide:
		tile4x32AVX512(p)
	default:
		tile4x16AVX512(p)
	}
}

func runAVX2(t *tile) {
	full, rest := t.n/6*6, t.n%6
	wide := t.cols > 8
	p := (*byte)(unsafe.Pointer(t))
	if t.isDot() {
		dot12AVX2(p)
		return
	}
	if full > 0 {
		t.n = full
		if wide {
			tile6x16AVX2(p)
		} else {
			tile6x8AVX2(p)
		}
		t.skip(full)
	}
	if rest == 0 {
		return
	}
	t.n = rest
	switch {
	case rest > 4 && wide:
		tile6x16AVX2(p)
	case rest > 4:
		tile6x8AVX2(p)
	case rest > 2 && wide:
		tile4x16AVX2(p)
	case rest > 2:
		tile4x8AVX2(p)
	case wide:
		tile2x16AVX2(p)
	default:
		tile2x8AVX2(p)
	}
}

// peakRounds runs n rounds of the class's widest multiply-adds and returns the
// number of floating-point operations in one round.
func (k class) peakRounds(n int) float64 {
	switch k {
	case classAVX512:
		peakAVX512(n)
		return 12 * 16 * 2
	case classAVX2:
		peakAVX2(n)
		return 12 * 8 * 2
	}
	return peakGo(n)
}
