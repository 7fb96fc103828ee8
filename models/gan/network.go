package gan

import (
	"fmt"

	"wavemill/models/internal/shape"
	"wavemill/models/nn"
)

const slope = 0.2 // of every leaky ReLU

// generator maps latents z [B, Z] and labels [B] to spectrograms [B, T, F, 1]. Latents and label also scale and shift
// every block's channels (FiLM, Perez et al. 2018), which is conditional batch normalisation. The correction [B, T, F, 1]
// is added before the last tanh, so that silence stays silent; nil for none, as in training.
func generator(n *nn.Graph, z, labels, correction *nn.Tensor, s shape.Shape, c Config) *nn.Tensor {
	n = n.Scope("generator")
	e := z
	if !c.Unconditional {
		e = n.Concat(z, s.Embedding(n, "label", labels, c.Embedding)) // [B, Z + E]
	}
	return generateEmbedded(n, e, correction, s, c)
}

// generateEmbedded is the generator for latents that are joined with an embedded label already, e [B, Z + E].
func generateEmbedded(n *nn.Graph, e, correction *nn.Tensor, s shape.Shape, c Config) *nn.Tensor {
	w := c.generatorChannels()
	last := w
	if c.Taper {
		last = (w + 1) / 2
	}
	h := n.Dense("expand", e, s.Frames/16*s.Bins/16*8*w)    // [B, T/16 F/16 8w]
	h = n.Reshape(h, e.Dim(0), s.Frames/16, s.Bins/16, 8*w) // [B, T/16, F/16, 8w]
	h = block(n, 1, h, e, 4*w)                              // [B, T/8, F/8, 4w]
	h = block(n, 2, h, e, 2*w)                              // [B, T/4, F/4, 2w]
	h = block(n, 3, h, e, w)                                // [B, T/2, F/2, w]
	h = block(n, 4, h, e, last)                             // [B, T, F, w or w/2]
	if correction == nil {
		return n.Conv("out", h, 1, nn.Tanh()) // [B, T, F, 1]
	}
	return n.Activate(n.Add(n.Conv("out", h, 1), correction), nn.Tanh())
}

// addModeMeans adds the mean latents of the modes [B] to noise z [B, Z].
func addModeMeans(n *nn.Graph, z, modes *nn.Tensor, s shape.Shape, c Config) *nn.Tensor {
	return n.Add(z, n.Scope("generator").Embedding("modes", modes, s.Labels*c.ModesOfLabel(), c.Latent))
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
