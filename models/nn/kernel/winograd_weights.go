package kernel

const (
	// fastBatchFloats bounds the transformed input of one point, over which the
	// gradient of the weights is summed in one go: 256 KB, half of a usual L2 cache.
	fastBatchFloats = 64 << 10

	// fastBlockFloats is the part of a panel that is summed before the next rows are
	// taken up: 8 KB, which stay in an L1 cache with the input's values beside them.
	fastBlockFloats = 2 << 10
)

// fastSpread transforms images, fastProducts sums the gradients of the
// transformed weights, fastTotals transforms them back.
type (
	fastSpread   winograd // items: images of the batch
	fastProducts winograd // items: point and panel of Co
	fastTotals   winograd // items: phase and panel of Co
)

// fastBackWeights is backWeights for shapes that are fast. The products run over
// tiles, so images are transformed to blocks of few channels in which those of
// one tile follow those of another:
//
//	xt [point][block of phase, c][tile][block]
//	yt [point][panel of Co][tile][width of the panel]
//	u  [point][panel of Co][phase, c][width]
func (k class) fastBackWeights(s Conv, x, dy, dw []float32, accumulate bool) {
	o := k.newWinograd(s)
	defer o.end()
	o.x, o.y, o.w = x, dy, dw
	o.ep.Accumulate = accumulate
	o.chunk = max(1, min(s.N, fastBatchFloats/(o.tiles()*o.depth())))
	count := o.count(s.Co)
	o.u = scratch.get(o.points() * pointStride(o.depth(), count*k.tileCols()))
	o.xt = scratch.get(o.points() * pointStride(o.chunk*o.tiles(), o.depth()))
	o.yt = scratch.get(o.points() * pointStride(o.chunk*o.tiles(), s.Co))
	defer func() {
		scratch.put(o.u)
		scratch.put(o.xt)
		scratch.put(o.yt)
	}()
	o.blockTable(o.unit())
	for o.from = 0; o.from < s.N; o.from = o.to {
		o.to = min(s.N, o.from+o.chunk)
		parallel(o.to-o.from, 1, (*fastSpread)(o))
		parallel(o.points()*count, 1, (*fastProducts)(o))
		o.more = true
	}
	parallel(o.phases()*count, 1, (*fastTotals)(o))
}

// blockTable fills the row offsets of blocked input.
func (o *winograd) blockTable(block int) {
	o.rows, o.outs = o.rows[:0], o.outs[:0]
	for i := range o.depth() + tablePad {
		o.rows = append(o.rows, int32(i/block*block*o.chunk*o.tiles()+i%block))
		o.outs = append(o.outs, int32(i*o.class.tileCols()))
	}
}

func (f *fastSpread) do(lo, hi int) {
	o := (*winograd)(f)
	pad := o.paddedImage()
	defer scratch.put(pad)
	tiles, unit := o.chunk*o.tiles(), o.unit()
	for i := lo; i < hi; i++ {
		o.spreadInput(o.xt[i*o.tiles()*unit:], tiles, unit, pad, o.from+i)
		o.spreadOutput(o.yt, tiles, o.class.tileCols(), i*o.tiles(), o.from+i)
	}
}

// do sums, over the tiles of the batch, the products of input and output at a
// point: the rows are the input's values.
func (f *fastProducts) do(lo, hi int) {
	o := (*winograd)(f)
	width, unit := o.class.tileCols(), o.unit()
	count := o.count(o.s.Co)
	tiles := (o.to - o.from) * o.tiles()
	room, block := o.chunk*o.tiles(), fastBlockFloats/width
	for i := lo; i < hi; i++ {
		p, j := i/count, i%count
		w := o.panelWidth(j, o.s.Co)
		for at := 0; at < tiles; at += block {
			segs := [1]segment{{a: at * unit, b: at, end: min(at+block, tiles) * unit}}
			t := tile{
				a: o.xt[p*pointStride(room, o.depth()):], b: o.yt[p*pointStride(room, o.s.Co)+j*room*width:],
				c:    o.u[p*pointStride(o.depth(), count*width)+j*o.depth()*width:],
				rows: o.rows, outs: o.outs, segs: segs[:], aStep: unit, bStep: w, cols: w, n: o.depth(),
			}
			if o.more || at > 0 {
				t.flags = flagAccumulate
			}
			o.class.run(&t)
		}
	}
}

// do turns the sums of a phase and panel into gradients of the weights.
func (f *fastTotals) do(lo, hi int) {
	o := (*winograd)(f)
	s, width := &o.s, o.class.tileCols()
	point := pointStride(o.depth(), o.count(s.Co)*width)
	for i := lo; i < hi; i++ {
		phase, panel := i%o.phases(), i/o.phases()
		ph, pw := o.phase(phase)
		g := grids{
			src: &o.u[(panel*o.depth()+phase*s.C)*width], dst: &o.w[(ph*s.KW+pw)*s.C*s.Co+panel*width],
			n: s.C, channels: o.panelWidth(panel, s.Co),
			srcItem: width, srcRow: o.side * point, srcCol: point,
			dstItem: s.Co, dstRow: s.Stride * s.KW * s.C * s.Co, dstCol: s.Stride * s.C * s.Co,
		}
		if o.ep.Accumulate {
			g.flags = flagAccumulate
		}
		o.class.grid(o.foldWeights, &g)
	}
}
