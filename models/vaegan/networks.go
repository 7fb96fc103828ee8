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
	critic := gan.Critic{Channels: config.Channels, Labels: len(c.Labels), Unconditional: config.VAE.Unconditional, SpectralNorm: true, Stddev: config.Stddev}
	judge, err := critic.Network(c, prefixCritic)
	if err != nil {
		return nil, fmt.Errorf("vaegan: %w", err)
	}
	return append(networks, judge), nil
}
