// Package vaegan is a conditional variational autoencoder whose decoder a discriminator has sharpened (Larsen et al.
// 2016; in two phases, as in RAVE, Caillon and Esling 2021).
//
// First the autoencoder learns alone, as in package vae. Then its encoder is frozen and its decoder goes on learning:
// from a discriminator, from the discriminator's activations on a clip and its reconstruction, and from the clip
// itself. Half of the clips it makes then are reconstructions, half are drawn from the latents of their label, as when
// generating. So it keeps the autoencoder's variety and loses its blur.
package vaegan

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"math/rand/v2"
	"slices"
	"strings"

	"wavemill/models"
	"wavemill/models/vae"
)

// Arch is the architecture's name.
const Arch = "vaegan"

// Prefixes of tensors in a checkpoint; the autoencoder's own are as in package vae.
const (
	prefixModel   = "model/"                          // the averaged weights, which generate
	prefixCritic  = "discriminator/"                  // which judges
	prefixCoder   = models.OptimizerPrefix + "coder/" // the averaged autoencoder before it was sharpened
	prefixSharp   = models.OptimizerPrefix + "sharp/weights/"
	prefixDecoder = models.OptimizerPrefix + "sharp/adam/"
	prefixAverage = prefixDecoder + "ema/" // which are the model's
	prefixJudge   = models.OptimizerPrefix + "discriminator/adam/"
)

// A Learner trains a model. It implements models.Learner.
type Learner struct {
	config  Config
	fe      models.FrontEnd
	labels  []string
	seed    uint64
	planned int64

	vae   *vae.Learner
	coder int64 // steps that trained the autoencoder alone
	sharp *sharpener
	slow  float64 // factor of the learning rates; 0 is 1
}

var (
	_ models.Learner       = (*Learner)(nil)
	_ models.LRScaler      = (*Learner)(nil)
	_ models.LearningRater = (*Learner)(nil)
)

// NewLearner returns an untrained model. The config is JSON over the Defaults; nil means these.
func NewLearner(config json.RawMessage, fe models.FrontEnd, labels []string, seed uint64) (models.Learner, error) {
	c, err := ParseConfig(config)
	if err != nil {
		return nil, err
	}
	text, err := json.Marshal(c.VAE)
	if err != nil {
		return nil, fmt.Errorf("vaegan: %w", err)
	}
	v, err := vae.NewLearner(text, fe, labels, seed)
	if err != nil {
		return nil, fmt.Errorf("vaegan: %w", err)
	}
	coder, ok := v.(*vae.Learner)
	if !ok {
		return nil, fmt.Errorf("vaegan: the autoencoder's learner is a %T", v)
	}
	return &Learner{config: c, fe: fe, labels: labels, seed: seed, vae: coder}, nil
}

// first returns how many of the planned steps train the autoencoder alone.
func (l *Learner) first() int64 { return int64(l.config.Share * float64(l.planned)) }

// SetTotalSteps implements models.Learner.
func (l *Learner) SetTotalSteps(steps int64) {
	l.planned = steps
	if l.sharp == nil {
		l.vae.SetTotalSteps(l.first())
	} else {
		l.sharp.plan(steps - l.coder)
	}
}

// Step implements models.Learner.
func (l *Learner) Step(ctx context.Context, x models.Batch, rng *rand.Rand) (models.Losses, error) {
	if l.sharp == nil && l.planned > 0 && l.coder >= max(l.first(), 1) {
		if err := l.sharpen(); err != nil {
			return nil, err
		}
	}
	if l.sharp != nil {
		losses, err := l.sharp.step(ctx, x, rng)
		if err != nil {
			return nil, fmt.Errorf("vaegan: %w", err)
		}
		return losses, nil
	}
	losses, err := l.vae.Step(ctx, x, rng)
	if err != nil {
		return nil, fmt.Errorf("vaegan: %w", err)
	}
	if _, bad := losses.NonFinite(); !bad {
		l.coder++
	}
	return losses, nil
}

// sharpen begins the second part.
func (l *Learner) sharpen() error {
	s, err := newSharpener(l.config, l.fe, l.labels, l.seed, l.vae.Average())
	if err != nil {
		return fmt.Errorf("vaegan: %w", err)
	}
	l.sharp = s
	if l.slow > 0 {
		s.slow(l.slow)
	}
	s.plan(l.planned - l.coder)
	return nil
}

// ScaleLR implements models.LRScaler.
func (l *Learner) ScaleLR(factor float64) {
	l.slow = factor
	l.vae.ScaleLR(factor)
	if l.sharp != nil {
		l.sharp.slow(factor)
	}
}

// LearningRate implements models.LearningRater.
func (l *Learner) LearningRate() float64 {
	if l.sharp != nil {
		return l.sharp.decoder.LearningRate()
	}
	return l.vae.LearningRate()
}

// Eval implements models.Learner. The losses are the autoencoder's, in the second part with the sharpened decoder.
func (l *Learner) Eval(ctx context.Context, x models.Batch) (models.Losses, error) {
	if l.sharp != nil {
		losses, err := l.sharp.eval(ctx, x)
		if err != nil {
			return nil, fmt.Errorf("vaegan: %w", err)
		}
		return losses, nil
	}
	losses, err := l.vae.Eval(ctx, x)
	if err != nil {
		return nil, fmt.Errorf("vaegan: %w", err)
	}
	return losses, nil
}

// Calibrate implements models.Learner: it fits the prior on the latents of the training clips.
func (l *Learner) Calibrate(ctx context.Context, train models.Batch) error {
	if err := l.vae.Calibrate(ctx, train); err != nil {
		return fmt.Errorf("vaegan: %w", err)
	}
	return nil
}

// Checkpoint implements models.Learner.
func (l *Learner) Checkpoint() (models.Checkpoint, error) {
	c, err := l.vae.Checkpoint()
	if err != nil {
		return models.Checkpoint{}, fmt.Errorf("vaegan: %w", err)
	}
	if c.Config, err = json.Marshal(l.config); err != nil {
		return models.Checkpoint{}, fmt.Errorf("vaegan: %w", err)
	}
	c.Arch, c.Planned, c.Step = Arch, l.planned, l.coder
	if l.sharp == nil {
		return c, nil
	}
	c.Step += l.sharp.decoder.Steps()
	c.Tensors = append(renamed(c.Tensors, prefixModel, prefixCoder), l.sharp.tensors()...)
	return c, nil
}

// renamed returns tensors with the prefix from replaced by to.
func renamed(tensors []models.Tensor, from, to string) []models.Tensor {
	out := slices.Clone(tensors)
	for i, t := range out {
		if name, ok := strings.CutPrefix(t.Name, from); ok {
			out[i].Name = to + name
		}
	}
	return out
}

// coderCheckpoint is c as a checkpoint of the autoencoder.
func coderCheckpoint(c models.Checkpoint) (models.Checkpoint, Config, error) {
	if c.Arch != Arch {
		return c, Config{}, fmt.Errorf("vaegan: the checkpoint is of architecture %q", c.Arch)
	}
	config, err := ParseConfig(c.Config)
	if err != nil {
		return c, config, err
	}
	c.Arch = vae.Arch
	if c.Config, err = json.Marshal(config.VAE); err != nil {
		return c, config, fmt.Errorf("vaegan: %w", err)
	}
	return c, config, nil
}

// Restore implements models.Learner.
func (l *Learner) Restore(c models.Checkpoint) error {
	v, config, err := coderCheckpoint(c)
	if err != nil {
		return err
	}
	if config != l.config || c.FrontEnd != l.fe || len(c.Labels) != len(l.labels) {
		return errors.New("vaegan: the checkpoint is of a model with another configuration, front end or labels")
	}
	_, err = c.Tensor(tensorCount)
	second := err == nil
	if second { // the model's are the sharpened ones
		v.Tensors = renamed(renamed(v.Tensors, prefixModel, "sharpened/"), prefixCoder, prefixModel)
	}
	if err := l.vae.Restore(v); err != nil {
		return fmt.Errorf("vaegan: %w", err)
	}
	l.planned, l.coder, l.sharp, l.seed = c.Planned, c.Step, nil, c.Seed
	if !second {
		l.vae.SetTotalSteps(l.first())
		return nil
	}
	if err := l.sharpen(); err != nil {
		return err
	}
	if err := l.sharp.restore(c); err != nil {
		return fmt.Errorf("vaegan: %w", err)
	}
	l.coder = c.Step - l.sharp.decoder.Steps()
	l.sharp.plan(l.planned - l.coder)
	return nil
}

// Open returns the generator of a checkpoint: the autoencoder's, with the sharpened decoder.
func Open(c models.Checkpoint) (models.Generator, error) {
	v, _, err := coderCheckpoint(c)
	if err != nil {
		return nil, err
	}
	return vae.Open(v)
}
