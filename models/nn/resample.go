package nn

import (
	"wavemill/models/nn/kernel"
)

// Upsample repeats every pixel factor x factor times: [B, H, W, C] -> [B, H f, W f, C].
func (n *Graph) Upsample(x *Tensor, factor int) *Tensor {
	if !n.ok(x) || !n.image(label("upsample", x), "upsample", x) {
		return &Tensor{}
	}
	if factor < 1 {
		return n.Fail(label("upsample", x), "factor %d", factor)
	}
	g := grid{x.shape[1], x.shape[2], x.shape[3], factor}
	return n.apply(label("upsample", x), repeated{g, 1}, []int{x.shape[0], g.h * factor, g.w * factor, g.c}, x)
}

// AvgPool averages blocks of factor x factor pixels: [B, H, W, C] -> [B, H/f, W/f, C].
func (n *Graph) AvgPool(x *Tensor, factor int) *Tensor {
	if !n.ok(x) || !n.image(label("pool", x), "average pool", x) {
		return &Tensor{}
	}
	if factor < 1 || x.shape[1]%factor != 0 || x.shape[2]%factor != 0 {
		return n.Fail(label("pool", x), "%v does not divide into blocks of %dx%d", x.shape, factor, factor)
	}
	g := grid{x.shape[1] / factor, x.shape[2] / factor, x.shape[3], factor}
	return n.apply(label("pool", x), pooled{g, 1 / float32(factor*factor)}, []int{x.shape[0], g.h, g.w, g.c}, x)
}

// PixelShuffle moves channels into space: [B, H, W, f² C] -> [B, H f, W f, C], where channel
// (i f + j) C + c becomes channel c of the pixel (i, j) of its block. Source: Shi et al., Real-Time
// Single Image and Video Super-Resolution, 2016 (there the channels are numbered c f² + i f + j).
func (n *Graph) PixelShuffle(x *Tensor, factor int) *Tensor {
	if !n.ok(x) || !n.image(label("shuffle", x), "pixel shuffle", x) {
		return &Tensor{}
	}
	if factor < 1 || x.shape[3]%(factor*factor) != 0 {
		return n.Fail(label("shuffle", x), "%d channels of %v do not divide by %d²", x.shape[3], x.shape, factor)
	}
	g := grid{x.shape[1], x.shape[2], x.shape[3] / (factor * factor), factor}
	return n.apply(label("shuffle", x), shuffled{g, false}, []int{x.shape[0], g.h * factor, g.w * factor, g.c}, x)
}

// PixelUnshuffle is the inverse of PixelShuffle: [B, H f, W f, C] -> [B, H, W, f² C].
func (n *Graph) PixelUnshuffle(x *Tensor, factor int) *Tensor {
	if !n.ok(x) || !n.image(label("unshuffle", x), "pixel unshuffle", x) {
		return &Tensor{}
	}
	if factor < 1 || x.shape[1]%factor != 0 || x.shape[2]%factor != 0 {
		return n.Fail(label("unshuffle", x), "%v does not divide into blocks of %dx%d", x.shape, factor, factor)
	}
	g := grid{x.shape[1] / factor, x.shape[2] / factor, x.shape[3], factor}
	return n.apply(label("unshuffle", x), shuffled{g, true}, []int{x.shape[0], g.h, g.w, g.c * factor * factor}, x)
}

// grid is an image of h x w blocks of f x f pixels with c channels.
type grid struct{ h, w, c, f int }

// small and large are the sizes of one image of blocks and of one of pixels.
func (g grid) small() int { return g.h * g.w * g.c }
func (g grid) large() int { return g.small() * g.f * g.f }

// images calls f for every image of a batch, in parallel, with its part of the image of blocks and of
// that of pixels.
func (g grid) images(small, large []float32, f func(small, large []float32)) {
	s, l := len(small), len(large)
	n := max(s/g.small(), 1)
	if l/g.large() > 0 {
		n = l / g.large()
	}
	s, l = s/n, l/n
	kernel.Parallel(n, max(1, (1<<14)/l), func(lo, hi int) {
		for i := lo; i < hi; i++ {
			f(small[i*s:(i+1)*s], large[i*l:(i+1)*l])
		}
	})
}

// repeated copies every block into all its pixels, times k.
type repeated struct {
	grid
	k float32
}

func (repeated) kind() string { return "upsample" }

func (r repeated) run(o *op) {
	g := r.grid
	g.images(o.x[0], o.y, func(x, y []float32) {
		row := g.w * g.f * g.c
		for i := range g.h {
			first := y[i*g.f*row:][:row]
			for j := range g.w {
				p := x[(i*g.w+j)*g.c:][:g.c]
				for q := range g.f {
					d := first[(j*g.f+q)*g.c:][:g.c]
					if r.k == 1 {
						copy(d, p)
						continue
					}
					for c, v := range p {
						d[c] = r.k * v
					}
				}
			}
			for q := 1; q < g.f; q++ {
				copy(y[(i*g.f+q)*row:][:row], first)
			}
		}
	})
}

func (r repeated) gradient(n *Graph, o *op, dy *Tensor) []*Tensor {
	return []*Tensor{n.apply(o.layer, pooled(r), o.in[0].shape, dy)}
}

// pooled sums the pixels of every block, times k.
type pooled struct {
	grid
	k float32
}

func (pooled) kind() string { return "average pool" }

func (r pooled) run(o *op) {
	g := r.grid
	g.images(o.y, o.x[0], func(y, x []float32) {
		row := g.w * g.f * g.c
		for i := range g.h {
			for j := range g.w {
				d := y[(i*g.w+j)*g.c:][:g.c]
				clear(d)
				for p := range g.f {
					s := x[(i*g.f+p)*row+j*g.f*g.c:][:g.f*g.c]
					for q := 0; q < len(s); q += g.c {
						for c, v := range s[q : q+g.c] {
							d[c] += v
						}
					}
				}
				if r.k != 1 {
					for c := range d {
						d[c] *= r.k
					}
				}
			}
		}
	})
}

func (r pooled) gradient(n *Graph, o *op, dy *Tensor) []*Tensor {
	return []*Tensor{n.apply(o.layer, repeated(r), o.in[0].shape, dy)}
}

// shuffled moves channels into space or, inverse, space into channels.
type shuffled struct {
	grid
	inverse bool
}

func (s shuffled) kind() string {
	if s.inverse {
		return "pixel unshuffle"
	}
	return "pixel shuffle"
}

func (s shuffled) run(o *op) {
	g := s.grid
	deep, wide := o.x[0], o.y
	if s.inverse {
		deep, wide = o.y, o.x[0]
	}
	per := g.large()
	kernel.Parallel(len(deep)/per, max(1, (1<<14)/per), func(lo, hi int) {
		for n := lo; n < hi; n++ {
			deep, wide := deep[n*per:][:per], wide[n*per:][:per]
			run := g.f * g.c // contiguous in both
			for i := range g.h {
				for j := range g.w {
					for p := range g.f {
						d := deep[((i*g.w+j)*g.f+p)*run:][:run]
						w := wide[(((i*g.f+p)*g.w)+j)*run:][:run]
						if s.inverse {
							copy(d, w)
						} else {
							copy(w, d)
						}
					}
				}
			}
		}
	})
}

func (s shuffled) gradient(n *Graph, o *op, dy *Tensor) []*Tensor {
	return []*Tensor{n.apply(o.layer, shuffled{s.grid, !s.inverse}, o.in[0].shape, dy)}
}

// GlobalMean averages over the pixels: [B, H, W, C] -> [B, C].
func (n *Graph) GlobalMean(x *Tensor) *Tensor { return n.global(x, true) }

// GlobalSum sums over the pixels: [B, H, W, C] -> [B, C].
func (n *Graph) GlobalSum(x *Tensor) *Tensor { return n.global(x, false) }

func (n *Graph) global(x *Tensor, mean bool) *Tensor {
	if !n.ok(x) || !n.image(label("global pool", x), "global pool", x) {
		return &Tensor{}
	}
	p := globalPool{pixels: x.shape[1] * x.shape[2], channels: x.shape[3], k: 1}
	if mean {
		p.k = 1 / float32(p.pixels)
	}
	return n.apply(label("global pool", x), p, []int{x.shape[0], p.channels}, x)
}

// globalPool is k times the sum over the pixels.
type globalPool struct {
	pixels, channels int
	k                float32
}

func (globalPool) kind() string { return "global pool" }

func (p globalPool) run(o *op) {
	per := p.pixels * p.channels
	for i := range len(o.y) / p.channels {
		d := o.y[i*p.channels:][:p.channels]
		kernel.SumColumns(d, o.x[0][i*per:][:per], false)
		if p.k != 1 {
			kernel.Scale(d, p.k, d)
		}
	}
}

func (p globalPool) gradient(n *Graph, o *op, dy *Tensor) []*Tensor {
	return []*Tensor{n.apply(o.layer, spread(p), o.in[0].shape, dy)}
}

// spread gives every pixel k times its image's value.
type spread globalPool

func (spread) kind() string { return "spread" }

func (p spread) run(o *op) {
	per := p.pixels * p.channels
	for i := range len(o.x[0]) / p.channels {
		d := o.y[i*per:][:per]
		kernel.Scale(d[:p.channels], p.k, o.x[0][i*p.channels:][:p.channels])
		for at := p.channels; at < per; at += p.channels {
			copy(d[at:at+p.channels], d[:p.channels])
		}
	}
}
