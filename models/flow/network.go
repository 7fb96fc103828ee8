package flow

import (
	"fmt"
	"slices"

	"wavemill/models/internal/shape"
	"wavemill/models/nn"
)

// placeChannels is the number of channels that tell the network where in the map it is.
const placeChannels = 4

// predictEnd adds the network that predicts the end of a path: its output f [B, Z] (see ends) for points x [B, Z], functions of
// the time and the delay, context [B, timeWidth+1], and the label's vector e [B, E], which is 0 for no label.
//
// It is a small U-Net of residual blocks on two resolutions. Context and label modulate every block (FiLM, Perez et al.
// 2018), and make a map of their own beside the points, by which convolutions tell high bins from low ones and early frames
// from late ones.
func predictEnd(n *nn.Graph, x, context, e *nn.Tensor, g grid, c Config) *nn.Tensor {
	w, b := c.FlowChannels, x.Dim(0)
	condition := n.Dense("condition", n.Concat(context, e), w, nn.SiLU()) // [B, W]
	place := n.Dense("place", condition, g.rows*g.columns*placeChannels)
	h := n.Concat(n.Reshape(x, b, g.rows, g.columns, g.channels), n.Reshape(place, b, g.rows, g.columns, placeChannels))
	h = n.Conv("in", h, w)                                        // [B, T/8, F/8, W]
	h = residual(n, "block1", h, condition)                       // [B, T/8, F/8, W]
	low := n.Conv("down", h, 2*w, nn.Kernel(4), nn.Stride(2))     // [B, T/16, F/16, 2 W]
	low = residual(n, "block2", low, condition)                   // [B, T/16, F/16, 2 W]
	low = residual(n, "block3", low, condition)                   // [B, T/16, F/16, 2 W]
	low = n.PixelShuffle(n.Conv("up", low, 4*w, nn.Kernel(1)), 2) // [B, T/8, F/8, W]
	h = residual(n, "block4", n.Add(h, low), condition)           // [B, T/8, F/8, W]
	h = n.GroupNorm("norm", h, groups(w), nn.SiLU())              // [B, T/8, F/8, W]
	h = n.Conv("out", h, g.channels, nn.Weight(nn.Constant(0)))   // [B, T/8, F/8, C]: at the beginning, the linear estimate
	return n.Flatten(h)
}

// residual adds a block of two convolutions to its input h [B, H, W, C], modulated by the condition [B, W].
func residual(n *nn.Graph, name string, h, condition *nn.Tensor) *nn.Tensor {
	n = n.Scope(name)
	channels := h.Dim(-1)
	parts := n.Split(n.Dense("film", condition, 2*channels, nn.Weight(nn.Normal(0.02))), 2)
	if n.Err() != nil {
		return h
	}
	r := n.GroupNorm("norm", h, groups(channels), nn.FiLM(parts[0], parts[1]), nn.SiLU())
	r = n.Conv("conv1", r, channels, nn.SiLU())
	r = n.Conv("conv2", r, channels, nn.Weight(nn.Constant(0)))
	return n.Add(h, r)
}

// groups returns the number of groups of a normalisation: the largest up to 8 that divides the channels.
func groups(channels int) int {
	g := min(8, channels)
	for channels%g != 0 {
		g--
	}
	return g
}

// embedding returns the vectors of labels [B], [B, E].
func embedding(n *nn.Graph, labels *nn.Tensor, s shape.Shape, c Config) *nn.Tensor {
	return s.Embedding(n, "label", labels, c.Embedding)
}

// Names of the inputs, the output and the loss of the flow's graphs.
const (
	inPoint    = "point"   // [B, Z]
	inContext  = "context" // [B, timeWidth+1]
	inKnown    = "known"   // [B]: 1, or 0 where the label is left out
	inTarget   = "target"  // [B, Z]
	inNoise    = "noise"   // [B, Z]
	inDelay    = "delay"   // [B, 1]: as a share of the largest
	outLatents = "latents" // [B, Z]
	lossFlow   = "flow"
)

// matching adds the network and its loss: the mean squared error of f.
func matching(n *nn.Graph, batch int, s shape.Shape, c Config) *nn.Tensor {
	g := c.grid(s.Frames, s.Bins)
	e := n.MulRows(embedding(n, n.Input(inLabels, batch), s, c), n.Input(inKnown, batch))
	f := predictEnd(n, n.Input(inPoint, batch, g.size()), n.Input(inContext, batch, timeWidth+1), e, g, c)
	return n.Loss(lossFlow, n.MSE(f, n.Input(inTarget, batch, g.size())))
}

// A sampler adds the whole way from noise to latents to a graph, step by step, so that one run takes it.
type sampler struct {
	config    Config
	shape     shape.Shape
	constants *nn.Params
}

// Names of the tables of constants: one equal row for each label.
const (
	tableTime  = "time %d" // the functions of the time of that step
	tableDelay = "no delay"
	tableScale = "scale" // standard deviation of each channel, less 1
	tableMean  = "mean"  // of each channel
)

// newSampler returns the sampler of a model whose latents have these means and deviations, [C].
func newSampler(c Config, s shape.Shape, mean, deviation []float32) (sampler, error) {
	var tables []nn.Array
	add := func(name string, row []float32) {
		tables = append(tables, nn.Array{Name: name + "/w", Shape: []int{s.Labels, len(row)}, Data: slices.Repeat(row, s.Labels)})
	}
	for k := range c.Steps {
		add(fmt.Sprintf(tableTime, k), timeFeatures(nil, float64(k)/float64(c.Steps)))
	}
	scale := make([]float32, len(deviation))
	for i, v := range deviation {
		scale[i] = v - 1
	}
	add(tableDelay, []float32{0})
	add(tableScale, scale)
	add(tableMean, mean)
	p := nn.NewParams(0)
	if err := p.Import("", tables); err != nil {
		return sampler{}, fmt.Errorf("flow: sampler: %w", err)
	}
	return sampler{config: c, shape: s, constants: p.Seal()}, nil
}

// add adds the way from noise [B, Z] under labels [B] to latents [B, Z]. delay is [B, 1], or nil for none.
func (p sampler) add(n *nn.Graph, noise, labels, delay *nn.Tensor) *nn.Tensor {
	c, g := p.config, p.config.grid(p.shape.Frames, p.shape.Bins)
	table := func(name string, width int) *nn.Tensor {
		return n.With(p.constants).Embedding(name, labels, p.shape.Labels, width)
	}
	if delay == nil {
		delay = table(tableDelay, 1)
	}
	x, e := noise, embedding(n, labels, p.shape, c)
	none := n.Scale(e, 0)
	net := n.Reuse()
	for k := range c.Steps {
		context := n.Concat(table(fmt.Sprintf(tableTime, k), timeWidth), delay)
		f := predictEnd(net, x, context, e, g, c)
		if c.Guidance != 1 {
			f = n.Add(n.Scale(f, c.Guidance), n.Scale(predictEnd(net, x, context, none, g, c), 1-c.Guidance))
		}
		keep, change := advance(float64(k)/float64(c.Steps), float64(k+1)/float64(c.Steps))
		x = n.Add(n.Scale(x, keep), n.Scale(f, change))
	}
	x = n.Reshape(x, x.Dim(0), g.rows, g.columns, g.channels)
	return n.Flatten(n.Modulate("scale", x, table(tableScale, g.channels), table(tableMean, g.channels)))
}

// graph returns what adds the sampler with its inputs and output to a graph.
func (p sampler) graph() func(n *nn.Graph, batch int) {
	return func(n *nn.Graph, batch int) {
		noise := n.Input(inNoise, batch, p.config.grid(p.shape.Frames, p.shape.Bins).size())
		n.Output(outLatents, p.add(n, noise, n.Input(inLabels, batch), nil))
	}
}
