package vaegan

import (
	"fmt"
	"slices"
	"strings"

	"wavemill/models"
	"wavemill/models/gan"
	"wavemill/models/nn"
	"wavemill/models/vae"
)

// Networks returns what other programs can run of a checkpoint: the sharpened decoder as generator, the encoder, and,
// once the second part of the training has begun, the discriminator.
func Networks(c models.Checkpoint) ([]nn.Network, error) {
	v, config, err := coderCheckpoint(c)
	if err != nil {
		return nil, err
	}
	networks, err := vae.Networks(v)
	if err != nil {
		return nil, fmt.Errorf("vaegan: %w", err)
	}
	if !slices.ContainsFunc(c.Tensors, func(t models.Tensor) bool { return strings.HasPrefix(t.Name, prefixCritic) }) {
		return networks, nil
	}
	judge, err := criticOf(config).Network(c, prefixCritic)
	if err != nil {
		return nil, fmt.Errorf("vaegan: %w", err)
	}
	return append(networks, judge), nil
}

// criticOf returns the discriminator of a configuration, but for its labels.
func criticOf(c Config) gan.Critic {
	return gan.Critic{Channels: c.Channels, Unconditional: c.VAE.Unconditional, SpectralNorm: true, Stddev: c.Stddev}
}
