package kernel

// convolution is one forward pass or gradient of the data under way.
type convolution struct {
	class class
	plan  *plan
	n     int // images
	b     panels
	a, c  []float32
	ep    Epilogue
}

var convolutions freelist[convolution]

func (k class) forward(s Conv, x, w, y []float32, ep Epilogue) {
	if k.fast(s) {
		k.fastForward(s, x, w, y, ep)
		return
	}
	o := convolutions.get()
	defer convolutions.put(o)
	*o = convolution{class: k, plan: plans.get(k, planForward, s), n: s.N, a: x, c: y, ep: ep}
	dot := k.dotPays(s.Co, s.KW*s.C)
	if !dot && (s.N*s.OutH()*s.OutW() <= 2*k.tileRows() || s.Co == k.tileCols()) {
		o.b.setDirect(k, w, s.Co, o.plan.depth, s.Co)
	} else {
		o.b.setPacked(k, o.plan.depth, s.Co, dot)
		o.b.pack(w, s.Co, false)
	}
	defer o.b.release()
	o.run(s)
}

func (k class) backData(s Conv, dy, w, dx []float32, ep Epilogue) {
	if k.fast(s) && !ep.Accumulate && ep.Bias == nil && ep.Act == ActNone {
		k.fastBackData(s, dy, w, dx)
		return
	}
	o := convolutions.get()
	defer convolutions.put(o)
	*o = convolution{class: k, plan: plans.get(k, planBackData, s), n: s.N, a: dy, c: dx, ep: ep}
	o.b.setPacked(k, o.plan.depth, s.C, k.dotPays(s.C, phaseTaps(s.KW, s.Stride, 0)*s.Co))
	defer o.b.release()
	o.packTaps(s, w)
	o.run(s)
}

// run runs every job of every chunk of images and panel of B.
func (o *convolution) run(s Conv) {
	p := o.plan
	chunks := (s.N + p.chunk - 1) / p.chunk
	parallelWork(chunks*o.b.count()*len(p.jobs), s.FLOPs(), o)
	o.class.finish(o.c, s.N*(p.cImage/p.channels), p.channels, p.channels, o.ep)
}

func (o *convolution) do(lo, hi int) {
	p := o.plan
	per := o.b.count() * len(p.jobs)
	for i := lo; i < hi; i++ {
		m := i / per * p.chunk
		j := i % per / len(p.jobs)
		p.run(o.class, p.jobs[i%len(p.jobs)], min(p.chunk, o.n-m), &o.b, j, o.a[m*p.aImage:], o.c[m*p.cImage:], &o.ep)
	}
}

// tapPacking packs the weights for a gradient of the data: transposed per tap, in
// the order of the phases.
type tapPacking struct {
	taps []int
	b    *panels
	w    []float32
	s    Conv
}

var tapPackings freelist[tapPacking]

func (o *convolution) packTaps(s Conv, w []float32) {
	t := tapPackings.get()
	defer tapPackings.put(t)
	*t = tapPacking{o.plan.taps, &o.b, w, s}
	if n := o.b.count() * len(t.taps); s.WeightSize() < packSmall {
		t.do(0, n)
	} else {
		parallel(n, max(1, 4096/s.Co/t.b.width()), t)
	}
}

func (t *tapPacking) do(lo, hi int) {
	s := &t.s
	for i := lo; i < hi; i++ {
		tap, j := i%len(t.taps), i/len(t.taps)
		t.b.packTransposed(t.taps[tap], j, s.Co, t.w[(tap*s.C+j*t.b.width())*s.Co:], s.Co)
	}
}
