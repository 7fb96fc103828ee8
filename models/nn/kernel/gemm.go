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
	current().gemm(transA, transB, m, n, k, a, lda, b, ldb, c, ldc, ep)
}

const (
	gemmRows  = 96   // rows of C a worker takes at a time; with k = 1024 its part of A is 384 KB, in L2
	gemmDepth = 4096 // products summed in registers; a panel of B is then at most 512 KB
	gemmJobs  = 16   // fewer jobs than this are cut smaller
)

// product is one matrix product under way.
type product struct {
	class          class
	p              panels
	a, c           []float32
	m, rows        int // rows in all, and of a job
	depth          int
	rowStep, aStep int
	ldc            int
	ep             Epilogue
}

var products freelist[product]

func (k class) gemm(transA, transB bool, m, n, depth int, a []float32, lda int, b []float32, ldb int, c []float32, ldc int, ep Epilogue) {
	if depth == 0 {
		k.emptyProduct(c, m, n, ldc, ep)
		return
	}
	g := products.get()
	defer products.put(g)
	*g = product{class: k, a: a, c: c, m: m, depth: depth, rowStep: lda, aStep: 1, ldc: ldc, ep: ep}
	if transA {
		g.rowStep, g.aStep = 1, lda
	}
	g.setPanels(transB, n, b, ldb)
	defer g.p.release()
	g.rows = min(gemmRows, m)
	for g.rows > k.tileRows() && (m+g.rows-1)/g.rows*g.p.count() < gemmJobs {
		g.rows = max((g.rows/2+k.tileRows()-1)/k.tileRows()*k.tileRows(), k.tileRows())
	}
	blocks := (m + g.rows - 1) / g.rows
	parallelWork(blocks*g.p.count(), 2*float64(m)*float64(n)*float64(depth), g)
	k.finish(c, m, n, ldc, ep)
}

// emptyProduct is the epilogue on sums of nothing.
func (k class) emptyProduct(c []float32, m, n, ldc int, ep Epilogue) {
	for r := range m {
		row := c[r*ldc : r*ldc+n]
		if !ep.Accumulate {
			clear(row)
		}
		if ep.Bias != nil {
			addTo(row, ep.Bias)
		}
		k.activate(ep.Act, ep.Slope, row, row)
	}
}

// setPanels prepares B. Packing it pays from the third tile of rows on.
func (g *product) setPanels(transB bool, n int, b []float32, ldb int) {
	dot := g.aStep == 1 && g.class.dotPays(n, g.depth)
	if k := g.class; !dot && !transB && (g.m <= 2*k.tileRows() || ldb == k.tileCols()) {
		g.p.setDirect(k, b, ldb, g.depth, n)
		return
	}
	g.p.setPacked(g.class, g.depth, n, dot)
	g.p.pack(b, ldb, transB)
}

func (g *product) do(lo, hi int) {
	var block gemmBlock
	for i := lo; i < hi; i++ {
		r := i / g.p.count() * g.rows
		block.run(g, r, min(g.rows, g.m-r), i%g.p.count())
	}
}

// gemmBlock computes blocks of at most gemmRows rows of one panel.
type gemmBlock struct {
	rows, outs [gemmRows + tablePad]int32
	filled     int
	segs       [1]segment
}

func (b *gemmBlock) run(g *product, row, n, panel int) {
	for ; b.filled < n; b.filled++ {
		b.rows[b.filled], b.outs[b.filled] = int32(b.filled*g.rowStep), int32(b.filled*g.ldc)
	}
	var t tile
	g.p.set(&t, panel)
	col := panel * g.p.width()
	t.a, t.c, t.aStep = g.a[row*g.rowStep:], g.c[row*g.ldc+col:], g.aStep
	for at := 0; at < g.depth; at += gemmDepth {
		end := min(at+gemmDepth, g.depth)
		ep := Epilogue{Accumulate: at > 0 || g.ep.Accumulate}
		if end == g.depth {
			ep.Bias, ep.Act, ep.Slope = g.ep.Bias, g.ep.Act, g.ep.Slope
		}
		t.setEpilogue(&ep, col)
		t.rows, t.outs, t.n = b.rows[:], b.outs[:], n
		b.segs[0] = segment{a: at * g.aStep, b: at, end: end * g.aStep}
		t.segs = b.segs[:]
		g.class.run(&t)
	}
}

// finish applies to a rows×cols matrix the activations that the micro-kernels
// leave over.
func (k class) finish(c []float32, rows, cols, ld int, ep Epilogue) {
	switch ep.Act {
	case ActTanh, ActSigmoid, ActSiLU:
	default:
		return
	}
	if cols == ld {
		rows, cols, ld = 1, rows*cols, rows*cols
	}
	for r := range rows {
		row := c[r*ld : r*ld+cols]
		k.activate(ep.Act, ep.Slope, row, row)
	}
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
