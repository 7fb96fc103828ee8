package gan

import (
	"context"
	"fmt"

	"wavemill/models"
	"wavemill/models/internal/predict"
	"wavemill/models/internal/shape"
	"wavemill/models/internal/state"
	"wavemill/models/nn"
)

// A Discriminator scores clips with the discriminator of a checkpoint. It implements models.Discriminator.
type Discriminator struct {
	shape     shape.Shape
	predictor *nn.Predictor
}

var _ models.Discriminator = (*Discriminator)(nil)

// OpenDiscriminator returns the discriminator of a checkpoint.
func OpenDiscriminator(c models.Checkpoint) (models.Discriminator, error) {
	h, err := state.Read(Arch, ParseConfig, c)
	if err != nil {
		return nil, err
	}
	return NewDiscriminator(c, h.Config.discriminator(len(c.Labels)), prefixDiscriminator)
}

// NewDiscriminator returns the discriminator whose weights lie in a checkpoint under a prefix. Its labels are the
// checkpoint's. It scores every clip as a batch of its own: the minibatch deviation is then 0 for all clips.
func NewDiscriminator(c models.Checkpoint, network DiscriminatorNetwork, prefix string) (*Discriminator, error) {
	s, err := shape.Of(c.FrontEnd, c.Labels)
	if err != nil {
		return nil, fmt.Errorf("gan: discriminator: %w", err)
	}
	p, build, err := network.open(c, prefix)
	if err != nil {
		return nil, fmt.Errorf("gan: %w", err)
	}
	q, err := nn.NewPredictor(p, build)
	if err != nil {
		return nil, fmt.Errorf("gan: discriminator: %w", err)
	}
	return &Discriminator{shape: s, predictor: q}, nil
}

// Score implements models.Discriminator.
func (d *Discriminator) Score(ctx context.Context, x models.Batch) ([]float64, error) {
	if err := d.shape.Check(ctx, x); err != nil {
		return nil, fmt.Errorf("gan: discriminator: %w", err)
	}
	size := d.shape.Size()
	values, err := predict.Append(ctx, d.predictor, nil, outScore, x.B, func(lo, hi int) []nn.Feed {
		return []nn.Feed{nn.Values(inReal, x.Data[lo*size:hi*size]), nn.Labels(inLabels, x.Labels[lo:hi])}
	})
	if err != nil {
		return nil, fmt.Errorf("gan: discriminator: %w", err)
	}
	scores := make([]float64, len(values))
	for i, v := range values {
		scores[i] = float64(v)
	}
	return scores, nil
}
