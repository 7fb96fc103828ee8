package kernel

import "runtime"

// tile is the argument of a micro-kernel: it multiplies n rows of A with a panel
// of B into n rows of C,
//
//	C[outs[r] + j] = epilogue(Σ over segments, Σ over p: A[rows[r] + seg.a + p*aStep] * B[(seg.b + p)*bStep + j])
//
// for j < cols. Rows, outs and segments are in floats. Every convolution and
// matrix product is a choice of these tables: for a convolution the rows are
// pixels and the segments kernel rows, for the gradient of its weights the rows
// are weights and the segments image rows.
//
// The assembly reads the fields by their offsets; see dispatch_amd64.go. The
// tables rows and outs must be readable tablePad entries past n; B must be
// readable for a whole panel width, so a panel whose cols are fewer is a packed
// one.
type tile struct {
	a, b, c []float32
	bias    []float32 // of the panel's columns; nil: none
	rows    []int32
	outs    []int32
	segs    []segment
	aStep   int
	bStep   int
	cols    int
	n       int
	slope   float32
	flags   uint32
}

// segment is a run of products: A from a to end (exclusive) in steps of aStep,
// B from row b.
type segment struct{ a, b, end int }

const (
	flagAccumulate = 1 << iota
	flagLeaky
	flagBias // of grids; a tile has a bias if its pointer is not nil
)

// tablePad is how far past the last row a micro-kernel may read its tables.
const tablePad = 12

// skip moves past the first n rows.
func (t *tile) skip(n int) {
	t.rows, t.outs = t.rows[n:], t.outs[n:]
}

// isDot reports whether A and the only column of B are contiguous.
func (t *tile) isDot() bool { return t.cols == 1 && t.aStep == 1 && t.bStep == 1 }

// setEpilogue sets what a micro-kernel can do of ep for columns from col on. The
// activations it cannot do are left to finish.
func (t *tile) setEpilogue(ep *Epilogue, col int) {
	t.bias, t.flags, t.slope = nil, 0, 0
	if ep.Accumulate {
		t.flags |= flagAccumulate
	}
	if ep.Bias != nil {
		t.bias = ep.Bias[col:]
	}
	switch ep.Act {
	case ActLeakyReLU:
		t.flags |= flagLeaky
		t.slope = ep.Slope
	case ActReLU:
		t.flags |= flagLeaky
	}
}

// runGo is the portable micro-kernel, four rows by four columns.
func runGo(t *tile) {
	if t.isDot() {
		t.dotGo()
		return
	}
	for i := 0; i < t.n; i += 4 {
		var row [4]int
		for r := range row {
			row[r] = int(t.rows[min(i+r, t.n-1)])
		}
		var acc [4][4]float32
		for _, s := range t.segs {
			t.sumGo(&acc, &row, s)
		}
		for r := range min(4, t.n-i) {
			t.storeGo(&acc[r], int(t.outs[i+r]))
		}
	}
}

// sumGo adds the products of one segment, two rows at a time: eight sums are
// what the registers hold.
func (t *tile) sumGo(acc *[4][4]float32, row *[4]int, s segment) {
	for h := 0; h < 4; h += 2 {
		r0, r1 := &acc[h], &acc[h+1]
		s00, s01, s02, s03 := r0[0], r0[1], r0[2], r0[3]
		s10, s11, s12, s13 := r1[0], r1[1], r1[2], r1[3]
		a0, a1 := t.a[row[h]:], t.a[row[h+1]:]
		bi := s.b * t.bStep
		for p := s.a; p < s.end; p += t.aStep {
			v, w := a0[p], a1[p]
			b := t.b[bi : bi+4 : bi+4]
			bi += t.bStep
			b0, b1, b2, b3 := b[0], b[1], b[2], b[3]
			s00 += v * b0
			s01 += v * b1
			s02 += v * b2
			s03 += v * b3
			s10 += w * b0
			s11 += w * b1
			s12 += w * b2
			s13 += w * b3
		}
		*r0 = [4]float32{s00, s01, s02, s03}
		*r1 = [4]float32{s10, s11, s12, s13}
	}
}

// dotGo computes a single column, four sums to a row.
func (t *tile) dotGo() {
	for i := range t.n {
		var s0, s1, s2, s3 float32
		for _, s := range t.segs {
			a := t.a[int(t.rows[i])+s.a : int(t.rows[i])+s.end]
			b := t.b[s.b:][:len(a)]
			for len(a) >= 4 && len(b) >= 4 {
				s0 += a[0] * b[0]
				s1 += a[1] * b[1]
				s2 += a[2] * b[2]
				s3 += a[3] * b[3]
				a, b = a[4:], b[4:]
			}
			for p, v := range a {
				s0 += v * b[p]
			}
		}
		t.storeGo(&[4]float32{s0 + s1 + s2 + s3}, int(t.outs[i]))
	}
}

func (t *tile) storeGo(acc *[4]float32, out int) {
	c := t.c[out : out+t.cols]
	for j := range c {
		v := acc[j]
		if t.flags&flagAccumulate != 0 {
			v += c[j]
		}
		if t.bias != nil {
			v += t.bias[j]
		}
		if t.flags&flagLeaky != 0 {
			v *= slopeAt(v, t.slope)
		}
		c[j] = v
	}
}

// peakGo is the portable counterpart of the peak loops: chains of
// multiplications and additions on single floats.
func peakGo(n int) float64 {
	x, y := float32(0.5), float32(0.25)
	// Different starts, or the compiler makes one chain of all.
	s0, s1, s2, s3, s4, s5, s6, s7 := x, x+1, x+2, x+3, x+4, x+5, x+6, x+7
	for range n {
		s0 = s0*x + y
		s1 = s1*x + y
		s2 = s2*x + y
		s3 = s3*x + y
		s4 = s4*x + y
		s5 = s5*x + y
		s6 = s6*x + y
		s7 = s7*x + y
	}
	runtime.KeepAlive(s0 + s1 + s2 + s3 + s4 + s5 + s6 + s7) // the compiler must not drop the loop
	return 16
}
