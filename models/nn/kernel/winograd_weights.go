package kernel

// fastBatchFloats bounds the transformed input of one point, over which the
// gradient of the weights is summed in one go: 512 KB.
const fastBatchFloats = 128 << 10

// fastSpread transforms images, fastProducts sums the gradients of the
// transformed weights, fastTotals transforms them back.
type (
	fastSpread   winograd // items: images of the batch
	fastProducts winograd // items: point and panel of Co
	fastTotals   winograd // items: phase and tap-blocks of C
)

// fastBackWeights is backWeights for shapes that are fast.
func (k class) fastBackWeights(s Conv, x, dy, dw []float32, accumulate bool) {
	o := k.newWinograd(s)
	defer o.end()
	o.x, o.y, o.w = x, dy, dw
	o.ep.Accumulate = accumulate
	batch := max(1, min(s.N, fastBatchFloats/(o.tiles()*o.depth())))
	o.u = scratch.get(points * o.depth() * s.Co)
	o.xt = scratch.get(points * batch * o.tiles() * o.depth())
	o.yt = scratch.get(points * batch * o.tiles() * s.Co)
	defer func() {
		scratch.put(o.u)
		scratch.put(o.xt)
		scratch.put(o.yt)
	}()
	o.table(o.depth(), 1, s.Co)
	for o.from = 0; o.from < s.N; o.from = o.to {
		o.to = min(s.N, o.from+batch)
		parallel(o.to-o.from, 1, (*fastSpread)(o))
		parallel(points*(s.Co/k.tileCols()), 1, (*fastProducts)(o))
		o.more = true
	}
	parallel(4*s.C, 8, (*fastTotals)(o))
}

func (f *fastSpread) do(lo, hi int) {
	o := (*winograd)(f)
	pad := o.paddedImage()
	defer scratch.put(pad)
	tiles := (o.to - o.from) * o.tiles()
	for i := lo; i < hi; i++ {
		o.spreadInput(o.xt[i*o.tiles()*o.depth():], tiles, pad, o.from+i)
		o.spreadOutput(o.yt[i*o.tiles()*o.s.Co:], tiles, o.from+i)
	}
}

// do sums, over the tiles of the batch, the products of input and output at a
// point: the rows are the input's values.
func (f *fastProducts) do(lo, hi int) {
	o := (*winograd)(f)
	width := o.class.tileCols()
	count := o.s.Co / width
	tiles := (o.to - o.from) * o.tiles()
	segs := [1]segment{{end: tiles * o.depth()}}
	for i := lo; i < hi; i++ {
		p, j := i/count, i%count*width
		t := tile{
			a: o.xt[p*tiles*o.depth():], b: o.yt[p*tiles*o.s.Co+j:], c: o.u[p*o.depth()*o.s.Co+j:],
			rows: o.rows, outs: o.outs, segs: segs[:], aStep: o.depth(), bStep: o.s.Co, cols: width, n: o.depth(),
		}
		if o.more {
			t.flags = flagAccumulate
		}
		o.class.run(&t)
	}
}

// do turns rows (phase, c) of the sums into gradients of the weights.
func (f *fastTotals) do(lo, hi int) {
	o := (*winograd)(f)
	s := &o.s
	for i := lo; i < hi; i++ {
		phase, c := i/s.C, i%s.C
		g := grids{
			src: &o.u[i*s.Co], dst: &o.w[((phase/2*s.KW+phase%2)*s.C+c)*s.Co],
			n: 1, channels: s.Co,
			srcRow: 3 * o.depth() * s.Co, srcCol: o.depth() * s.Co,
			dstRow: 2 * s.KW * s.C * s.Co, dstCol: 2 * s.C * s.Co,
		}
		if o.ep.Accumulate {
			g.flags = flagAccumulate
		}
		o.class.grid(gridFold2, &g)
	}
}
