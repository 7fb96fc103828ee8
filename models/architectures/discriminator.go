package architectures

import (
	"fmt"

	"wavemill/models"
	"wavemill/models/gan"
	"wavemill/models/vaegan"
)

// OpenDiscriminator returns the discriminator of a checkpoint, or models.ErrNoDiscriminator where it holds none.
func OpenDiscriminator(c models.Checkpoint) (models.Discriminator, error) {
	switch c.Arch {
	case gan.Arch:
		return gan.OpenDiscriminator(c)
	case vaegan.Arch:
		return vaegan.OpenDiscriminator(c)
	}
	if _, err := find(c.Arch); err != nil {
		return nil, err
	}
	return nil, fmt.Errorf("%w: it is a %s", models.ErrNoDiscriminator, c.Arch)
}
