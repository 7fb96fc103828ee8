package vaegan

import (
	"encoding/json"

	"wavemill/models"
	"wavemill/models/internal/state"
	"wavemill/models/vae"
)

// Prefixes of tensors in a checkpoint; the autoencoder's own are as in package vae.
const (
	prefixModel         = "model/"                          // the averaged weights, which generate
	prefixDiscriminator = "discriminator/"                  // the discriminator's weights
	prefixCoder         = models.OptimizerPrefix + "coder/" // the averaged autoencoder as the first phase left it
	prefixWeights       = models.OptimizerPrefix + "sharp/weights/"
	prefixAdam          = models.OptimizerPrefix + "sharp/adam/"
	prefixAdamD         = models.OptimizerPrefix + "discriminator/adam/"
)

// Checkpoint implements models.Learner.
func (l *Learner) Checkpoint() (models.Checkpoint, error) {
	c, err := l.vae.Checkpoint()
	if err != nil {
		return models.Checkpoint{}, wrap(err)
	}
	if c.Config, err = json.Marshal(l.header.Config); err != nil {
		return models.Checkpoint{}, wrap(err)
	}
	c.Arch, c.Planned, c.Step = Arch, l.planned, l.first
	if l.second == nil {
		return c, nil
	}
	c.Step += l.second.Decoder.Adam.Steps()
	c.Tensors = append(state.Renamed(c.Tensors, prefixModel, prefixCoder), l.second.tensors()...)
	return c, nil
}

// Restore implements models.Learner.
func (l *Learner) Restore(c models.Checkpoint) error {
	h, err := l.header.ReadMatching(ParseConfig, c)
	if err != nil {
		return err
	}
	v, err := autoencoder(c, h.Config)
	if err != nil {
		return err
	}
	second := state.Has(c.Tensors, tensorCount)
	if second { // the model's weights are the fine-tuned ones
		v.Tensors = state.Renamed(state.Renamed(v.Tensors, prefixModel, "sharpened/"), prefixCoder, prefixModel)
	}
	if err := l.vae.Restore(v); err != nil {
		return wrap(err)
	}
	l.planned, l.first, l.second, l.header.Seed = c.Planned, c.Step, nil, c.Seed
	if !second {
		l.vae.SetTotalSteps(l.firstPhase())
		return nil
	}
	if err := l.beginSecondPhase(); err != nil {
		return err
	}
	if err := l.second.restore(c); err != nil {
		return wrap(err)
	}
	l.first = c.Step - l.second.Decoder.Adam.Steps()
	l.second.SetTotalSteps(l.planned - l.first)
	return nil
}

// autoencoder returns c as a checkpoint of package vae.
func autoencoder(c models.Checkpoint, config Config) (models.Checkpoint, error) {
	text, err := json.Marshal(config.VAE)
	c.Arch, c.Config = vae.Arch, text
	return c, wrap(err)
}

// readAutoencoder returns the configuration of a checkpoint, and c as a checkpoint of package vae.
func readAutoencoder(c models.Checkpoint) (Config, models.Checkpoint, error) {
	h, err := state.Read(Arch, ParseConfig, c)
	if err != nil {
		return h.Config, c, err
	}
	v, err := autoencoder(c, h.Config)
	return h.Config, v, err
}
