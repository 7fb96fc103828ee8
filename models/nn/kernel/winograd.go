package kernel

// The convolutions of 4×4 kernels with stride 2 can be done with 9/16 of the
// multiplications. Every second row and column of the input is a phase; in terms
// of the four phases the convolution is a sum of four 2×2 convolutions with
// stride 1, and two neighbouring outputs of such a one,
//
//	y0 = x0 w0 + x1 w1
//	y1 = x1 w0 + x2 w1
//
// need three products instead of four:
//
//	m0 = (x0-x1) w0, m1 = x1 (w0+w1), m2 = (x2-x1) w1,  y0 = m0+m1, y1 = m1+m2
//
// and in two dimensions nine instead of sixteen. Summed over phases and channels
// the nine products of all tiles of 2×2 outputs are nine matrix products. There
// are no factors but one, so hardly any accuracy is lost: two more roundings. The
// gradients are the transposed maps around the same products.
//
// 3×3 kernels with stride 1 are a single phase. Two neighbouring outputs need four
// products instead of six, and two dimensions sixteen instead of 36:
//
//	m0 = (x0-x2) w0,            m1 = (x1+x2) (w0+w1+w2)/2,
//	m2 = (x2-x1) (w0-w1+w2)/2,  m3 = (x3-x1) w2,  y0 = m0+m1+m2, y1 = m1-m2+m3
//
// Source: S. Winograd, Arithmetic Complexity of Computations, 1980; A. Lavin and
// S. Gray, Fast Algorithms for Convolutional Neural Networks, 2016.

// scheme is one of the two: how many inputs, products, taps and outputs there are
// on each axis of a tile, for each phase, and the maps between them.
type scheme struct {
	side, taps                         int // inputs and products; taps
	input, weights, output             gridOp
	foldInput, foldWeights, foldOutput gridOp
}

func schemeOf(s Conv) scheme {
	if s.Stride == 2 {
		return scheme{3, 2, gridSpread3, gridSpread2, gridSpread2, gridFold3, gridFold2, gridFold2}
	}
	return scheme{4, 3, gridSpread4, gridSpread34, gridSpread24, gridFold4, gridFold43, gridFold42}
}

// points is the number of products of a tile.
func (m *scheme) points() int { return m.side * m.side }

// pointStride is how far apart the matrices of two points are: a cache line more
// than their size, which is mostly a multiple of a page, so that the values of a
// tile at all points, which are written together, do not fall into one set of
// the cache.
func pointStride(rows, cols int) int { return rows*cols + 16 }

// fast reports whether s is to be done with fewer multiplications: for whole
// registers of channels and whole tiles. 3×3 kernels are where direct products are
// a quarter more at least: on images of few pixels most taps fall on the padding,
// and those are left out there.
func (k class) fast(s Conv) bool {
	lanes := k.tileCols() / 2
	if !s.Fast || k == classGo || s.C%lanes != 0 || s.Co%lanes != 0 || s.OutH()%2 != 0 || s.OutW()%2 != 0 {
		return false
	}
	if s.KH == 3 && s.KW == 3 && s.Stride == 1 {
		taps := axisTaps(s.H, s.OutH(), s.KH, s.Stride, s.Pad) * axisTaps(s.W, s.OutW(), s.KW, s.Stride, s.Pad)
		return taps >= 5*s.OutH()*s.OutW()
	}
	return s.KH == 4 && s.KW == 4 && s.Stride == 2
}

// winograd is such a convolution under way.
type winograd struct {
	scheme
	class    class
	s        Conv
	x, y     []float32 // one of them read, one written; for the weights both read
	w        []float32
	ep       Epilogue
	u        []float32 // transformed weights: [point][panel][k][width]; for their gradient sums
	xt, yt   []float32 // for the gradient of the weights: transformed images
	from, to int       // images of the current batch
	chunk    int       // images a worker takes at a time
	rows     []int32   // row offsets of tiles
	outs     []int32
	more     bool // the gradient of the weights has summed images before
}

var winograds freelist[winograd]

func (o *winograd) tilesH() int { return o.s.OutH() / 2 }
func (o *winograd) tilesW() int { return o.s.OutW() / 2 }

// tiles is the number of tiles of an image.
func (o *winograd) tiles() int { return o.tilesH() * o.tilesW() }

// depth is the number of input values of a tile at each point: the channels of
// all phases.
func (o *winograd) depth() int { return o.phases() * o.s.C }

func (o *winograd) phases() int { return o.s.Stride * o.s.Stride }

// unit is the number of channels that are handled together: those of a panel, or
// of half a one if that is what the channels are a multiple of.
func (o *winograd) unit() int {
	if w := o.class.tileCols(); o.s.C%w == 0 {
		return w
	}
	return o.class.tileCols() / 2
}

// count is the number of panels of so many columns, of which the last may have
// half the width.
func (o *winograd) count(cols int) int { return (cols + o.class.tileCols() - 1) / o.class.tileCols() }

// panelWidth is the width of panel j of so many columns.
func (o *winograd) panelWidth(j, cols int) int {
	w := o.class.tileCols()
	return min(w, cols-j*w)
}

// phase returns the first tap of phase i.
func (o *winograd) phase(i int) (h, w int) { return i / o.s.Stride, i % o.s.Stride }

// padded returns the size of an image with its padding, which holds whole tiles.
func (o *winograd) padded() (h, w int) {
	border := o.side - 2
	return o.s.Stride * (o.s.OutH() + border), o.s.Stride * (o.s.OutW() + border)
}

// fastChunkFloats bounds what a worker has in hand at a time, transformed input
// and output: 480 KB, an L2 cache at its smallest.
const fastChunkFloats = 120 << 10

func (k class) newWinograd(s Conv) *winograd {
	o := winograds.get()
	rows, outs := o.rows[:0], o.outs[:0]
	*o = winograd{scheme: schemeOf(s), class: k, s: s}
	per := o.points() * o.tiles() * (o.depth() + s.Co)
	o.chunk = max(1, min(s.N, fastChunkFloats/per))
	o.rows, o.outs = rows, outs
	return o
}

// table fills the row offsets: n rows, so many floats apart.
func (o *winograd) table(n, step, outStep int) {
	o.rows, o.outs = o.rows[:0], o.outs[:0]
	for i := range n + tablePad {
		o.rows, o.outs = append(o.rows, int32(i*step)), append(o.outs, int32(i*outStep))
	}
}

func (o *winograd) end() {
	rows, outs := o.rows, o.outs
	*o = winograd{rows: rows, outs: outs}
	winograds.keep(o)
}

// fastForward is forward for shapes that are fast.
func (k class) fastForward(s Conv, x, w, y []float32, ep Epilogue) {
	o := k.newWinograd(s)
	defer o.end()
	o.x, o.w, o.y, o.ep = x, w, y, ep
	o.u = scratch.get(o.points() * pointStride(o.depth(), s.Co))
	defer scratch.put(o.u)
	o.table(o.chunk*o.tiles(), o.depth(), s.Co)
	parallel(o.phases()*o.count(s.Co), 1, (*fastWeights)(o))
	parallel((s.N+o.chunk-1)/o.chunk, 1, (*fastOutputs)(o))
	k.finish(y, s.N*s.OutH()*s.OutW(), s.Co, s.Co, ep)
}

// fastBackData is backData for shapes that are fast and an epilogue that does
// nothing.
func (k class) fastBackData(s Conv, dy, w, dx []float32) {
	o := k.newWinograd(s)
	defer o.end()
	o.x, o.w, o.y = dx, w, dy
	o.u = scratch.get(o.points() * pointStride(o.depth(), s.Co))
	defer scratch.put(o.u)
	o.table(o.chunk*o.tiles(), s.Co, o.depth())
	parallel(o.depth()/o.unit(), 1, (*fastWeightsT)(o))
	parallel((s.N+o.chunk-1)/o.chunk, 1, (*fastInputs)(o))
}

// The pieces of parallel work.
type (
	fastWeights  winograd // items: phase and panel of Co
	fastWeightsT winograd // items: units of (phase, c)
	fastOutputs  winograd // items: chunks of images
	fastInputs   winograd // items: chunks of images
)

// do transforms weights for the forward pass: [point][panel of Co][phase, c][width].
func (f *fastWeights) do(lo, hi int) {
	o := (*winograd)(f)
	s, width := &o.s, o.class.tileCols()
	point := pointStride(o.depth(), s.Co)
	for i := lo; i < hi; i++ {
		phase, panel := i%o.phases(), i/o.phases()
		ph, pw := o.phase(phase)
		w := o.panelWidth(panel, s.Co)
		o.class.grid(o.weights, &grids{
			src: &o.w[(ph*s.KW+pw)*s.C*s.Co+panel*width], dst: &o.u[panel*o.depth()*width+phase*s.C*w],
			n: s.C, channels: w,
			srcItem: s.Co, srcRow: s.Stride * s.KW * s.C * s.Co, srcCol: s.Stride * s.C * s.Co,
			dstItem: w, dstRow: o.side * point, dstCol: point,
		})
	}
}

// do transforms weights for the gradient of the data: [point][panel of (phase, c)][co][width].
func (f *fastWeightsT) do(lo, hi int) {
	o := (*winograd)(f)
	s, width, unit := &o.s, o.class.tileCols(), o.unit()
	point := pointStride(o.depth(), s.Co)
	taps := scratch.get(o.taps * o.taps * s.Co * unit)
	defer scratch.put(taps)
	for i := lo; i < hi; i++ {
		col := i * unit // of those of all phases
		ph, pw := o.phase(col / s.C)
		for t := range o.taps * o.taps {
			kh, kw := ph+t/o.taps*s.Stride, pw+t%o.taps*s.Stride
			o.class.transpose(taps[t*s.Co*unit:], unit, o.w[((kh*s.KW+kw)*s.C+col%s.C)*s.Co:], s.Co, unit, s.Co)
		}
		panel := col / width
		o.class.grid(o.weights, &grids{
			src: &taps[0], dst: &o.u[panel*width*s.Co+col%width], n: s.Co, channels: unit,
			srcItem: unit, srcRow: o.taps * s.Co * unit, srcCol: s.Co * unit,
			dstItem: o.panelWidth(panel, o.depth()), dstRow: o.side * point, dstCol: point,
		})
	}
}

// do computes the outputs of chunks of images.
func (f *fastOutputs) do(lo, hi int) {
	o := (*winograd)(f)
	tiles := o.chunk * o.tiles()
	xt, yt := scratch.get(o.points()*pointStride(tiles, o.depth())), scratch.get(o.points()*pointStride(tiles, o.s.Co))
	defer scratch.put(xt)
	defer scratch.put(yt)
	pad := o.paddedImage()
	defer scratch.put(pad)
	for i := lo; i < hi; i++ {
		first := i * o.chunk
		n := min(o.chunk, o.s.N-first)
		for m := range n {
			o.spreadInput(xt[m*o.tiles()*o.depth():], tiles, o.depth(), pad, first+m)
		}
		o.multiply(xt, yt, n*o.tiles(), tiles, o.depth(), o.s.Co)
		for m := range n {
			o.mergeOutput(yt[m*o.tiles()*o.s.Co:], tiles, first+m)
		}
	}
}

// do computes the gradients of chunks of images.
func (f *fastInputs) do(lo, hi int) {
	o := (*winograd)(f)
	tiles := o.chunk * o.tiles()
	xt, yt := scratch.get(o.points()*pointStride(tiles, o.depth())), scratch.get(o.points()*pointStride(tiles, o.s.Co))
	defer scratch.put(xt)
	defer scratch.put(yt)
	pad := o.paddedImage()
	defer scratch.put(pad)
	for i := lo; i < hi; i++ {
		first := i * o.chunk
		n := min(o.chunk, o.s.N-first)
		for m := range n {
			o.spreadOutput(yt, tiles, o.s.Co, m*o.tiles(), first+m)
		}
		o.multiply(yt, xt, n*o.tiles(), tiles, o.s.Co, o.depth())
		for m := range n {
			o.mergeInput(xt[m*o.tiles()*o.depth():], tiles, pad, first+m)
		}
	}
}

// multiply computes, at each point, rows×cols of c = a · u; the points of a and c
// are tiles rows apart.
func (o *winograd) multiply(a, c []float32, rows, tiles, depth, cols int) {
	width := o.class.tileCols()
	segs := [1]segment{{end: depth}}
	for p := range o.points() {
		for j := range o.count(cols) {
			w := o.panelWidth(j, cols)
			t := tile{
				a: a[p*pointStride(tiles, depth):], b: o.u[p*pointStride(depth, cols)+j*width*depth:], c: c[p*pointStride(tiles, cols)+j*width:],
				rows: o.rows, outs: o.outs, segs: segs[:], aStep: 1, bStep: w, cols: w, n: rows,
			}
			o.class.run(&t)
		}
	}
}

// paddedImage borrows room for an image with its padding, cleared.
func (o *winograd) paddedImage() []float32 {
	h, w := o.padded()
	pad := scratch.get(h * w * o.s.C)
	clear(pad)
	return pad
}

// spreadInput transforms an image of x into its tiles: dst is
// [point][block of phase, c][tile][block], with room for so many tiles. The
// border of pad is zero.
func (o *winograd) spreadInput(dst []float32, tiles, block int, pad []float32, image int) {
	s := &o.s
	channels := min(block, s.C)
	point := pointStride(tiles, o.depth())
	_, w := o.padded()
	o.copyImage(pad, image, func(pad, x []float32) { copy(pad, x) })
	g := grids{
		n: o.tilesW(), channels: channels,
		srcItem: 2 * s.Stride * s.C, srcRow: s.Stride * w * s.C, srcCol: s.Stride * s.C,
		dstItem: block, dstRow: o.side * point, dstCol: point,
	}
	for th := range o.tilesH() {
		for phase := range o.phases() {
			ph, pw := o.phase(phase)
			for c := 0; c < s.C; c += channels {
				k := phase*s.C + c
				g.src = &pad[((2*s.Stride*th+ph)*w+pw)*s.C+c]
				g.dst = &dst[k/block*block*tiles+k%block+th*o.tilesW()*block]
				o.class.grid(o.input, &g)
			}
		}
	}
}

// copyImage calls f for each row of an image that pad holds: its part of pad and
// of x.
func (o *winograd) copyImage(pad []float32, image int, f func(pad, x []float32)) {
	s := &o.s
	h, w := o.padded()
	rows, cols := min(s.H, h-s.Pad), min(s.W, w-s.Pad)
	for r := range rows {
		f(pad[((r+s.Pad)*w+s.Pad)*s.C:][:cols*s.C], o.x[((image*s.H+r)*s.W)*s.C:][:cols*s.C])
	}
}

// mergeInput is the transpose of spreadInput.
func (o *winograd) mergeInput(src []float32, tiles int, pad []float32, image int) {
	s := &o.s
	h, w := o.padded()
	// Tiles add to their first rows and columns, in all phases two pixels, and set the others.
	point := pointStride(tiles, o.depth())
	clear(pad[:2*w*s.C])
	for r := 2; r < h; r++ {
		clear(pad[r*w*s.C:][:2*s.C])
	}
	g := grids{
		n: o.tilesW(), channels: s.C,
		srcItem: o.depth(), srcRow: o.side * point, srcCol: point,
		dstItem: 2 * s.Stride * s.C, dstRow: s.Stride * w * s.C, dstCol: s.Stride * s.C,
	}
	for th := range o.tilesH() {
		for phase := range o.phases() {
			ph, pw := o.phase(phase)
			g.src = &src[th*o.tilesW()*o.depth()+phase*s.C]
			g.dst = &pad[((2*s.Stride*th+ph)*w+pw)*s.C]
			o.class.grid(o.foldInput, &g)
		}
	}
	o.copyImage(pad, image, func(pad, x []float32) { copy(x, pad) })
	o.clearOutside(image)
}

// clearOutside clears what no output has seen: the last row and column of an
// image whose size with the padding is odd.
func (o *winograd) clearOutside(image int) {
	s := &o.s
	h, w := o.padded()
	x := o.x[image*s.H*s.W*s.C:][:s.H*s.W*s.C]
	if rows := h - s.Pad; rows < s.H {
		clear(x[rows*s.W*s.C:])
	}
	if cols := w - s.Pad; cols < s.W {
		for r := range s.H {
			clear(x[(r*s.W+cols)*s.C:][:(s.W-cols)*s.C])
		}
	}
}

// spreadOutput transforms an image of gradients of y into its tiles, from tile first on: dst is
// [point][block of co][tile][block], with room for so many tiles; the last block
// may be narrower.
func (o *winograd) spreadOutput(dst []float32, tiles, block, first, image int) {
	g, row := o.outputGrids()
	point := pointStride(tiles, o.s.Co)
	g.srcItem, g.srcRow, g.srcCol = g.dstItem, g.dstRow, g.dstCol
	g.dstRow, g.dstCol = o.side*point, point
	for th := range o.tilesH() {
		for c := 0; c < o.s.Co; c += block {
			g.channels = min(block, o.s.Co-c)
			g.dstItem = g.channels
			g.src, g.dst = &o.y[(image*o.tilesH()+th)*row+c], &dst[c*tiles+(first+th*o.tilesW())*g.channels]
			o.class.grid(o.output, &g)
		}
	}
}

// mergeOutput turns products into an image of y.
func (o *winograd) mergeOutput(src []float32, tiles, image int) {
	g, row := o.outputGrids()
	point := pointStride(tiles, o.s.Co)
	g.srcItem, g.srcRow, g.srcCol = o.s.Co, o.side*point, point
	g.setEpilogue(&o.ep)
	for th := range o.tilesH() {
		g.src, g.dst = &src[th*o.tilesW()*o.s.Co], &o.y[(image*o.tilesH()+th)*row]
		o.class.grid(o.foldOutput, &g)
	}
}

// outputGrids describes a row of tiles of y, as the destination, and gives the
// floats of such a row.
func (o *winograd) outputGrids() (grids, int) {
	s := &o.s
	return grids{
		n: o.tilesW(), channels: s.Co,
		dstItem: 2 * s.Co, dstRow: s.OutW() * s.Co, dstCol: s.Co,
	}, 2 * s.OutW() * s.Co
}
