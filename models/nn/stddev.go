package nn

import (
	"math"
)

// MinibatchStddev appends a channel that measures how much the examples of a group differ: the standard
// deviation over the group, averaged over pixels and channels. [B, ..., C] -> [B, ..., C+1]; group
// must divide B, 0 takes the whole batch. It lets a discriminator recognise a collapse. Source: Karras et
// al., Progressive Growing of GANs, 2018.
func (n *Graph) MinibatchStddev(x *Tensor, group int) *Tensor {
	if !n.ok(x) {
		return &Tensor{}
	}
	if group == 0 && len(x.shape) > 0 {
		group = x.shape[0]
	}
	if len(x.shape) < 2 || group < 1 || x.shape[0]%group != 0 {
		return n.Fail(label("minibatch stddev", x), "the batch of %v does not divide into groups of %d", x.shape, group)
	}
	shape := x.Shape()
	shape[len(shape)-1] = 1
	c := stddev{group: group, per: x.Size() / x.shape[0], pixels: size(shape[1:])}
	return n.Concat(x, n.apply(label("minibatch stddev", x), c, shape, x))
}

type stddev struct {
	group, per, pixels int // examples in a group; values and pixels in an example
}

const stddevFloor = 1e-8 // added to the variance, as in the source

func (stddev) kind() string { return "minibatch stddev" }

func (c stddev) run(o *op) {
	for lo := 0; lo < len(o.x[0]); lo += c.group * c.per {
		x := o.x[0][lo:][:c.group*c.per]
		total := 0.0
		for j := range c.per {
			_, sd := c.at(x, j)
			total += sd
		}
		y := o.y[lo/c.per*c.pixels:][:c.group*c.pixels]
		for i := range y {
			y[i] = float32(total / float64(c.per))
		}
	}
}

// at returns the mean and the deviation of value j over a group.
func (c stddev) at(x []float32, j int) (mean, sd float64) {
	for i := j; i < len(x); i += c.per {
		mean += float64(x[i])
	}
	mean /= float64(c.group)
	v := 0.0
	for i := j; i < len(x); i += c.per {
		d := float64(x[i]) - mean
		v += d * d
	}
	return mean, math.Sqrt(v/float64(c.group) + stddevFloor)
}

func (c stddev) gradient(n *Graph, o *op, dy *Tensor) []*Tensor {
	return []*Tensor{n.apply(o.layer, stddevGradient{c}, o.in[0].shape, dy, o.in[0])}
}

// stddevGradient's inputs: dy, x.
type stddevGradient struct{ stddev }

func (stddevGradient) kind() string { return "minibatch stddev gradient" }

func (c stddevGradient) run(o *op) {
	for lo := 0; lo < len(o.x[1]); lo += c.group * c.per {
		x, d := o.x[1][lo:][:c.group*c.per], o.y[lo:][:c.group*c.per]
		g := 0.0
		for _, v := range o.x[0][lo/c.per*c.pixels:][:c.group*c.pixels] {
			g += float64(v)
		}
		g /= float64(c.per) * float64(c.group)
		for j := range c.per {
			mean, sd := c.at(x, j)
			for i := j; i < len(x); i += c.per {
				d[i] = float32(g * (float64(x[i]) - mean) / sd)
			}
		}
	}
}
