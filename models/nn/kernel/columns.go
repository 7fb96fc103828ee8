package kernel

// columns is an operation under way on the columns of [rows, C] matrices.
//
// The assembly works on blocks of 16 or 64 columns. So that any C fills them,
// rep rows are taken as one row of rep*C columns, which is a multiple of 64; the
// rows left over at the end are padded to a whole one. The matrix is cut into
// chunks of a fixed number of rows, each with sums of its own, which are added in
// their order.
type columns struct {
	class     class
	op        vectorOp
	c, rep    int
	width     int // rep * c
	rows      int // of that width
	chunkRows int
	rest      int // rows of c columns left over
	data      [3][]float32
	params    [4][]float32 // of c columns
	wide      [4][]float32 // of width columns
	slope     float32
	lists     int       // of sums
	sums      []float32 // per part: per block of columns: per list
	buf       []float32
}

const (
	columnUnit  = 64      // width is a multiple
	columnChunk = 1 << 14 // elements of a chunk
)

var columnOps freelist[columns]

// startColumns prepares and runs op on matrices of c columns. The caller reads
// the sums and calls end.
func (k class) startColumns(op vectorOp, lists, c int, data [3][]float32, params [4][]float32, slope float32) *columns {
	o := columnOps.get()
	*o = columns{class: k, op: op, c: c, rep: 1, width: c, data: data, params: params, wide: params, slope: slope, lists: lists}
	n := len(data[0]) / c
	if k != classGo {
		o.rep = columnUnit / gcd(columnUnit, c)
		o.width = o.rep * c
	}
	o.rows, o.rest = n/o.rep, n%o.rep
	o.chunkRows = max(1, columnChunk/o.width)
	o.borrow()
	if o.rows*o.width <= vectorAlone {
		o.do(0, o.chunks())
	} else {
		parallel(o.chunks(), 1, o)
	}
	o.doRest()
	return o
}

func gcd(a, b int) int {
	for b != 0 {
		a, b = b, a%b
	}
	return a
}

func (o *columns) chunks() int { return (o.rows + o.chunkRows - 1) / o.chunkRows }

// borrow takes the room for sums and, where rows are joined, for repeated
// parameters.
func (o *columns) borrow() {
	sums, params := o.parts()*o.lists*o.width, 0
	for _, p := range o.params {
		if p != nil && o.rep > 1 {
			params += o.width
		}
	}
	o.buf = scratch.get(sums + params)
	o.sums = o.buf[:sums]
	at := sums
	for i, p := range o.params {
		if p == nil || o.rep == 1 {
			continue
		}
		o.wide[i] = o.buf[at : at+o.width]
		at += o.width
		for j := 0; j < o.width; j += o.c {
			copy(o.wide[i][j:], p)
		}
	}
}

func (o *columns) end() {
	scratch.put(o.buf)
	columnOps.put(o)
}

// block is the width of the blocks of columns, by which the sums are laid out.
func (o *columns) block() int {
	switch o.class {
	case classAVX512:
		return 64
	case classAVX2:
		return 16
	}
	return o.c
}

func (o *columns) do(lo, hi int) {
	for i := lo; i < hi; i++ {
		r := i * o.chunkRows
		rows := min(o.chunkRows, o.rows-r)
		sums := o.sums[i*o.lists*o.width:][:o.lists*o.width]
		if o.class == classGo {
			o.portable(r*o.c, rows, sums)
			continue
		}
		for j := 0; j < o.width; j += o.block() {
			o.runBlock(r*o.width+j, j, rows, sums)
		}
	}
}

// runBlock runs the assembly on one block of columns; at is its first element.
func (o *columns) runBlock(at, col, rows int, sums []float32) {
	v := vec{n: rows, stride: o.width, s: scalars{o.slope}}
	n := 0
	for _, d := range o.data {
		if d != nil {
			v.streams[n] = &d[at]
			n++
		}
	}
	for _, p := range o.wide {
		if p != nil {
			v.streams[n] = &p[col]
			n++
		}
	}
	if o.op == opColMoments { // about the chunk's first row
		v.streams[1] = v.streams[0]
	}
	if o.lists > 0 {
		v.sums = &sums[col*o.lists]
	}
	o.class.vector(o.op, &v)
}

// doRest runs the assembly on the rows left over, padded with zeros to a whole one:
// in the same arithmetic as the others, so that a row's result does not depend on
// the number of rows beside it, and an image comes out the same alone and in a
// batch.
func (o *columns) doRest() {
	if o.rest == 0 || o.op == opColMoments { // a row's moments about itself are zero
		return
	}
	n, at := o.rest*o.c, o.rows*o.width
	rows := scratch.get(len(o.data) * o.width)
	defer scratch.put(rows)
	data := o.data
	for i, d := range data {
		if d != nil {
			row := rows[i*o.width : (i+1)*o.width]
			clear(row[copy(row, d[at:at+n]):])
			o.data[i] = row
		}
	}
	sums := o.sums[o.chunks()*o.lists*o.width:]
	for j := 0; j < o.width; j += o.block() {
		o.runBlock(j, j, 1, sums)
	}
	o.data = data
	switch o.op {
	case opColScaleShift, opColLeakyGrad, opColNormGrad:
		copy(data[0][at:at+n], rows)
	}
}

// parts is the number of chunks and, if there are rows left over, one for them.
func (o *columns) parts() int {
	if o.rest > 0 {
		return o.chunks() + 1
	}
	return o.chunks()
}

// total adds list l of column c over all chunks.
func (o *columns) total(l, c int) float64 {
	var sum float64
	b := o.block()
	for i := range o.parts() {
		s := o.sums[i*o.lists*o.width:]
		for j := c; j < o.width; j += o.c {
			sum += float64(s[j/b*b*o.lists+l*b+j%b])
		}
	}
	return sum
}

// moments calls f with the count, the shift and the two sums about it of every
// part of column c.
func (o *columns) moments(c int, f func(n int, shift, sum, squares float32)) {
	b := o.block()
	x := o.data[0]
	for i := range o.chunks() {
		s := o.sums[i*o.lists*o.width:]
		first := i * o.chunkRows
		n := min(o.chunkRows, o.rows-first)
		for j := c; j < o.width; j += o.c {
			at := j/b*b*o.lists + j%b
			f(n, x[first*o.width+j], s[at], s[at+b])
		}
	}
	for j := o.rows*o.width + c; j < len(x); j += o.c {
		f(1, x[j], 0, 0)
	}
}

// portable runs the operation on whole rows of c columns, from element at on.
func (o *columns) portable(at, rows int, sums []float32) {
	c := o.c
	clear(sums[:o.lists*c])
	var d [3][]float32
	for i, x := range o.data {
		if x != nil {
			d[i] = x[at : at+rows*c]
		}
	}
	for r := 0; r < rows*c; r += c {
		switch o.op {
		case opColSum:
			addTo(sums[:c], d[0][r:])
		case opColMoments:
			portableMoments(sums[:c], sums[c:2*c], d[0][r:r+c], d[0][:c])
		case opColScaleShift:
			portableScaleShift(d[0][r:r+c], d[1][r:r+c], o.params[0], o.params[1], o.slope)
		case opColLeakyGrad:
			portableLeakyGrad(sums[:c], d[0][r:r+c], d[1][r:r+c], d[2][r:r+c], o.slope)
		case opColNormSums:
			o.portableNormSums(sums[:c], sums[c:2*c], d[0][r:r+c], d[1][r:r+c])
		case opColNormGrad:
			o.portableNormGrad(d[0][r:r+c], d[1][r:r+c], d[2][r:r+c])
		}
	}
}

func portableMoments(sum, squares, x, shift []float32) {
	for j, v := range x {
		v -= shift[j]
		sum[j] += v
		squares[j] += v * v
	}
}

func portableScaleShift(y, x, scale, shift []float32, slope float32) {
	for j, v := range x {
		z := v*scale[j] + shift[j]
		y[j] = z * slopeAt(z, slope)
	}
}

func portableLeakyGrad(sum, dx, dy, y []float32, slope float32) {
	for j, v := range dy {
		v *= slopeAt(y[j], slope)
		dx[j] = v
		sum[j] += v
	}
}

func (o *columns) portableNormSums(sg, sx, dy, x []float32) {
	scale, shift, mean := o.params[0], o.params[1], o.params[2]
	for j, v := range x {
		g := dy[j] * slopeAt(v*scale[j]+shift[j], o.slope)
		sg[j] += g
		sx[j] += g * (v - mean[j])
	}
}

func (o *columns) portableNormGrad(dx, dy, x []float32) {
	scale, shift, k1, k0 := o.params[0], o.params[1], o.params[2], o.params[3]
	for j, v := range x {
		g := dy[j] * slopeAt(v*scale[j]+shift[j], o.slope)
		dx[j] = scale[j]*g + (k1[j]*v + k0[j])
	}
}
