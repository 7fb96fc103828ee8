package gan

import (
	"context"
	"fmt"

	"wavemill/models"
	"wavemill/models/nn"
)

// A Discriminator is a trained one by itself, for judging clips. It implements models.Discriminator.
type Discriminator struct {
	shape     shape
	predictor *nn.Predictor
}

var _ models.Discriminator = (*Discriminator)(nil)

const outJudged = "score" // [B, 1]

// OpenDiscriminator returns the discriminator of a checkpoint.
func OpenDiscriminator(c models.Checkpoint) (models.Discriminator, error) {
	if c.Arch != Arch {
		return nil, fmt.Errorf("gan: the checkpoint is of architecture %q", c.Arch)
	}
	config, err := ParseConfig(c.Config)
	if err != nil {
		return nil, err
	}
	return NewDiscriminator(c, config.critic(len(c.Labels), config.Stddev), prefixCritic)
}

// NewDiscriminator returns the discriminator whose weights lie in a checkpoint under a prefix. Its labels are the
// checkpoint's. It sees every clip as a batch of its own: the minibatch deviation is then nothing for all clips alike.
func NewDiscriminator(c models.Checkpoint, critic Critic, prefix string) (*Discriminator, error) {
	s, err := shapeOf(c.FrontEnd, c.Labels)
	if err != nil {
		return nil, err
	}
	p := nn.NewParams(c.Seed)
	if err := p.Import(prefix, arrays(c.Tensors)); err != nil {
		return nil, fmt.Errorf("gan: discriminator: %w", err)
	}
	critic.Labels, critic.Stddev = s.labels, min(critic.Stddev, 1)
	q, err := nn.NewPredictor(p.Seal(), func(n *nn.Graph, batch int) {
		score, _ := critic.Add(n, n.Input(inReal, batch, s.frames, s.bins, 1), n.Input(inLabels, batch))
		n.Output(outJudged, score)
	})
	if err != nil {
		return nil, fmt.Errorf("gan: discriminator: %w", err)
	}
	return &Discriminator{shape: s, predictor: q}, nil
}

// Score implements models.Discriminator.
func (d *Discriminator) Score(ctx context.Context, x models.Batch) ([]float64, error) {
	if err := x.Validate(d.shape.labels); err != nil {
		return nil, fmt.Errorf("gan: %w", err)
	}
	if x.T != d.shape.frames || x.F != d.shape.bins {
		return nil, fmt.Errorf("gan: clips of [%d, %d], the discriminator is for [%d, %d]", x.T, x.F, d.shape.frames, d.shape.bins)
	}
	size := x.T * x.F
	scores := make([]float64, 0, x.B)
	err := d.predictor.Each(x.B, func(m *nn.Machine, lo, hi int) error {
		if err := ctx.Err(); err != nil {
			return err
		}
		if err := m.Run(nn.Values(inReal, x.Data[lo*size:hi*size]), nn.Labels(inLabels, x.Labels[lo:hi])); err != nil {
			return err
		}
		for _, v := range m.Output(outJudged) {
			scores = append(scores, float64(v))
		}
		return nil
	})
	if err != nil {
		return nil, fmt.Errorf("gan: %w", err)
	}
	return scores, nil
}
