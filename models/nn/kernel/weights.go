package kernel

const (
	minUnpadded = 8       // channels from which the gradient of the weights goes without a padded copy of x
	weightJobs  = 8       // the images are summed in parts until there are so many jobs
	weightBlock = 4 << 10 // floats of a panel of dy summed before the next rows: 16 KB, which stay in an L1 cache
)

// backWeightsPlan is the plan of a gradient of weights: rows are weights, the
// products run over pixels. Weights are grouped by which outputs have their tap
// inside the image.
func backWeightsPlan(k class, s Conv) *plan {
	p := &plan{depth: s.KH * s.KW * s.C, channels: s.Co, aStep: s.Stride * s.C}
	if p.padded = s.Pad > 0 && s.C < minUnpadded; p.padded {
		s.H, s.W, s.Pad = s.H+2*s.Pad, s.W+2*s.Pad, 0
	}
	p.aImage, p.cImage = s.H*s.W*s.C, s.OutH()*s.OutW()*s.Co
	width := k.tileCols()
	pixels := s.OutH() * s.OutW()
	count := (s.Co + width - 1) / width
	p.chunk = max(1, min(s.N, chunkFloats/(p.aImage+pixels*min(width, s.Co))))
	chunks := (s.N + p.chunk - 1) / p.chunk
	p.split = max(1, min((weightJobs+count-1)/count, chunks))
	p.chunk = max(1, min(p.chunk, (s.N+p.split-1)/p.split))
	for _, h := range tapSpans(s.H, s.OutH(), s.KH, s.Stride, s.Pad) {
		for _, w := range tapSpans(s.W, s.OutW(), s.KW, s.Stride, s.Pad) {
			p.classes = append(p.classes, p.weightClass(k, s, h, w))
		}
	}
	return p
}

// taps is a run of taps [k, k+num) of one axis that fall inside the image for the
// same outputs [lo, hi).
type taps struct{ k, num, lo, hi int }

func tapSpans(in, out, k, stride, pad int) []taps {
	var spans []taps
	for t := range k {
		lo, hi := tapOutputs(in, out, t, stride, pad)
		if n := len(spans); n > 0 && spans[n-1].lo == lo && spans[n-1].hi == hi {
			spans[n-1].num++
			continue
		}
		spans = append(spans, taps{t, 1, lo, hi})
	}
	return spans
}

// tapOutputs returns the outputs [lo, hi) of one axis whose tap t is inside the image.
func tapOutputs(in, out, t, stride, pad int) (lo, hi int) {
	// o*stride - pad + t in [0, in)
	lo = max(0, (pad-t+stride-1)/stride)
	hi = min(out, (in-1+pad-t+stride)/stride)
	if lo >= hi {
		return 0, 0
	}
	return lo, hi
}

// axisTaps counts the taps of all outputs of one axis that are inside the image.
func axisTaps(in, out, k, stride, pad int) (n int) {
	for t := range k {
		lo, hi := tapOutputs(in, out, t, stride, pad)
		n += hi - lo
	}
	return n
}

func (p *plan) weightClass(k class, s Conv, h, w taps) rowClass {
	n := h.num * w.num * s.C
	c := rowClass{perImage: n, rows: make([]int32, 0, n+tablePad), outs: make([]int32, 0, n+tablePad)}
	for i := range h.num {
		for j := range w.num {
			for ch := range s.C {
				c.rows = append(c.rows, int32((i*s.W+j)*s.C+ch))
				c.outs = append(c.outs, int32(((h.k+i)*s.KW+w.k+j)*s.C+ch))
			}
		}
	}
	c.rows, c.outs = c.rows[:cap(c.rows)], c.outs[:cap(c.outs)]
	for m := range p.chunk {
		for o := h.lo; o < h.hi && w.lo < w.hi; o++ {
			a := m*p.aImage + ((o*s.Stride-s.Pad+h.k)*s.W+w.lo*s.Stride-s.Pad+w.k)*s.C
			c.segs = append(c.segs, segment{
				a: a, b: (m*s.OutH()+o)*s.OutW() + w.lo,
				end: a + (w.hi-w.lo)*p.aStep,
			})
		}
		if m == 0 {
			c.segsImage = len(c.segs)
		}
	}
	c.segsBlock = max(1, weightBlock/k.tileCols()/max(1, w.hi-w.lo))
	return c
}

// weightGradient is one gradient of weights under way.
type weightGradient struct {
	class      class
	plan       *plan
	s          Conv
	x, dy, dw  []float32
	sums       []float32 // of each part of the images and panel, size floats each
	size       int
	count      int // of panels
	accumulate bool
}

// weightSums is the work of summing, weightTotals that of adding up the parts.
type (
	weightSums   weightGradient
	weightTotals weightGradient
)

var weightGradients freelist[weightGradient]

func (k class) backWeights(s Conv, x, dy, dw []float32, accumulate bool) {
	if k.fast(s) {
		k.fastBackWeights(s, x, dy, dw, accumulate)
		return
	}
	if s.C >= tapChannels && k != classGo {
		k.tapBackWeights(s, x, dy, dw, accumulate)
		return
	}
	g := weightGradients.get()
	defer weightGradients.put(g)
	p := plans.get(k, planBackWeights, s)
	width := k.tileCols()
	*g = weightGradient{
		class: k, plan: p, s: s, x: x, dy: dy, dw: dw,
		size: p.depth * width, count: (s.Co + width - 1) / width, accumulate: accumulate,
	}
	g.sums = scratch.get(p.split * g.count * g.size)
	defer scratch.put(g.sums)
	parallelWork(p.split*g.count, s.FLOPs(), (*weightSums)(g))
	parallel(p.depth, 64, (*weightTotals)(g))
}

func (g *weightSums) do(lo, hi int) {
	for i := lo; i < hi; i++ {
		g.plan.sumWeights(g.class, g.s, i/g.count, i%g.count, g.x, g.dy, g.sums[i*g.size:(i+1)*g.size])
	}
}

func (g *weightTotals) do(lo, hi int) {
	width := g.class.tileCols()
	for j := range g.count {
		cols := min(width, g.s.Co-j*width)
		w := g.class.panelWidth(cols)
		for r := lo; r < hi; r++ {
			d := g.dw[r*g.s.Co+j*width:][:cols]
			src := g.sums[j*g.size+r*w:]
			if g.accumulate {
				addTo(d, src)
			} else {
				copy(d, src)
			}
			for q := 1; q < g.plan.split; q++ {
				addTo(d, g.sums[(q*g.count+j)*g.size+r*w:])
			}
		}
	}
}

func addTo(dst, src []float32) {
	src = src[:len(dst)]
	for i, v := range src {
		dst[i] += v
	}
}

// sumWeights sums part q of the images into panel j of the gradient, rows of one
// panel width.
func (p *plan) sumWeights(k class, s Conv, q, j int, x, dy, sums []float32) {
	width := k.tileCols()
	cols := min(width, s.Co-j*width)
	w := k.panelWidth(cols)
	pixels := s.OutH() * s.OutW()
	var packed, padded []float32
	if s.Co != w {
		packed = scratch.get(p.chunk * pixels * w)
		defer scratch.put(packed)
	}
	if p.padded {
		padded = scratch.get(p.chunk * p.aImage)
		defer scratch.put(padded)
		clear(padded)
	}
	from, to := q*s.N/p.split, (q+1)*s.N/p.split
	outs := int32(w)
	for n := from; n < to; n += p.chunk {
		images := min(p.chunk, to-n)
		t := tile{a: x[n*s.H*s.W*s.C:], b: dy[n*pixels*s.Co:], aStep: p.aStep, bStep: s.Co, cols: cols}
		if p.padded {
			padImages(padded, t.a, s, images)
			t.a = padded
		}
		if packed != nil {
			packRows(packed[:images*pixels*w], w, dy[n*pixels*s.Co+j*width:], s.Co, cols)
			t.b, t.bStep = packed, w
		}
		if n > from {
			t.flags = flagAccumulate
		}
		p.runWeights(k, t, sums, outs, images)
	}
}

// runWeights runs every class over the images of a chunk, a block of pixels at a
// time.
func (p *plan) runWeights(k class, t tile, sums []float32, w int32, images int) {
	var outs [96 + tablePad]int32
	flags := t.flags
	for i := range p.classes {
		c := &p.classes[i]
		segs := c.segs[:c.segsImage*images]
		for at := 0; at == 0 || at < len(segs); at += c.segsBlock {
			t.c, t.segs = sums, segs[at:min(at+c.segsBlock, len(segs))]
			if t.flags = flags; at > 0 {
				t.flags = flagAccumulate
			}
			for lo := 0; lo < c.perImage; lo += 96 {
				n := min(96, c.perImage-lo)
				for r, o := range c.outs[lo : lo+n] {
					outs[r] = o * w
				}
				t.rows, t.outs, t.n = c.rows[lo:], outs[:], n
				k.run(&t)
			}
		}
	}
}

// padImages copies images into the middle of dst, whose borders are zero.
func padImages(dst, x []float32, s Conv, images int) {
	row, padRow := s.W*s.C, (s.W+2*s.Pad)*s.C
	for m := range images {
		for h := range s.H {
			copy(dst[(m*(s.H+2*s.Pad)+h+s.Pad)*padRow+s.Pad*s.C:][:row], x[(m*s.H+h)*row:])
		}
	}
}
