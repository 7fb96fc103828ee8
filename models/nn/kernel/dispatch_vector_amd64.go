package kernel

import "unsafe"

var (
	_ [0]struct{}   = [unsafe.Offsetof(vec{}.streams)]struct{}{}
	_ [64]struct{}  = [unsafe.Offsetof(vec{}.n)]struct{}{}
	_ [72]struct{}  = [unsafe.Offsetof(vec{}.s)]struct{}{}
	_ [112]struct{} = [unsafe.Offsetof(vec{}.stride)]struct{}{}
	_ [120]struct{} = [unsafe.Offsetof(vec{}.sums)]struct{}{}
	_ [128]struct{} = [unsafe.Offsetof(vec{}.result)]struct{}{}

	_ [24]struct{} = [unsafe.Offsetof(grids{}.n)]struct{}{}
	_ [40]struct{} = [unsafe.Offsetof(grids{}.srcItem)]struct{}{}
	_ [80]struct{} = [unsafe.Offsetof(grids{}.dstCol)]struct{}{}
	_ [88]struct{} = [unsafe.Offsetof(grids{}.slope)]struct{}{}
	_ [92]struct{} = [unsafe.Offsetof(grids{}.flags)]struct{}{}
)

// vector runs the routine of op of a SIMD class.
func (k class) vector(op vectorOp, v *vec) {
	if k == classAVX512 {
		vectorAVX512(op, (*byte)(unsafe.Pointer(v)))
		return
	}
	vectorAVX2(op, (*byte)(unsafe.Pointer(v)))
}

// transposeBlocks transposes the whole blocks of rows×cols of src, and returns
// how many rows and columns that are.
func (k class) transposeBlocks(dst []float32, ldd int, src []float32, lds, rows, cols int) (int, int) {
	if k == classGo {
		return 0, 0
	}
	n := k.tileCols() / 2
	rows, cols = rows/n*n, cols/n*n
	for r := 0; r < rows; r += n {
		for c := 0; c < cols; c += n {
			d, s := (*byte)(unsafe.Pointer(&dst[c*ldd+r])), (*byte)(unsafe.Pointer(&src[r*lds+c]))
			if k == classAVX512 {
				transposeAVX512(d, ldd, s, lds)
			} else {
				transposeAVX2(d, ldd, s, lds)
			}
		}
	}
	return rows, cols
}

// The switch, unlike a table of functions, lets the argument stay on the stack.
func vectorAVX512(op vectorOp, v *byte) {
	switch op {
	case opAdd:
		vecAddAVX512(v)
	case opSub:
		vecSubAVX512(v)
	case opMul:
		vecMulAVX512(v)
	case opScale:
		vecScaleAVX512(v)
	case opAxpy:
		vecAxpyAVX512(v)
	case opAxpby:
		vecAxpbyAVX512(v)
	case opLeaky:
		vecLeakyAVX512(v)
	case opTanh:
		vecTanhAVX512(v)
	case opSigmoid:
		vecSigmoidAVX512(v)
	case opSiLU:
		vecSiLUAVX512(v)
	case opLeakyGrad:
		vecLeakyGradAVX512(v)
	case opTanhGrad:
		vecTanhGradAVX512(v)
	case opSigmoidGrad:
		vecSigmoidGradAVX512(v)
	case opSiLUGrad:
		vecSiLUGradAVX512(v)
	case opAdam:
		vecAdamAVX512(v)
	case opAdamEMA:
		vecAdamEMAAVX512(v)
	case opSumSquares:
		vecSumSquaresAVX512(v)
	case opDot:
		vecDotAVX512(v)
	case opSumSquaredDiff:
		vecSumSquaredDiffAVX512(v)
	case opSumAbsDiff:
		vecSumAbsDiffAVX512(v)
	case opColSum:
		colSumAVX512(v)
	case opColMoments:
		colMomentsAVX512(v)
	case opColScaleShift:
		colScaleShiftAVX512(v)
	case opColLeakyGrad:
		colLeakyGradAVX512(v)
	case opColNormSums:
		colNormSumsAVX512(v)
	case opColNormGrad:
		colNormGradAVX512(v)
	}
}

// The switch, unlike a table of functions, lets the argument stay on the stack.
func vectorAVX2(op vectorOp, v *byte) {
	switch op {
	case opAdd:
		vecAddAVX2(v)
	case opSub:
		vecSubAVX2(v)
	case opMul:
		vecMulAVX2(v)
	case opScale:
		vecScaleAVX2(v)
	case opAxpy:
		vecAxpyAVX2(v)
	case opAxpby:
		vecAxpbyAVX2(v)
	case opLeaky:
		vecLeakyAVX2(v)
	case opTanh:
		vecTanhAVX2(v)
	case opSigmoid:
		vecSigmoidAVX2(v)
	case opSiLU:
		vecSiLUAVX2(v)
	case opLeakyGrad:
		vecLeakyGradAVX2(v)
	case opTanhGrad:
		vecTanhGradAVX2(v)
	case opSigmoidGrad:
		vecSigmoidGradAVX2(v)
	case opSiLUGrad:
		vecSiLUGradAVX2(v)
	case opAdam:
		vecAdamAVX2(v)
	case opAdamEMA:
		vecAdamEMAAVX2(v)
	case opSumSquares:
		vecSumSquaresAVX2(v)
	case opDot:
		vecDotAVX2(v)
	case opSumSquaredDiff:
		vecSumSquaredDiffAVX2(v)
	case opSumAbsDiff:
		vecSumAbsDiffAVX2(v)
	case opColSum:
		colSumAVX2(v)
	case opColMoments:
		colMomentsAVX2(v)
	case opColScaleShift:
		colScaleShiftAVX2(v)
	case opColLeakyGrad:
		colLeakyGradAVX2(v)
	case opColNormSums:
		colNormSumsAVX2(v)
	case opColNormGrad:
		colNormGradAVX2(v)
	}
}

// grid runs a map of grids of a SIMD class.
func (k class) grid(op gridOp, g *grids) {
	v := (*byte)(unsafe.Pointer(g))
	if k == classAVX512 {
		gridAVX512(op, v)
		return
	}
	gridAVX2(op, v)
}

func gridAVX512(op gridOp, v *byte) {
	switch op {
	case gridSpread3:
		gridSpread3AVX512(v)
	case gridSpread2:
		gridSpread2AVX512(v)
	case gridFold2:
		gridFold2AVX512(v)
	case gridFold3:
		gridFold3AVX512(v)
	case gridSpread4:
		gridSpread4AVX512(v)
	case gridSpread34:
		gridSpread3to4AVX512(v)
	case gridSpread24:
		gridSpread2to4AVX512(v)
	case gridFold42:
		gridFold4to2AVX512(v)
	case gridFold43:
		gridFold4to3AVX512(v)
	case gridFold4:
		gridFold4AVX512(v)
	}
}

func gridAVX2(op gridOp, v *byte) {
	switch op {
	case gridSpread3:
		gridSpread3AVX2(v)
	case gridSpread2:
		gridSpread2AVX2(v)
	case gridFold2:
		gridFold2AVX2(v)
	case gridFold3:
		gridFold3AVX2(v)
	case gridSpread4:
		gridSpread4AVX2(v)
	case gridSpread34:
		gridSpread3to4AVX2(v)
	case gridSpread24:
		gridSpread2to4AVX2(v)
	case gridFold42:
		gridFold4to2AVX2(v)
	case gridFold43:
		gridFold4to3AVX2(v)
	case gridFold4:
		gridFold4AVX2(v)
	}
}
