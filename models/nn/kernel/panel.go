package kernel

// panels is the right-hand operand B of a product, k rows by n columns, cut into
// panels of the class's tile width. A panel is either used where it lies, or
// packed: its rows one after the other, padded with zeros to the panel's width.
type panels struct {
	class  class
	k, n   int
	direct []float32 // B itself, row stride ld; nil if every panel is packed
	ld     int
	packed []float32 // panel j at (j-first)*k*width
	first  int       // the first packed panel
	buf    []float32 // to be given back; nil if not borrowed
	dot    bool      // panels of a single column, for the dot kernels
}

// width is the number of columns of every panel but the last.
func (p *panels) width() int {
	if p.dot {
		return 1
	}
	return p.class.tileCols()
}

// packedWidth is the row length of a packed panel of so many columns.
func (p *panels) packedWidth(cols int) int {
	if p.dot {
		return 1
	}
	return p.class.panelWidth(cols)
}

// dotPays reports whether n columns are better done one by one, with the lanes
// along runs of so many contiguous products.
func (k class) dotPays(n, run int) bool {
	lanes := max(k.tileCols()/2, 4)
	return n <= lanes/4 && run >= lanes || n <= lanes/2 && run >= 4*lanes
}

// count is the number of panels.
func (p *panels) count() int { return (p.n + p.width() - 1) / p.width() }

// cols is the number of valid columns of panel j.
func (p *panels) cols(j int) int { return min(p.width(), p.n-j*p.width()) }

// set points t at panel j.
func (p *panels) set(t *tile, j int) {
	t.cols = p.cols(j)
	if p.direct != nil && j < p.first {
		t.b, t.bStep = p.direct[j*p.width():], p.ld
		return
	}
	t.b, t.bStep = p.packed[(j-p.first)*p.k*p.width():], p.packedWidth(t.cols)
}

// release gives the packed panels back.
func (p *panels) release() { scratch.put(p.buf) }

// setDirect uses b, rows×n, where it lies, but for a last panel that is not whole.
func (p *panels) setDirect(k class, b []float32, ld, rows, n int) {
	*p = panels{class: k, k: rows, n: n, direct: b, ld: ld}
	p.first = n / p.width()
	if n%p.width() != 0 {
		p.buf = scratch.get(rows * p.width())
		p.packed = p.buf
		p.packRows(0, rows, p.first, b, ld)
	}
}

// setPacked borrows room for the packed panels of a rows×n matrix.
func (p *panels) setPacked(k class, rows, n int, dot bool) {
	*p = panels{class: k, k: rows, n: n, dot: dot}
	p.buf = scratch.get(p.count() * rows * p.width())
	p.packed = p.buf
}

const (
	packGrain = 256      // rows of a panel that one worker packs at a time
	packSmall = 32 << 10 // floats below which the caller packs alone
)

// packing is the work of filling panels.
type packing struct {
	p      *panels
	b      []float32
	ld     int
	blocks int // of packGrain rows
}

// packingRows packs the row-major matrix b, packingColumns the transpose of b.
type (
	packingRows    packing
	packingColumns packing
)

var packings freelist[packing]

// pack packs the row-major rows×n matrix b, or its transpose.
func (p *panels) pack(b []float32, ld int, transposed bool) {
	w := packings.get()
	defer packings.put(w)
	*w = packing{p, b, ld, (p.k + packGrain - 1) / packGrain}
	var r ranger = (*packingRows)(w)
	if transposed {
		r = (*packingColumns)(w)
	}
	if n := p.count() * w.blocks; p.k*p.n < packSmall {
		r.do(0, n)
	} else {
		parallel(n, 4, r)
	}
}

func (w *packingRows) do(lo, hi int) {
	for i := lo; i < hi; i++ {
		r := i % w.blocks * packGrain
		w.p.packRows(r, min(r+packGrain, w.p.k), i/w.blocks, w.b, w.ld)
	}
}

func (w *packingColumns) do(lo, hi int) {
	for i := lo; i < hi; i++ {
		r, j := i%w.blocks*packGrain, i/w.blocks
		w.p.packTransposed(r, j, min(packGrain, w.p.k-r), w.b[j*w.p.width()*w.ld+r:], w.ld)
	}
}

// packRows packs rows lo to hi of panel j of b.
func (p *panels) packRows(lo, hi, j int, b []float32, ld int) {
	cols := p.cols(j)
	w := p.packedWidth(cols)
	dst := p.packed[(j-p.first)*p.k*p.width():][lo*w : hi*w]
	packRows(dst, w, b[lo*ld+j*p.width():], ld, cols)
}

// packRows copies rows of cols floats, ld apart, to dst, w apart, and fills up
// with zeros. The number of rows follows from dst.
func packRows(dst []float32, w int, src []float32, ld, cols int) {
	rows := len(dst) / w
	switch {
	case cols == 32 && w == 32:
		for r := range rows {
			*(*[32]float32)(dst[r*32:]) = *(*[32]float32)(src[r*ld:])
		}
	case cols == 16 && w == 16:
		for r := range rows {
			*(*[16]float32)(dst[r*16:]) = *(*[16]float32)(src[r*ld:])
		}
	case w == 1:
		for r := range dst {
			dst[r] = src[r*ld]
		}
	default:
		for r := range rows {
			d := dst[r*w : (r+1)*w]
			clear(d[copy(d, src[r*ld:r*ld+cols]):])
		}
	}
}

// packTransposed packs rows at to at+rows of panel j from src, whose row c, ld
// apart, holds column c of the panel.
func (p *panels) packTransposed(at, j, rows int, src []float32, ld int) {
	cols := p.cols(j)
	w := p.packedWidth(cols)
	dst := p.packed[(j-p.first)*p.k*p.width():][at*w : (at+rows)*w]
	if w == 1 {
		copy(dst, src)
		return
	}
	p.class.transpose(dst, w, src, ld, cols, rows)
	if cols < w {
		for r := range rows {
			clear(dst[r*w+cols : (r+1)*w])
		}
	}
}

// transpose sets dst[c*ldd+r] = src[r*lds+c] for rows×cols of src.
func (k class) transpose(dst []float32, ldd int, src []float32, lds, rows, cols int) {
	r, c := k.transposeBlocks(dst, ldd, src, lds, rows, cols)
	transposeEdge(dst, ldd, src, lds, 0, r, c, cols)
	transposeEdge(dst, ldd, src, lds, r, rows, 0, cols)
}

// transposeEdge transposes rows r0 to r1, columns c0 to c1.
func transposeEdge(dst []float32, ldd int, src []float32, lds, r0, r1, c0, c1 int) {
	for r := r0; r < r1; r += 8 {
		for c := c0; c < c1; c += 8 {
			for i := r; i < min(r+8, r1); i++ {
				for j, v := range src[i*lds+c : i*lds+min(c+8, c1)] {
					dst[(c+j)*ldd+i] = v
				}
			}
		}
	}
}
