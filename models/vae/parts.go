package vae

import (
	"wavemill/models"
	"wavemill/models/internal/shape"
	"wavemill/models/nn"
)

// Parts are the two networks of a model, for architectures that train them further.
type Parts struct {
	config Config
	shape  shape.Shape
}

// NewParts returns the networks that c describes for a front end and labels.
func NewParts(c Config, fe models.FrontEnd, labels []string) (Parts, error) {
	s, err := shape.Of(fe, labels)
	if err == nil && c.LabelSets {
		s = s.WithSets(labels)
	}
	return Parts{c, s}, err
}

// Encoder adds the encoder of x [B, T, F, 1] to n: mean and log variance of the latents, [B, Z] each.
func (p Parts) Encoder(n *nn.Graph, x *nn.Tensor) (mean, logVar *nn.Tensor) {
	return encoder(n, x, p.config)
}

// Decoder adds the decoder of latents z [B, Z] under labels [B] to n: spectrograms [B, T, F, 1].
func (p Parts) Decoder(n *nn.Graph, z, labels *nn.Tensor) *nn.Tensor {
	return decoder(n, z, labels, p.shape, p.config)
}

// Average returns the averaged weights of both networks, which evaluate and generate. They change with every step.
func (l *Learner) Average() *nn.Params { return l.weights.Average() }
