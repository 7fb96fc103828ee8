package kernel

import "fmt"

// Gemm computes the matrix product C = op(A)·op(B), with the epilogue applied to
// each element, where op(A) is m×k, op(B) is k×n and C is m×n, all row-major:
//
//	transA false: A is m×k, element (i, p) at a[i*lda+p]; true: A is k×m, at a[p*lda+i]
//	transB false: B is k×n, element (p, j) at b[p*ldb+j]; true: B is n×k, at b[j*ldb+p]
//	C:            element (i, j) at c[i*ldc+j]
//
// Elements of c outside the m×n block are neither read nor written. c must not
// overlap a or b. With k = 0 the sum is zero and the epilogue still applies.
func Gemm(transA, transB bool, m, n, k int, a []float32, lda int, b []float32, ldb int, c []float32, ldc int, ep Epilogue) {
	if err := checkGemm(transA, transB, m, n, k, a, lda, b, ldb, c, ldc, ep); err != nil {
		panic(err)
	}
	if m == 0 || n == 0 {
		return
	}
	Parallel(m, 1, func(lo, hi int) {
		for i := lo; i < hi; i++ {
			row := c[i*ldc : i*ldc+n]
			if !ep.Accumulate {
				clear(row)
			}
			for p := range k {
				ai, bi, bs := i*lda+p, p*ldb, 1
				if transA {
					ai = p*lda + i
				}
				if transB {
					bi, bs = p, ldb
				}
				for j := range row {
					row[j] += a[ai] * b[bi+j*bs]
				}
			}
			finishRow(row, ep)
		}
	})
}

func finishRow(row []float32, ep Epilogue) {
	if ep.Bias != nil {
		for j, v := range ep.Bias {
			row[j] += v
		}
	}
	Activate(ep.Act, ep.Slope, row, row)
}

func checkGemm(transA, transB bool, m, n, k int, a []float32, lda int, b []float32, ldb int, c []float32, ldc int, ep Epilogue) error {
	if m < 0 || n < 0 || k < 0 {
		return fmt.Errorf("kernel: gemm: negative size m=%d n=%d k=%d", m, n, k)
	}
	check := func(name string, rows, cols, ld, have int) error {
		if rows == 0 || cols == 0 {
			return nil
		}
		if ld < cols {
			return fmt.Errorf("kernel: gemm: %s is %d×%d but its row stride is %d", name, rows, cols, ld)
		}
		if need := (rows-1)*ld + cols; have < need {
			return fmt.Errorf("kernel: gemm: %s is %d×%d with row stride %d and needs %d floats, got %d", name, rows, cols, ld, need, have)
		}
		return nil
	}
	ra, ca, rb, cb := m, k, k, n
	if transA {
		ra, ca = ca, ra
	}
	if transB {
		rb, cb = cb, rb
	}
	if err := check("A", ra, ca, lda, len(a)); err != nil {
		return err
	}
	if err := check("B", rb, cb, ldb, len(b)); err != nil {
		return err
	}
	if err := check("C", m, n, ldc, len(c)); err != nil {
		return err
	}
	return ep.check("gemm", n)
}
