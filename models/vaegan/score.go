package vaegan

import (
	"fmt"
	"slices"
	"strings"

	"wavemill/models"
	"wavemill/models/gan"
)

// OpenDiscriminator returns the discriminator of a checkpoint. In the first part of the training there is none yet:
// models.ErrNoDiscriminator.
func OpenDiscriminator(c models.Checkpoint) (models.Discriminator, error) {
	if c.Arch != Arch {
		return nil, fmt.Errorf("vaegan: the checkpoint is of architecture %q", c.Arch)
	}
	config, err := ParseConfig(c.Config)
	if err != nil {
		return nil, err
	}
	if !slices.ContainsFunc(c.Tensors, func(t models.Tensor) bool { return strings.HasPrefix(t.Name, prefixCritic) }) {
		return nil, fmt.Errorf("vaegan: %w: its training ended before the second part", models.ErrNoDiscriminator)
	}
	return gan.NewDiscriminator(c, criticOf(config), prefixCritic)
}
