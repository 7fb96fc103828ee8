package vaegan

import (
	"context"
	"encoding/json"
	"fmt"
	"math/rand/v2"

	"wavemill/models"
	"wavemill/models/internal/state"
	"wavemill/models/vae"
)

// Arch is the architecture's name.
const Arch = "vaegan"

// A Learner trains a model. It implements models.Learner.
type Learner struct {
	header  state.Header[Config]
	planned int64

	vae    *vae.Learner
	first  int64       // steps made in the first phase
	second *finetuning // nil in the first phase
	scale  float64     // of the learning rates; 0 is 1
}

var _ interface {
	models.Learner
	models.LRScaler
	models.LearningRater
} = (*Learner)(nil)

// NewLearner returns an untrained model. The config is JSON over the Defaults; nil means these.
func NewLearner(config json.RawMessage, fe models.FrontEnd, labels []string, seed uint64) (models.Learner, error) {
	config, err := vae.Suit(Arch, config, fe, "vae")
	if err != nil {
		return nil, err
	}
	h, err := state.New(Arch, ParseConfig, config, fe, labels, seed)
	if err != nil {
		return nil, err
	}
	text, err := json.Marshal(h.Config.VAE)
	if err != nil {
		return nil, fmt.Errorf("vaegan: %w", err)
	}
	v, err := vae.NewLearner(text, fe, labels, seed)
	if err != nil {
		return nil, fmt.Errorf("vaegan: %w", err)
	}
	autoencoder, ok := v.(*vae.Learner)
	if !ok {
		return nil, fmt.Errorf("vaegan: the autoencoder's learner is a %T", v)
	}
	return &Learner{header: h, vae: autoencoder}, nil
}

// firstPhase returns the number of planned steps of the first phase.
func (l *Learner) firstPhase() int64 { return int64(l.header.Config.Share * float64(l.planned)) }

// SetTotalSteps implements models.Learner.
func (l *Learner) SetTotalSteps(steps int64) {
	l.planned = steps
	if l.second == nil {
		l.vae.SetTotalSteps(l.firstPhase())
	} else {
		l.second.SetTotalSteps(steps - l.first)
	}
}

// Step implements models.Learner.
func (l *Learner) Step(ctx context.Context, x models.Batch, rng *rand.Rand) (models.Losses, error) {
	if l.second == nil && l.planned > 0 && l.first >= max(l.firstPhase(), 1) {
		if err := l.beginSecondPhase(); err != nil {
			return nil, err
		}
	}
	if l.second != nil {
		losses, err := l.second.step(ctx, x, rng)
		return losses, wrap(err)
	}
	losses, err := l.vae.Step(ctx, x, rng)
	if err != nil {
		return nil, wrap(err)
	}
	if _, bad := losses.NonFinite(); !bad {
		l.first++
	}
	return losses, nil
}

// wrap adds the package's name to an error.
func wrap(err error) error {
	if err == nil {
		return nil
	}
	return fmt.Errorf("vaegan: %w", err)
}

// beginSecondPhase makes the discriminator and the optimisers of the second phase.
func (l *Learner) beginSecondPhase() error {
	s, err := newFinetuning(l.header, l.vae.Average())
	if err != nil {
		return wrap(err)
	}
	l.second = s
	if l.scale > 0 {
		s.ScaleLR(l.scale)
	}
	s.SetTotalSteps(l.planned - l.first)
	return nil
}

// Freeze implements models.PartFreezer. Of the parts, the encoder can be frozen: the decoder is trained to the end.
func (l *Learner) Freeze(parts []string) error {
	for _, part := range parts {
		if part != "encoder" {
			return fmt.Errorf("vaegan: part %q cannot be frozen; the encoder can, and of a vae the encoder or the decoder", part)
		}
	}
	return wrap(l.vae.Freeze(parts))
}

// ScaleLR implements models.LRScaler.
func (l *Learner) ScaleLR(factor float64) {
	l.scale = factor
	l.vae.ScaleLR(factor)
	if l.second != nil {
		l.second.ScaleLR(factor)
	}
}

// LearningRate implements models.LearningRater.
func (l *Learner) LearningRate() float64 {
	if l.second != nil {
		return l.second.Decoder.Adam.LearningRate()
	}
	return l.vae.LearningRate()
}

// Eval implements models.Learner. The losses are the autoencoder's, in the second phase with the fine-tuned decoder.
func (l *Learner) Eval(ctx context.Context, x models.Batch) (models.Losses, error) {
	if l.second != nil {
		losses, err := l.second.eval(ctx, x)
		return losses, wrap(err)
	}
	losses, err := l.vae.Eval(ctx, x)
	return losses, wrap(err)
}

// Calibrate implements models.Learner: it fits the prior on the latents of the training clips.
func (l *Learner) Calibrate(ctx context.Context, train models.Batch) error {
	return wrap(l.vae.Calibrate(ctx, train))
}
