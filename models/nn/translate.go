package nn

import "wavemill/models/nn/kernel"

// Translate moves every image by its own whole numbers of rows and columns, towards higher indices
// where they are positive, and puts fill where nothing came from: [B, H, W, C] -> [B, H, W, C].
// offsets is an input [B, 2] of rows and columns, rounded towards zero. Differentiable in x, so that a
// generator can learn through the augmentation of its discriminator. Source: Zhao et al.,
// Differentiable Augmentation for Data-Efficient GAN Training, 2020.
func (n *Graph) Translate(x, offsets *Tensor, fill float64) *Tensor {
	if !n.ok(x, offsets) || !n.image(label("translate", x), "translate", x) {
		return &Tensor{}
	}
	if len(offsets.shape) != 2 || offsets.shape[0] != x.shape[0] || offsets.shape[1] != 2 {
		return n.Fail(label("translate", x), "want offsets [%d, 2] for %v, got %v", x.shape[0], x.shape, offsets.shape)
	}
	c := translated{h: x.shape[1], w: x.shape[2], c: x.shape[3], fill: float32(fill), sign: 1}
	return n.apply(label("translate", x), c, x.shape, x, offsets)
}

// translated moves images by sign times the offsets.
type translated struct {
	h, w, c int
	fill    float32
	sign    int
}

func (translated) kind() string { return "translate" }

func (t translated) run(o *op) {
	row := t.w * t.c
	per := t.h * row
	kernel.Parallel(len(o.y)/per, max(1, (1<<14)/per), func(lo, hi int) {
		for i := lo; i < hi; i++ {
			rows, columns := t.sign*int(o.x[1][2*i]), t.sign*int(o.x[1][2*i+1])
			from, to := o.x[0][i*per:][:per], o.y[i*per:][:per]
			for r := range t.h {
				dst := to[r*row:][:row]
				if s := r - rows; s >= 0 && s < t.h {
					t.shift(dst, from[s*row:][:row], columns*t.c)
				} else {
					t.blank(dst)
				}
			}
		}
	})
}

// shift copies src into dst by a number of values further along.
func (t translated) shift(dst, src []float32, by int) {
	by = max(-len(dst), min(by, len(dst)))
	if by >= 0 {
		t.blank(dst[:by])
		copy(dst[by:], src)
	} else {
		copy(dst, src[-by:])
		t.blank(dst[len(dst)+by:])
	}
}

func (t translated) blank(dst []float32) {
	for i := range dst {
		dst[i] = t.fill
	}
}

func (t translated) gradient(n *Graph, o *op, dy *Tensor) []*Tensor {
	t.fill, t.sign = 0, -t.sign
	return []*Tensor{n.apply(o.layer, t, o.in[0].shape, dy, o.in[1]), nil}
}
