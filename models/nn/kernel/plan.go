package kernel

import "sync"

// A plan is how a convolution becomes tiles. Its classes need no padding: output
// positions are grouped by which taps of the kernel fall inside the image, and
// each group has segments for those taps alone. So the padding is neither
// copied nor multiplied.
type plan struct {
	chunk    int // images handled together, so that their data stays in the L2 cache
	classes  []rowClass
	jobs     []rowRange // of one chunk and panel
	depth    int        // rows of B
	taps     []int      // for the transposed weights: the row of B where tap (kh, kw) begins
	aImage   int        // floats of A per image
	cImage   int        // floats of C per image
	channels int        // floats of C per pixel, the number of columns
	aStep    int
	split    int  // for weights: in how many parts the images are summed apart
	padded   bool // for weights: x is copied with its padding first
}

// rowClass is a set of rows that share their segments.
type rowClass struct {
	rows, outs []int32 // padded by tablePad
	perImage   int     // rows of one image; for weights all rows
	segs       []segment
	segsImage  int // for weights: segments of one image
	segsBlock  int // for weights: segments summed at a time
}

// rowRange is a part of a class, the work of one job.
type rowRange struct{ class, lo, hi int }

// span is a run of positions on one axis with the same valid taps [lo, hi): the
// outputs out, out+outStep, ..., whose first valid tap lies at in, in+inStep, ...
type span struct {
	phase, lo, hi   int
	out, outStep    int
	in, inStep, num int
}

// forwardSpans groups the outputs of one axis of a convolution. Tap t of output o
// reads input o*stride - pad + t.
func forwardSpans(in, out, k, stride, pad int) []span {
	var spans []span
	for o := range out {
		at := o*stride - pad
		lo, hi := max(0, -at), min(k, in-at)
		spans = appendSpan(spans, span{lo: lo, hi: hi, out: o, outStep: 1, in: at + lo, inStep: stride, num: 1})
	}
	return spans
}

// backSpans groups the inputs of one axis. Input i receives from output o by tap
// i + pad - stride*o. The taps of a phase, those equal to (i+pad) modulo stride,
// are counted from the one that belongs to the lowest output.
func backSpans(in, out, k, stride, pad int) []span {
	var spans []span
	for phase := range stride {
		taps := phaseTaps(k, stride, phase)
		for i := (phase - pad%stride + stride) % stride; i < in; i += stride {
			first := (i+pad)/stride - (taps - 1) // output of the phase's tap 0
			lo, hi := max(0, -first), min(taps, out-first)
			s := span{phase: phase, lo: lo, hi: hi, out: i, outStep: stride, in: first + lo, inStep: 1, num: 1}
			if lo >= hi {
				s.lo, s.hi, s.in, s.inStep = 0, 0, 0, 0
			}
			spans = appendSpan(spans, s)
		}
	}
	return spans
}

// phaseTaps is the number of taps of a kernel of k that are equal to phase modulo stride.
func phaseTaps(k, stride, phase int) int { return (k - phase + stride - 1) / stride }

// appendSpan adds a position, to the last span if it continues that.
func appendSpan(spans []span, s span) []span {
	if n := len(spans); n > 0 {
		p := &spans[n-1]
		if p.phase == s.phase && p.lo == s.lo && p.hi == s.hi &&
			s.out == p.out+p.num*p.outStep && s.in == p.in+p.num*p.inStep {
			p.num++
			return spans
		}
	}
	return append(spans, s)
}

const (
	chunkFloats = 128 << 10 // of input and output per chunk: 512 KB, half of a usual L2 cache
	chunkRows   = 8 << 10   // and rows, which bounds the tables to 64 KB
	jobFLOPs    = 2e6       // work of a job, some ten microseconds
)

func forwardPlan(k class, s Conv) *plan {
	p := &plan{
		depth: s.KH * s.KW * s.C, aImage: s.H * s.W * s.C, cImage: s.OutH() * s.OutW() * s.Co,
		channels: s.Co, aStep: 1,
	}
	p.setChunk(s.N, s.OutH()*s.OutW())
	for _, h := range forwardSpans(s.H, s.OutH(), s.KH, s.Stride, s.Pad) {
		for _, w := range forwardSpans(s.W, s.OutW(), s.KW, s.Stride, s.Pad) {
			c := p.pixels(h, w, s.W, s.C, s.OutW(), s.Co)
			for t := h.lo; t < h.hi; t++ {
				c.addSegment(segment{
					a: (t - h.lo) * s.W * s.C, b: (t*s.KW + w.lo) * s.C,
					end: ((t-h.lo)*s.W + w.hi - w.lo) * s.C,
				}, 1)
			}
			p.classes = append(p.classes, c)
		}
	}
	p.cutJobs(k)
	return p
}

func backDataPlan(k class, s Conv) *plan {
	p := &plan{
		depth: s.KH * s.KW * s.Co, aImage: s.OutH() * s.OutW() * s.Co, cImage: s.H * s.W * s.C,
		channels: s.C, aStep: 1, taps: make([]int, s.KH*s.KW),
	}
	p.setChunk(s.N, s.H*s.W)
	first := p.phaseRows(s)
	for _, h := range backSpans(s.H, s.OutH(), s.KH, s.Stride, s.Pad) {
		for _, w := range backSpans(s.W, s.OutW(), s.KW, s.Stride, s.Pad) {
			c := p.pixels(h, w, s.OutW(), s.Co, s.W, s.C)
			tw := phaseTaps(s.KW, s.Stride, w.phase)
			for t := h.lo; t < h.hi && w.lo < w.hi; t++ {
				c.addSegment(segment{
					a: (t - h.lo) * s.OutW() * s.Co, b: first[h.phase*s.Stride+w.phase] + (t*tw+w.lo)*s.Co,
					end: ((t-h.lo)*s.OutW() + w.hi - w.lo) * s.Co,
				}, 1)
			}
			p.classes = append(p.classes, c)
		}
	}
	p.cutJobs(k)
	return p
}

// phaseRows lays out the transposed weights: phase after phase, and in each the
// taps in the order of the outputs they belong to, so that a kernel row of a
// phase is one segment. It returns where each phase begins.
func (p *plan) phaseRows(s Conv) []int {
	first := make([]int, s.Stride*s.Stride)
	at := 0
	for ph := range s.Stride {
		for pw := range s.Stride {
			first[ph*s.Stride+pw] = at
			th, tw := phaseTaps(s.KH, s.Stride, ph), phaseTaps(s.KW, s.Stride, pw)
			for h := range th {
				for w := range tw {
					kh, kw := ph+(th-1-h)*s.Stride, pw+(tw-1-w)*s.Stride
					p.taps[kh*s.KW+kw] = at
					at += s.Co
				}
			}
		}
	}
	return first
}

func (p *plan) setChunk(images, pixels int) {
	p.chunk = max(1, min(images, chunkFloats/(p.aImage+p.cImage), chunkRows/pixels))
}

// pixels tabulates the rows of a class for one chunk: image, row, column.
func (p *plan) pixels(h, w span, inW, inC, outW, outC int) rowClass {
	n := p.chunk * h.num * w.num
	c := rowClass{perImage: h.num * w.num, rows: make([]int32, 0, n+tablePad), outs: make([]int32, 0, n+tablePad)}
	for m := range p.chunk {
		for i := range h.num {
			for j := range w.num {
				in := m*p.aImage + ((h.in+i*h.inStep)*inW+w.in+j*w.inStep)*inC
				out := m*p.cImage + ((h.out+i*h.outStep)*outW+w.out+j*w.outStep)*outC
				c.rows, c.outs = append(c.rows, int32(in)), append(c.outs, int32(out))
			}
		}
	}
	c.rows, c.outs = c.rows[:cap(c.rows)], c.outs[:cap(c.outs)]
	return c
}

// addSegment adds s, to the last segment if it continues that.
func (c *rowClass) addSegment(s segment, aStep int) {
	if n := len(c.segs); n > 0 {
		if p := &c.segs[n-1]; p.end == s.a && p.b+(p.end-p.a)/aStep == s.b {
			p.end = s.end
			return
		}
	}
	c.segs = append(c.segs, s)
}

// depthOf is the number of products of a row of the class.
func (c *rowClass) depthOf(aStep int) int {
	n := 0
	for _, s := range c.segs {
		n += (s.end - s.a) / aStep
	}
	return n
}

func (p *plan) cutJobs(k class) {
	for i := range p.classes {
		c := &p.classes[i]
		rows := int(jobFLOPs / float64(2*max(c.depthOf(p.aStep), 8)*min(k.tileCols(), p.channels)))
		rows = max(rows/k.tileRows(), 1) * k.tileRows()
		for lo := 0; lo < c.perImage*p.chunk; lo += rows {
			p.jobs = append(p.jobs, rowRange{i, lo, min(lo+rows, c.perImage*p.chunk)})
		}
	}
}

// run computes a chunk of images, panel j, job r.
func (p *plan) run(k class, r rowRange, images int, b *panels, j int, a, c []float32, ep *Epilogue) {
	cl := &p.classes[r.class]
	n := min(r.hi, cl.perImage*images) - r.lo
	if n <= 0 {
		return
	}
	var t tile
	b.set(&t, j)
	t.setEpilogue(ep, j*b.width())
	t.a, t.c, t.aStep = a, c[j*b.width():], p.aStep
	t.rows, t.outs, t.n = cl.rows[r.lo:], cl.outs[r.lo:], n
	t.segs = cl.segs
	k.run(&t)
}

// plans remembers the plans of the shapes in use; a network has a few dozen.
type planCache struct {
	mu    sync.Mutex
	plans map[planKey]*plan
}

type planKey struct {
	conv  Conv
	kind  planKind
	class class
}

type planKind uint8

const (
	planForward planKind = iota
	planBackData
	planBackWeights
)

const maxPlans = 512

var plans = planCache{plans: map[planKey]*plan{}}

func (c *planCache) get(k class, kind planKind, s Conv) *plan {
	key := planKey{s, kind, k}
	c.mu.Lock()
	defer c.mu.Unlock()
	if p := c.plans[key]; p != nil {
		return p
	}
	if len(c.plans) >= maxPlans {
		clear(c.plans)
	}
	var p *plan
	switch kind {
	case planForward:
		p = forwardPlan(k, s)
	case planBackData:
		p = backDataPlan(k, s)
	case planBackWeights:
		p = backWeightsPlan(k, s)
	}
	c.plans[key] = p
	return p
}
