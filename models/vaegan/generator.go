package vaegan

import (
	"fmt"

	"wavemill/models"
	"wavemill/models/gan"
	"wavemill/models/internal/state"
	"wavemill/models/nn"
	"wavemill/models/vae"
)

// Open returns the generator of a checkpoint: the autoencoder's, with the fine-tuned decoder. It is a *vae.Generator.
func Open(c models.Checkpoint) (models.Generator, error) {
	_, v, err := readAutoencoder(c)
	if err != nil {
		return nil, err
	}
	return vae.Open(v)
}

// Networks returns the networks of a checkpoint for other programs: the fine-tuned decoder as generator, the encoder,
// and, once the second phase of training has begun, the discriminator.
func Networks(c models.Checkpoint) ([]nn.Network, error) {
	config, v, err := readAutoencoder(c)
	if err != nil {
		return nil, err
	}
	networks, err := vae.Networks(v)
	if err != nil {
		return nil, wrap(err)
	}
	if !state.Has(c.Tensors, prefixDiscriminator) {
		return networks, nil
	}
	d, err := config.discriminator().Network(c, prefixDiscriminator)
	if err != nil {
		return nil, wrap(err)
	}
	return append(networks, d), nil
}

// OpenDiscriminator returns the discriminator of a checkpoint. In the first phase of training there is none:
// models.ErrNoDiscriminator.
func OpenDiscriminator(c models.Checkpoint) (models.Discriminator, error) {
	h, err := state.Read(Arch, ParseConfig, c)
	if err != nil {
		return nil, err
	}
	if !state.Has(c.Tensors, prefixDiscriminator) {
		return nil, fmt.Errorf("vaegan: %w: its training ended before the second phase", models.ErrNoDiscriminator)
	}
	return gan.NewDiscriminator(c, h.Config.discriminator(), prefixDiscriminator)
}

// discriminator returns the discriminator of a configuration without its labels.
func (c Config) discriminator() gan.DiscriminatorNetwork {
	return gan.DiscriminatorNetwork{Channels: c.Channels, Unconditional: c.VAE.Unconditional, SpectralNorm: true, Stddev: c.Stddev}
}
