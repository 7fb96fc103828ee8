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
// Source: S. Winograd, Arithmetic Complexity of Computations, 1980; A. Lavin and
// S. Gray, Fast Algorithms for Convolutional Neural Networks, 2016.

// grids is the argument of the assembly that maps small grids of vectors, see
// asm/winograd.go. Strides are in floats.
type grids struct {
	src, dst, bias          *float32
	n                       int // items
	channels                int // floats; whole registers
	srcItem, srcRow, srcCol int
	dstItem, dstRow, dstCol int
	slope                   float32
	flags                   uint32
}

// gridOp names a map of grids.
type gridOp uint8

const (
	gridSpread3 gridOp = iota // 3×3 to 3×3: input to products
	gridSpread2               // 2×2 to 3×3: weights, or gradients of the output, to products
	gridFold2                 // 3×3 to 2×2: products to output, or to gradients of weights
	gridFold3                 // 3×3 to 3×3, overlapping: products to gradients of the input
)

const points = 9 // products of a tile

// fast reports whether s is to be done with fewer multiplications.
func (k class) fast(s Conv) bool {
	w := k.tileCols()
	return s.Fast && k != classGo && s.KH == 4 && s.KW == 4 && s.Stride == 2 &&
		s.C%w == 0 && s.Co%w == 0 && s.OutH()%2 == 0 && s.OutW()%2 == 0
}

// winograd is such a convolution under way.
type winograd struct {
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
// four phases.
func (o *winograd) depth() int { return 4 * o.s.C }

// padded returns the size of an image with its padding, which holds whole tiles.
func (o *winograd) padded() (h, w int) { return 2*o.s.OutH() + 2, 2*o.s.OutW() + 2 }

// fastChunkFloats bounds what a worker has in hand at a time, transformed input
// and output: 640 KB, most of an L2 cache.
const fastChunkFloats = 160 << 10

func (k class) newWinograd(s Conv) *winograd {
	o := winograds.get()
	rows, outs := o.rows[:0], o.outs[:0]
	*o = winograd{class: k, s: s}
	per := points * o.tiles() * (o.depth() + s.Co)
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
	o.u = scratch.get(points * o.depth() * s.Co)
	defer scratch.put(o.u)
	o.table(o.chunk*o.tiles(), o.depth(), s.Co)
	parallel(4*(s.Co/k.tileCols()), 1, (*fastWeights)(o))
	parallel((s.N+o.chunk-1)/o.chunk, 1, (*fastOutputs)(o))
	k.finish(y, s.N*s.OutH()*s.OutW(), s.Co, s.Co, ep)
}

// fastBackData is backData for shapes that are fast and an epilogue that does
// nothing.
func (k class) fastBackData(s Conv, dy, w, dx []float32) {
	o := k.newWinograd(s)
	defer o.end()
	o.x, o.w, o.y = dx, w, dy
	o.u = scratch.get(points * o.depth() * s.Co)
	defer scratch.put(o.u)
	o.table(o.chunk*o.tiles(), s.Co, o.depth())
	parallel(4*(s.C/k.tileCols()), 1, (*fastWeightsT)(o))
	parallel((s.N+o.chunk-1)/o.chunk, 1, (*fastInputs)(o))
}

// The pieces of parallel work.
type (
	fastWeights  winograd // items: phase and panel of Co
	fastWeightsT winograd // items: phase and panel of C
	fastOutputs  winograd // items: chunks of images
	fastInputs   winograd // items: chunks of images
)

// do transforms weights for the forward pass: [point][panel of Co][phase, c][width].
func (f *fastWeights) do(lo, hi int) {
	o := (*winograd)(f)
	s, width := &o.s, o.class.tileCols()
	for i := lo; i < hi; i++ {
		phase, panel := i%4, i/4
		ph, pw := phase/2, phase%2
		o.class.grid(gridSpread2, &grids{
			src: &o.w[(ph*s.KW+pw)*s.C*s.Co+panel*width], dst: &o.u[(panel*o.depth()+phase*s.C)*width],
			n: s.C, channels: width,
			srcItem: s.Co, srcRow: 2 * s.KW * s.C * s.Co, srcCol: 2 * s.C * s.Co,
			dstItem: width, dstRow: 3 * o.depth() * s.Co, dstCol: o.depth() * s.Co,
		})
	}
}

// do transforms weights for the gradient of the data: [point][panel of (phase, c)][co][width].
func (f *fastWeightsT) do(lo, hi int) {
	o := (*winograd)(f)
	s, width := &o.s, o.class.tileCols()
	taps := scratch.get(4 * s.Co * width)
	defer scratch.put(taps)
	for i := lo; i < hi; i++ {
		phase, panel := i%4, i/4
		for t := range 4 {
			kh, kw := phase/2+t/2*2, phase%2+t%2*2
			o.class.transpose(taps[t*s.Co*width:], width, o.w[((kh*s.KW+kw)*s.C+panel*width)*s.Co:], s.Co, width, s.Co)
		}
		col := phase*s.C + panel*width // of the 4C columns
		o.class.grid(gridSpread2, &grids{
			src: &taps[0], dst: &o.u[col*s.Co], n: s.Co, channels: width,
			srcItem: width, srcRow: 2 * s.Co * width, srcCol: s.Co * width,
			dstItem: width, dstRow: 3 * o.depth() * s.Co, dstCol: o.depth() * s.Co,
		})
	}
}

// do computes the outputs of chunks of images.
func (f *fastOutputs) do(lo, hi int) {
	o := (*winograd)(f)
	tiles := o.chunk * o.tiles()
	xt, yt := scratch.get(points*tiles*o.depth()), scratch.get(points*tiles*o.s.Co)
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
			o.foldOutput(yt[m*o.tiles()*o.s.Co:], tiles, first+m)
		}
	}
}

// do computes the gradients of chunks of images.
func (f *fastInputs) do(lo, hi int) {
	o := (*winograd)(f)
	tiles := o.chunk * o.tiles()
	xt, yt := scratch.get(points*tiles*o.depth()), scratch.get(points*tiles*o.s.Co)
	defer scratch.put(xt)
	defer scratch.put(yt)
	pad := o.paddedImage()
	defer scratch.put(pad)
	for i := lo; i < hi; i++ {
		first := i * o.chunk
		n := min(o.chunk, o.s.N-first)
		for m := range n {
			o.spreadOutput(yt[m*o.tiles()*o.s.Co:], tiles, o.s.Co, first+m)
		}
		o.multiply(yt, xt, n*o.tiles(), tiles, o.s.Co, o.depth())
		for m := range n {
			o.foldInput(xt[m*o.tiles()*o.depth():], tiles, pad, first+m)
		}
	}
}

// multiply computes, at each point, rows×cols of c = a · u; the points of a and c
// are tiles rows apart.
func (o *winograd) multiply(a, c []float32, rows, tiles, depth, cols int) {
	width := o.class.tileCols()
	segs := [1]segment{{end: depth}}
	for p := range points {
		for j := 0; j < cols; j += width {
			t := tile{
				a: a[p*tiles*depth:], b: o.u[(p*cols+j)*depth:], c: c[p*tiles*cols+j:],
				rows: o.rows, outs: o.outs, segs: segs[:], aStep: 1, bStep: width, cols: width, n: rows,
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
	_, w := o.padded()
	o.copyImage(pad, image, func(pad, x []float32) { copy(pad, x) })
	g := grids{
		n: o.tilesW(), channels: channels,
		srcItem: 4 * s.C, srcRow: 2 * w * s.C, srcCol: 2 * s.C,
		dstItem: block, dstRow: 3 * tiles * o.depth(), dstCol: tiles * o.depth(),
	}
	for th := range o.tilesH() {
		for phase := range 4 {
			for c := 0; c < s.C; c += channels {
				k := phase*s.C + c
				g.src = &pad[((4*th+phase/2)*w+phase%2)*s.C+c]
				g.dst = &dst[k/block*block*tiles+k%block+th*o.tilesW()*block]
				o.class.grid(gridSpread3, &g)
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

// foldInput is the transpose of spreadInput.
func (o *winograd) foldInput(src []float32, tiles int, pad []float32, image int) {
	s := &o.s
	h, w := o.padded()
	// Tiles add to their first rows and columns, and set the others.
	clear(pad[:2*w*s.C])
	for r := 2; r < h; r++ {
		clear(pad[r*w*s.C:][:2*s.C])
	}
	g := grids{
		n: o.tilesW(), channels: s.C,
		srcItem: o.depth(), srcRow: 3 * tiles * o.depth(), srcCol: tiles * o.depth(),
		dstItem: 4 * s.C, dstRow: 2 * w * s.C, dstCol: 2 * s.C,
	}
	for th := range o.tilesH() {
		for phase := range 4 {
			g.src = &src[th*o.tilesW()*o.depth()+phase*s.C]
			g.dst = &pad[((4*th+phase/2)*w+phase%2)*s.C]
			o.class.grid(gridFold3, &g)
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

// spreadOutput transforms an image of gradients of y into its tiles: dst is
// [point][block of co][tile][block], with room for so many tiles.
func (o *winograd) spreadOutput(dst []float32, tiles, block, image int) {
	g, row := o.outputGrids()
	g.srcItem, g.srcRow, g.srcCol = g.dstItem, g.dstRow, g.dstCol
	g.dstItem, g.dstRow, g.dstCol = block, 3*tiles*o.s.Co, tiles*o.s.Co
	g.channels = block
	for th := range o.tilesH() {
		for c := 0; c < o.s.Co; c += block {
			g.src, g.dst = &o.y[(image*o.tilesH()+th)*row+c], &dst[c*tiles+th*o.tilesW()*block]
			o.class.grid(gridSpread2, &g)
		}
	}
}

// foldOutput turns products into an image of y.
func (o *winograd) foldOutput(src []float32, tiles, image int) {
	g, row := o.outputGrids()
	g.srcItem, g.srcRow, g.srcCol = o.s.Co, 3*tiles*o.s.Co, tiles*o.s.Co
	g.setEpilogue(&o.ep)
	for th := range o.tilesH() {
		g.src, g.dst = &src[th*o.tilesW()*o.s.Co], &o.y[(image*o.tilesH()+th)*row]
		o.class.grid(gridFold2, &g)
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

// setEpilogue is as that of a tile.
func (g *grids) setEpilogue(ep *Epilogue) {
	var t tile
	t.setEpilogue(ep, 0)
	g.flags, g.slope = t.flags, t.slope
	if t.bias != nil {
		g.flags |= flagBias
		g.bias = &t.bias[0]
	}
}
