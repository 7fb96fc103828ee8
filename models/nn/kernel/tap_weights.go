package kernel

// With many channels the gradient of the weights is done tap by tap. The pixels
// that a tap sees lie many channels apart, mostly a power of two, so that where
// they lie a few sets of the cache hold them all; copied side by side, in blocks
// of a panel's width, they are read one after the other. Only pixels inside the
// image are copied, so that padding takes no time, and all rows of a block are one
// run of products.
const (
	tapChannels = 96      // from which copying pays
	tapFloats   = 3 << 10 // of a panel copied at a time: 12 KB, which stay in an L1 cache with the rows beside it
)

// tapGradient is a gradient of weights under way.
type tapGradient struct {
	class      class
	s          Conv
	x, dy, dw  []float32
	accumulate bool
	groups     int // of panels, so that there are jobs enough
	pixels     int // copied at a time
	room       int // floats from one block of channels to the next
	rows, outs []int32
}

var tapGradients freelist[tapGradient]

func (k class) tapBackWeights(s Conv, x, dy, dw []float32, accumulate bool) {
	g := tapGradients.get()
	rows, outs := g.rows[:0], g.outs[:0]
	*g = tapGradient{class: k, s: s, x: x, dy: dy, dw: dw, accumulate: accumulate}
	width := k.tileCols()
	taps := s.KH * s.KW
	g.groups = min((weightJobs+taps-1)/taps, g.count())
	g.pixels = tapFloats / width
	g.room = max(g.pixels, s.OutW())*width + width // not a multiple of a page
	for c := range s.C + tablePad {
		rows, outs = append(rows, int32(c/width*g.room+c%width)), append(outs, int32(c*s.Co))
	}
	g.rows, g.outs = rows, outs
	parallelWork(taps*g.groups, s.FLOPs(), g)
	*g = tapGradient{rows: rows, outs: outs}
	tapGradients.keep(g)
}

// count is the number of panels.
func (g *tapGradient) count() int {
	return (g.s.Co + g.class.tileCols() - 1) / g.class.tileCols()
}

// do sums the gradients of a tap and a group of panels.
func (g *tapGradient) do(lo, hi int) {
	width := g.class.tileCols()
	a, b := scratch.get((g.s.C+width-1)/width*g.room), scratch.get(g.room)
	defer scratch.put(a)
	defer scratch.put(b)
	for i := lo; i < hi; i++ {
		tap, group := i/g.groups, i%g.groups
		g.sum(tap, group*g.count()/g.groups, (group+1)*g.count()/g.groups, a, b)
	}
}

// sum sums the gradients of a tap in panels [first, last).
func (g *tapGradient) sum(tap, first, last int, a, b []float32) {
	s, width := &g.s, g.class.tileCols()
	r := tapRows{kh: tap / s.KW, kw: tap % s.KW}
	r.oh, r.endH = tapOutputs(s.H, s.OutH(), r.kh, s.Stride, s.Pad)
	r.ow, r.endW = tapOutputs(s.W, s.OutW(), r.kw, s.Stride, s.Pad)
	total := s.N * (r.endH - r.oh)
	if r.endW == r.ow {
		total = 0
	}
	block := max(1, g.pixels/max(1, r.endW-r.ow)) // rows of pixels
	for at := 0; at == 0 || at < total; at += block {
		to := min(at+block, total)
		g.packInput(r, at, to, a)
		segs := [1]segment{{end: (to - at) * (r.endW - r.ow) * width}}
		for j := first; j < last; j++ {
			cols := min(width, s.Co-j*width)
			w := g.class.panelWidth(cols)
			g.packOutput(r, at, to, j, b, w, cols)
			t := tile{
				a: a, b: b, c: g.dw[tap*s.C*s.Co+j*width:], rows: g.rows, outs: g.outs, segs: segs[:],
				aStep: width, bStep: w, cols: cols, n: s.C,
			}
			if g.accumulate || at > 0 {
				t.flags = flagAccumulate
			}
			if total == 0 {
				t.segs = nil
			}
			g.class.run(&t)
		}
	}
}

// tapRows are the rows of outputs whose tap (kh, kw) is inside the image: outputs
// [oh, endH) × [ow, endW) of each image, numbered over all images.
type tapRows struct{ kh, kw, oh, endH, ow, endW int }

// packInput copies what the tap sees from rows [at, to) of outputs.
func (g *tapGradient) packInput(r tapRows, at, to int, a []float32) {
	s, width := &g.s, g.class.tileCols()
	for ; at < to; at++ {
		n, o := at/(r.endH-r.oh), r.oh+at%(r.endH-r.oh)
		src := g.x[((n*s.H+o*s.Stride-s.Pad+r.kh)*s.W+r.ow*s.Stride-s.Pad+r.kw)*s.C:]
		size := (r.endW - r.ow) * width
		for c := 0; c < s.C; c += width {
			packRows(a[c/width*g.room:][:size], width, src[c:], s.Stride*s.C, min(width, s.C-c))
		}
		a = a[size:]
	}
}

// packOutput copies panel j of rows [at, to) of the gradients of the outputs.
func (g *tapGradient) packOutput(r tapRows, at, to, j int, b []float32, w, cols int) {
	s, width := &g.s, g.class.tileCols()
	for ; at < to; at++ {
		n, o := at/(r.endH-r.oh), r.oh+at%(r.endH-r.oh)
		size := (r.endW - r.ow) * w
		packRows(b[:size], w, g.dy[((n*s.OutH()+o)*s.OutW()+r.ow)*s.Co+j*width:], s.Co, cols)
		b = b[size:]
	}
}
