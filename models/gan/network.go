package gan

import (
	"fmt"

	"wavemill/models/nn"
)

const slope = 0.2 // of every leaky ReLU

// generator maps latents z [B, Z] and labels [B] to spectrograms [B, T, F, 1]. Latents and label also scale and shift
// every block's channels (FiLM, Perez et al. 2018), which is conditional batch normalisation. The correction [B, T, F, 1]
// is added before the last tanh, which keeps silence silent; nil for none, as in training.
func generator(n *nn.Graph, z, labels, correction *nn.Tensor, s shape, c Config) *nn.Tensor {
	n = n.Scope("generator")
	e := z
	if !c.Unconditional {
		e = n.Concat(z, n.Embedding("label", labels, s.labels, c.Embedding)) // [B, Z + E]
	}
	return generateAs(n, e, correction, s, c)
}

// generateAs is the generator for latents that are joined with an embedded label already, e [B, Z + E].
func generateAs(n *nn.Graph, e, correction *nn.Tensor, s shape, c Config) *nn.Tensor {
	w := c.generatorChannels()
	last := w
	if c.Taper {
		last = (w + 1) / 2
	}
	h := n.Dense("expand", e, s.frames/16*s.bins/16*8*w)    // [B, T/16 F/16 8w]
	h = n.Reshape(h, e.Dim(0), s.frames/16, s.bins/16, 8*w) // [B, T/16, F/16, 8w]
	h = block(n, 1, h, e, 4*w)                              // [B, T/8, F/8, 4w]
	h = block(n, 2, h, e, 2*w)                              // [B, T/4, F/4, 2w]
	h = block(n, 3, h, e, w)                                // [B, T/2, F/2, w]
	h = block(n, 4, h, e, last)                             // [B, T, F, w or w/2]
	if correction == nil {
		return n.Conv("out", h, 1, nn.Tanh()) // [B, T, F, 1]
	}
	return n.Activate(n.Add(n.Conv("out", h, 1), correction), nn.Tanh())
}

// placed moves noise z [B, Z] to the places of the modes [B] among the latents.
func placed(n *nn.Graph, z, modes *nn.Tensor, s shape, c Config) *nn.Tensor {
	return n.Add(z, n.Scope("generator").Embedding("modes", modes, s.labels*c.ModesOfLabel(), c.Latent))
}

// block normalises, modulates by e, activates, and doubles the resolution: [B, H, W, C] to [B, 2 H, 2 W, out].
func block(n *nn.Graph, i int, h, e *nn.Tensor, out int) *nn.Tensor {
	film := n.Dense(fmt.Sprintf("film%d", i), e, 2*h.Dim(-1), nn.Weight(nn.Normal(0.02))) // [B, 2 C]
	parts := n.Split(film, 2)
	if n.Err() != nil {
		return h
	}
	h = n.BatchNorm(fmt.Sprintf("norm%d", i), h, nn.FiLM(parts[0], parts[1]), nn.LeakyReLU(slope)) // [B, H, W, C]
	h = n.Conv(fmt.Sprintf("conv%d", i), h, 4*out)                                                 // [B, H, W, 4 out]
	return n.PixelShuffle(h, 2)                                                                    // [B, 2 H, 2 W, out]
}

// A Critic is a discriminator with a projection of the label (Miyato and Koyama 2018). The zero value of every field
// but Channels and Labels leaves something out.
type Critic struct {
	Channels      int
	Labels        int // classes
	Unconditional bool
	SpectralNorm  bool
	Stddev        int     // group of the minibatch deviation, 0 for none; must divide the batch
	Gain          float64 // of the score, 0 for 1
	Auxiliary     bool    // a head that names the label (Odena et al. 2017)
	NoProjection  bool    // the label counts for the auxiliary head alone
	Modes         int     // kinds of clips of each label (see Config.Modes), for those who can tell them
}

// critic returns the discriminator of a configuration, for batches of whole groups.
func (c Config) critic(labels, group int) Critic {
	return Critic{
		Channels: c.Channels, Labels: labels, Unconditional: c.Unconditional, SpectralNorm: c.SpectralNorm, Stddev: group,
		Gain: c.Gain, Auxiliary: c.named(), NoProjection: c.NoProjection, Modes: c.ModesOfLabel(),
	}
}

// named reports whether the discriminator has an auxiliary head.
func (c Config) named() bool { return c.Auxiliary > 0 && !c.Unconditional }

// A Judgement is what a Critic says of B clips.
type Judgement struct {
	Score    *nn.Tensor   // [B, 1]: how real
	Classes  *nn.Tensor   // [B, labels]: logits of the auxiliary head, nil without
	Features []*nn.Tensor // activations of the convolutions, for feature matching
}

// Add adds the discriminator's judgement of x [B, T, F, 1] under labels [B]: a score [B, 1], and the activations of its
// layers, for feature matching.
func (d Critic) Add(n *nn.Graph, x, labels *nn.Tensor) (score *nn.Tensor, features []*nn.Tensor) {
	j := d.Judge(n, x, labels, nil)
	return j.Score, j.Features
}

// Judge adds the discriminator's judgement of x [B, T, F, 1] under labels [B] and modes [B], which count over all labels;
// where modes are nil, a clip is compared with those of its label alone.
func (d Critic) Judge(n *nn.Graph, x, labels, modes *nn.Tensor) Judgement {
	n = n.Scope("discriminator")
	w := d.Channels
	var sn []nn.Option
	if d.SpectralNorm {
		sn = append(sn, nn.SpectralNorm())
	}
	down := append([]nn.Option{nn.Kernel(4), nn.Stride(2), nn.LeakyReLU(slope)}, sn...)
	h1 := n.Conv("conv1", x, w, down...)    // [B, T/2, F/2, w]
	h2 := n.Conv("conv2", h1, 2*w, down...) // [B, T/4, F/4, 2w]
	h3 := n.Conv("conv3", h2, 4*w, down...) // [B, T/8, F/8, 4w]
	h4 := n.Conv("conv4", h3, 8*w, down...) // [B, T/16, F/16, 8w]
	h := h4
	if d.Stddev > 0 {
		h = n.MinibatchStddev(h, d.Stddev) // [B, T/16, F/16, 8w+1]
	}
	act := append([]nn.Option{nn.LeakyReLU(slope)}, sn...)
	h = n.Dense("features", n.Flatten(h), 8*w, act...) // [B, 8w]
	j := Judgement{Features: []*nn.Tensor{h1, h2, h3, h4}}
	j.Score = n.Dense("score", h, 1, sn...) // [B, 1]
	if !d.Unconditional && !d.NoProjection {
		e := n.Embedding("projection", labels, d.Labels, 8*w, append([]nn.Option{nn.Weight(nn.Normal(0.05))}, sn...)...) // [B, 8w]
		j.Score = n.Add(j.Score, n.RowDot(e, h))
	}
	if modes != nil {
		e := n.Embedding("modes", modes, d.Labels*d.Modes, 8*w, append([]nn.Option{nn.Weight(nn.Normal(0.05))}, sn...)...) // [B, 8w]
		j.Score = n.Add(j.Score, n.RowDot(e, h))
	}
	if d.Gain > 0 {
		j.Score = n.Scale(j.Score, d.Gain)
	}
	if d.Auxiliary {
		j.Classes = n.Dense("classes", n.Scale(h, max(d.Gain, 1)), d.Labels) // [B, labels]
	}
	return j
}
