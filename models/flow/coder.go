package flow

import (
	"fmt"

	"wavemill/models/internal/shape"
	"wavemill/models/nn"
)

const slope = 0.2 // of every leaky ReLU

// encoder maps spectrograms x [B, T, F, 1] to the mean and log variance of their latents, [B, Z] each. Z is the size of
// the map [T/8, F/8, C].
func encoder(n *nn.Graph, x *nn.Tensor, c Config) (mean, logVar *nn.Tensor) {
	n = n.Scope("encoder")
	w := c.Channels
	down := []nn.Option{nn.Kernel(4), nn.Stride(2), nn.LeakyReLU(slope)}
	h := n.Conv("conv1", x, w, down...)                              // [B, T/2, F/2, w]
	h = n.Conv("conv2", h, 2*w, append(down, nn.BatchNorm())...)     // [B, T/4, F/4, 2w]
	h = n.Conv("conv3", h, 4*w, append(down, nn.BatchNorm())...)     // [B, T/8, F/8, 4w]
	h = n.Conv("conv4", h, 4*w, nn.BatchNorm(), nn.LeakyReLU(slope)) // [B, T/8, F/8, 4w]
	parts := n.Split(n.Conv("posterior", h, 2*c.Latent), 2)          // [B, T/8, F/8, C] twice
	if n.Err() != nil {
		return h, h
	}
	return n.Flatten(parts[0]), n.Flatten(parts[1])
}

// decoder maps latents z [B, Z] to spectrograms [B, T, F, 1].
func decoder(n *nn.Graph, z *nn.Tensor, s shape.Shape, c Config) *nn.Tensor {
	n = n.Scope("decoder")
	w, g := c.Channels, c.grid(s.Frames, s.Bins)
	h := n.Reshape(z, z.Dim(0), g.rows, g.columns, g.channels)        // [B, T/8, F/8, C]
	h = n.Conv("expand", h, 4*w, nn.BatchNorm(), nn.LeakyReLU(slope)) // [B, T/8, F/8, 4w]
	h = n.Conv("conv1", h, 4*w)                                       // [B, T/8, F/8, 4w]
	for i, out := range []int{2 * w, w, 1} {                          // [B, T/4, F/4, 2w], [B, T/2, F/2, w], [B, T, F, 1]
		h = n.BatchNorm(fmt.Sprintf("norm%d", i+1), h, nn.LeakyReLU(slope))
		h = n.PixelShuffle(n.Conv(fmt.Sprintf("conv%d", i+2), h, 4*out), 2)
	}
	return h
}

// Names of the inputs, outputs and losses of the autoencoder's graphs.
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

// elbo adds the autoencoder and its loss, the negative evidence lower bound per clip in nats with a weight of the KL term.
// In Eval mode the decoder gets the posterior's mean.
func elbo(n *nn.Graph, batch int, s shape.Shape, c Config) *nn.Tensor {
	x := n.Input(inClips, batch, s.Frames, s.Bins, 1)
	mean, logVar := encoder(n, x, c)
	z := n.Output(outMean, mean)
	if n.Mode() == nn.Train {
		z = n.Reparameterise(mean, logVar, n.NormalNoise("posterior noise", batch, c.grid(s.Frames, s.Bins).size()))
	}
	y := decoder(n, z, s, c)
	nll, kl := n.Loss(lossNLL, n.GaussianNLL(x, y)), n.Loss(lossKL, n.KL(mean, logVar, 0))
	n.Loss(lossMSE, n.MSE(x, y))
	return n.Loss(lossAll, n.Add(nll, n.Mul(n.Input(inKL, 1), kl)))
}

// encoderGraph returns what adds the encoder with its input and outputs to a graph.
func encoderGraph(s shape.Shape, c Config) func(n *nn.Graph, batch int) {
	return func(n *nn.Graph, batch int) {
		mean, logVar := encoder(n, n.Input(inClips, batch, s.Frames, s.Bins, 1), c)
		n.Output(outMean, mean)
		n.Output(outLogVar, logVar)
	}
}

// decoderGraph returns what adds the decoder with its inputs and output to a graph. It has labels, as other architectures'
// have, and does not look at them.
func decoderGraph(s shape.Shape, c Config) func(n *nn.Graph, batch int) {
	return func(n *nn.Graph, batch int) {
		n.Input(inLabels, batch)
		n.Output(outClips, decoder(n, n.Input(inLatent, batch, c.grid(s.Frames, s.Bins).size()), s, c))
	}
}
