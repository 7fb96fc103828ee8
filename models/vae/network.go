package vae

import (
	"fmt"

	"wavemill/models/internal/shape"
	"wavemill/models/nn"
)

const slope = 0.2 // of every leaky ReLU

// encoder maps spectrograms x [B, T, F, 1] to the mean and log variance of their latents, [B, Z] each; with several
// experts, to those of the likeliest.
func encoder(n *nn.Graph, x *nn.Tensor, c Config) (mean, logVar *nn.Tensor) {
	n = n.Scope("encoder")
	h := features(n, x, c)
	if c.Encoders > 1 {
		return likeliest(n, posteriors(n, h, c))
	}
	return posterior(n, "posterior", h, c)
}

// posterior is the dense layer of that name from the encoder's features to mean and log variance, [B, Z] each.
func posterior(n *nn.Graph, layer string, h *nn.Tensor, c Config) (mean, logVar *nn.Tensor) {
	h = n.Dense(layer, h, 2*c.Latent) // [B, 2 Z]
	parts := n.Split(h, 2)
	if n.Err() != nil {
		return h, h
	}
	return parts[0], parts[1]
}

// features adds the encoder's convolutions: the input of the posterior's dense layer.
func features(n *nn.Graph, x *nn.Tensor, c Config) *nn.Tensor {
	w := c.Channels
	k := []nn.Option{nn.Kernel(4), nn.Stride(2), nn.LeakyReLU(slope)}
	kn := append([]nn.Option{nn.BatchNorm()}, k...)
	h := n.Conv("conv1", x, w, k...)   // [B, T/2, F/2, 16]
	h = n.Conv("conv2", h, 2*w, kn...) // [B, T/4, F/4, 32]
	h = n.Conv("conv3", h, 4*w, kn...) // [B, T/8, F/8, 64]
	h = n.Conv("conv4", h, 8*w, kn...) // [B, T/16, F/16, 128]
	return n.Dropout("dropout", h, c.Dropout)
}

// decoder maps latents z [B, Z] and labels [B] to spectrograms [B, T, F, 1]. Latents and label also scale and shift
// every block's channels (FiLM, Perez et al. 2018).
func decoder(n *nn.Graph, z, labels *nn.Tensor, s shape.Shape, c Config) *nn.Tensor {
	n = n.Scope("decoder")
	return decodeEmbedded(n, z, embedding(n, labels, s, c), s, c)
}

// embedding returns the vectors of labels [B], [B, E]; nil in an unconditional model.
func embedding(n *nn.Graph, labels *nn.Tensor, s shape.Shape, c Config) *nn.Tensor {
	if c.Unconditional {
		return nil
	}
	return s.Embedding(n, "label", labels, c.Embedding)
}

// decodeEmbedded is the decoder for labels that are embedded already.
func decodeEmbedded(n *nn.Graph, z, e *nn.Tensor, s shape.Shape, c Config) *nn.Tensor {
	w := c.Channels
	e = code(n, z, e, c)                                    // [B, Z + E]
	h := n.Dense("expand", e, s.Frames/16*s.Bins/16*8*w)    // [B, T/16 F/16 128]
	h = n.Reshape(h, z.Dim(0), s.Frames/16, s.Bins/16, 8*w) // [B, T/16, F/16, 128]
	h = block(n, 1, h, e, 4*w)                              // [B, T/8, F/8, 64]
	h = block(n, 2, h, e, 2*w)                              // [B, T/4, F/4, 32]
	h = block(n, 3, h, e, w)                                // [B, T/2, F/2, 16]
	return lastBlock(n, h, e, c)                            // [B, T, F, 1]
}

// code returns the decoder's input: latents z [B, Z], scaled, and the label's vector e [B, E], nil for none.
func code(n *nn.Graph, z, e *nn.Tensor, c Config) *nn.Tensor {
	if c.LatentScale != 0 && c.LatentScale != 1 {
		z = n.Scale(z, c.LatentScale)
	}
	if e == nil {
		return z
	}
	return n.Concat(z, e)
}

// block normalises, modulates by e, activates, and doubles the resolution: [B, H, W, C] to [B, 2 H, 2 W, out].
func block(n *nn.Graph, i int, h, e *nn.Tensor, out int, options ...nn.Option) *nn.Tensor {
	film := n.Dense(fmt.Sprintf("film%d", i), e, 2*h.Dim(-1), nn.Weight(nn.Normal(0.02))) // [B, 2 C]
	parts := n.Split(film, 2)
	if n.Err() != nil {
		return h
	}
	h = n.BatchNorm(fmt.Sprintf("norm%d", i), h, nn.FiLM(parts[0], parts[1]), nn.LeakyReLU(slope)) // [B, H, W, C]
	h = n.Conv(fmt.Sprintf("conv%d", i), h, 4*out, options...)                                     // [B, H, W, 4 out]
	return n.PixelShuffle(h, 2)                                                                    // [B, 2 H, 2 W, out]
}

// Names of the inputs, outputs and losses of the graphs.
const (
	inClips   = "clips"        // [B, T, F, 1]
	inLabels  = "labels"       // [B]
	inKL      = "kl weight"    // [1]
	inLatent  = "latents"      // [B, Z]
	outMean   = "mean"         // [B, Z]
	outLogVar = "log variance" // [B, Z]
	outClips  = "made"         // [B, T, F, 1]
	lossAll   = "loss"
	lossNLL   = "nll"
	lossKL    = "kl"
	lossMSE   = "mse"
)

// elbo adds the whole model and its loss, the negative evidence lower bound per clip in nats. In Eval mode the
// decoder gets the posterior's mean.
func elbo(n *nn.Graph, batch int, s shape.Shape, c Config) *nn.Tensor {
	x := n.Input(inClips, batch, s.Frames, s.Bins, 1)
	labels := n.Input(inLabels, batch)
	weight := n.Input(inKL, 1)
	if c.Encoders > 1 {
		return mixtureELBO(n, x, labels, weight, s, c)
	}
	mean, logVar := encoder(n, x, c)
	z := mean
	if n.Mode() == nn.Train {
		z = n.Reparameterise(mean, logVar, n.NormalNoise("posterior noise", batch, c.Latent))
	}
	if c.Prior == PriorFlow {
		n.Output(outMean, mean)
	}
	y := decoder(n, z, labels, s, c)
	nll := n.Loss(lossNLL, n.GaussianNLL(x, y))
	kl := n.KL(mean, logVar, c.FreeBits)
	n.Loss(lossKL, kl)
	n.Loss(lossMSE, n.MSE(x, y))
	return n.Loss(lossAll, n.Add(nll, n.Mul(weight, kl)))
}
