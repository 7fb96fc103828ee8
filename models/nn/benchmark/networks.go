// Package benchmark holds the networks that Wavemill's engine is measured on against PyTorch, and
// the work done on them: a discriminator's step, a whole GAN step, a VAE's step, and a generator's
// inference. They are the plainest of their kind, so that what is compared is the engine: a DCGAN
// (Radford et al., 2016) on one-channel images.
package benchmark

import (
	"fmt"

	"wavemill/models/nn"
)

// The reference networks' widths.
const (
	Latent    = 128 // of the generator
	VAELatent = 32
	Classes   = 10
	Embedding = 16
)

// Size is the size of a reference network.
type Size struct {
	Image    int // side of the square image, a multiple of 16
	Channels int // of the layer next to the image; each further one has twice as many
}

// Default is the size of the comparison: 64x64 images and 32-64-128-256 channels.
func Default() Size { return Size{Image: 64, Channels: 32} }

func (s Size) validate() error {
	if s.Image < 16 || s.Image%16 != 0 || s.Channels < 1 {
		return fmt.Errorf("reference: want an image side that is a multiple of 16 and at least one channel, got %d and %d", s.Image, s.Channels)
	}
	return nil
}

// Discriminator adds four convolutions that halve the image and a dense layer.
func (s Size) Discriminator(n *nn.Graph, x *nn.Tensor, outputs int) *nn.Tensor {
	o := []nn.Option{nn.Kernel(4), nn.Stride(2), nn.LeakyReLU(0.2)}
	h := n.Conv("conv1", x, s.Channels, o...)      // [B, 32, 32, 32]
	h = n.Conv("conv2", h, 2*s.Channels, o...)     // [B, 16, 16, 64]
	h = n.Conv("conv3", h, 4*s.Channels, o...)     // [B, 8, 8, 128]
	h = n.Conv("conv4", h, 8*s.Channels, o...)     // [B, 4, 4, 256]
	return n.Dense("dense", n.Flatten(h), outputs) // [B, outputs]
}

// Generator adds a dense layer of the latent vectors and the labels' embeddings, and four transposed
// convolutions that double the image, with batch normalisation.
func (s Size) Generator(n *nn.Graph, z, label *nn.Tensor) *nn.Tensor {
	o := []nn.Option{nn.Kernel(4), nn.Stride(2), nn.BatchNorm(), nn.ReLU()}
	side, c := s.Image/16, s.Channels
	e := n.Embedding("label", label, Classes, Embedding)                        // [B, 16]
	h := n.Dense("dense", n.Concat(z, e), side*side*8*c)                        // [B, 4096]
	h = n.BatchNorm("norm", n.Reshape(h, z.Dim(0), side, side, 8*c), nn.ReLU()) // [B, 4, 4, 256]
	h = n.ConvTranspose("up1", h, 4*c, o...)                                    // [B, 8, 8, 128]
	h = n.ConvTranspose("up2", h, 2*c, o...)                                    // [B, 16, 16, 64]
	h = n.ConvTranspose("up3", h, c, o...)                                      // [B, 32, 32, 32]
	return n.ConvTranspose("up4", h, 1, nn.Kernel(4), nn.Stride(2), nn.Tanh())  // [B, 64, 64, 1]
}
