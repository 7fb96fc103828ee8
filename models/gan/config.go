package gan

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"math"
	"slices"

	"wavemill/models"
)

// Losses of the two players.
const (
	LossHinge = "hinge" // Lim and Ye 2017; needs no tuning under spectral normalisation
	LossBCE   = "bce"   // the non-saturating loss of Goodfellow et al. 2014
	LossLSGAN = "lsgan" // least squares, Mao et al. 2017
	LossWGAN  = "wgan"  // the critic of Arjovsky et al. 2017; give it a penalty

	// Relativistic losses compare: is a real clip more real than a made one?
	LossRaHinge = "rahinge" // than the mean of the made ones, and the other way round, Jolicoeur-Martineau 2019
	LossPaired  = "paired"  // than one of the same label, Jolicoeur-Martineau 2020; Huang et al. 2024; give it a penalty
)

var losses = []string{LossHinge, LossBCE, LossLSGAN, LossWGAN, LossRaHinge, LossPaired}

// relativistic reports whether the generator's loss needs real clips too.
func relativistic(loss string) bool { return loss == LossRaHinge || loss == LossPaired }

// Config is the JSON of a model and of its training. Fields left out keep their defaults.
type Config struct {
	// Channels of the discriminator's first convolution; each of the four doubles them, and the generator mirrors them in
	// its share.
	Channels int `json:"channels"`
	// GeneratorShare is how many channels the generator has to each of the discriminator's, in multiples of 4; 0 means
	// as many.
	GeneratorShare float64 `json:"generator_share,omitempty"`
	// Taper halves the channels of the generator's last block, which costs twice as much as any other.
	Taper bool `json:"taper,omitempty"`
	// Minibatch is how many clips an update learns from: a batch is cut into so large pieces, and each updates both
	// players; 0 takes the batch whole.
	Minibatch int `json:"minibatch,omitempty"`
	// Latent is Z, the number of latent variables, drawn from N(0, I).
	Latent int `json:"latent"`
	// Embedding is the width of a label's vector.
	Embedding int `json:"embedding"`
	// Modes is into how many kinds the recordings of each label are sorted before training, at most; 0 or 1 does not.
	// Both players are told of them, so that the generator makes as many clips of each kind as there are recordings,
	// where it would forget some. More than eight help less with spoken digits: a kind then has few recordings.
	Modes int `json:"modes,omitempty"`
	// Correct takes from made clips what fine structure all clips of a label have in common and its recordings have not; see
	// correction. It changes nothing that is learnt.
	Correct bool `json:"correct,omitempty"`
	// Unconditional leaves the labels, and their modes, out of both networks. Clips of any label are then asked for and
	// made alike.
	Unconditional bool `json:"unconditional,omitempty"`
	// Temperature scales the latent noise where a request does not say.
	Temperature float64 `json:"temperature"`
	// Loss is one of the constants LossHinge to LossPaired.
	Loss string `json:"loss"`
	// SpectralNorm divides the discriminator's weights by their largest singular value.
	SpectralNorm bool `json:"spectral_norm"`
	// Gain multiplies the discriminator's scores; 0 means 1. Six layers of norm at most 1, each halved by its activation,
	// leave scores of a hundredth: the margin of a hinge is then never reached, and every clip counts alike. It must be
	// 1 where nothing normalises.
	Gain float64 `json:"gain,omitempty"`
	// Auxiliary weighs the loss of a second head of the discriminator, which names the label (AC-GAN, Odena et al.
	// 2017). The discriminator learns to name real clips, the generator to make clips that are named right. 0: no head.
	Auxiliary float64 `json:"auxiliary,omitempty"`
	// AuxiliaryFinal is the share of Auxiliary that is left to the generator from half of the planned steps on, until
	// when it falls evenly; 0 means 1, all of it. The head teaches the labels quickly, but a generator that goes on
	// pleasing it makes clips that are named too easily: a classifier that learns from these is worse on recordings.
	AuxiliaryFinal float64 `json:"auxiliary_final,omitempty"`
	// NoProjection leaves the label out of the score, for a discriminator with the auxiliary head alone.
	NoProjection bool `json:"no_projection,omitempty"`
	// Stddev shows the discriminator how much its batch varies, in groups of so many clips; 0 does not. It punishes a
	// generator that makes one clip only. Groups are smaller where the batch does not divide.
	Stddev int `json:"minibatch_stddev"`
	// Penalty weighs the lazy gradient penalty on real clips (R1, Mescheder et al. 2018), a finite difference along random
	// directions, every PenaltyEvery updates.
	Penalty      float64 `json:"penalty"`
	PenaltyEvery int     `json:"penalty_every"`
	// Critic is the number of discriminator steps to each of the generator.
	Critic int `json:"critic_steps"`
	// Rates of Adam: TTUR (Heusel et al. 2017) lets the discriminator learn faster.
	GeneratorRate     float64 `json:"generator_rate"`
	DiscriminatorRate float64 `json:"discriminator_rate"`
	// FinalRate is the share of the rates that is left at the end of the cosine.
	FinalRate float64 `json:"final_rate"`
	// Average is the decay per update of the mean of the generator's weights, which is what evaluates and generates.
	Average float64 `json:"average"`
	// Augment is what both players' clips go through, so that a few thousand clips suffice.
	Augment Augment `json:"augment"`
}

// Defaults are a model and a training that suit clips of a second on a laptop.
//
// They were chosen on spoken digits (48 frames by 64 bins, one seed, 400 steps of 64 clips, each of two updates, which
// two cores make in less than half a minute), by label accuracy and by the Fréchet distance over that of fresh recordings:
//
//	minibatches of 32, a head of constant weight, temperature 1   .956   4.5
//	gain 1, no auxiliary head, rates 4e-4 and 4e-4,
//	  the generator as wide, batches whole, 1256 steps            .847   6.9 (and each step at 1.8 times the cost)
//	gain 16 and rates 4e-4 and 4e-4, no auxiliary head            .706   8.4
//	gain 16 and rates 2e-4 and 8e-4, no auxiliary head            .789   9.2
//	auxiliary head of weight 1                                    .925   6.6
//	generator's rate 4e-4                                         .882   5.1
//	both rates doubled                                            .930   5.7
//	discriminator's rate 1.6e-3                                   .899   7.2
//	bce under a gradient penalty, no spectral norm                .975   6.4
//	16 channels in both, 640 steps at the same cost               .940   4.4
//	minibatches of 16, at 1.05 times the cost                     .937   4.0
//
// After 700 steps the first gave .965 and 3.2; a temperature of 0.8 then gave .988 and 3.2, of 0.6 .997 and 4.6. So
// latents are drawn a little closer to their mean than in training, as Brock et al. 2019 do: fewer odd clips for hardly
// less variety. After 1,800 steps of 32 clips (one seed, temperature 0.85), with the accuracy on recordings of a
// classifier that learnt from the clips alone (from recordings .993):
//
//	a head of constant weight                                     .977   4.9   .54
//	a head that fades to a tenth                                  .976   4.4   .66
//	minibatches of 16, constant weight, 1.3 times the time        .995   4.0
//
// With both, that accuracy is .61 where labels have no modes, .78 with 5, .81 with 8 and .64 with 16: see docs/quality.md.
func Defaults() Config {
	return Config{
		Channels: 24, GeneratorShare: 2.0 / 3, Taper: true, Minibatch: 16, Latent: 64, Embedding: 32, Modes: 8, Temperature: 0.85, Correct: true,
		Loss: LossHinge, SpectralNorm: true, Gain: 16, Auxiliary: 0.5, AuxiliaryFinal: 0.1, Stddev: 8, PenaltyEvery: 8, Critic: 1,
		GeneratorRate: 2e-4, DiscriminatorRate: 8e-4, FinalRate: 0.05, Average: 0.999,
		Augment: Augment{Frames: 6, Bins: 2, Cutout: 0.25, Contrast: 0.05, Noise: 0.02},
	}
}

// ParseConfig reads JSON over the defaults. Nil or empty means the defaults; an unknown field is an error. A
// configuration that names all of the fields that are always written comes from a checkpoint: what it leaves out is
// left out of the model, whatever the defaults are now.
func ParseConfig(text json.RawMessage) (Config, error) {
	c := Defaults()
	if len(text) > 0 {
		if whole(text) {
			c = Config{}
		}
		d := json.NewDecoder(bytes.NewReader(text))
		d.DisallowUnknownFields()
		if err := d.Decode(&c); err != nil {
			return c, fmt.Errorf("gan: config: %w", err)
		}
	}
	return c, c.Validate()
}

// whole reports whether text names every field that is always written.
func whole(text json.RawMessage) bool {
	var named, always map[string]json.RawMessage
	zero, err := json.Marshal(Config{})
	if err != nil || json.Unmarshal(zero, &always) != nil || json.Unmarshal(text, &named) != nil {
		return false // the decoder says what is wrong
	}
	for field := range always {
		if named[field] == nil {
			return false
		}
	}
	return true
}

// Validate reports everything that is wrong with c.
func (c Config) Validate() error {
	var errs []error
	within := func(name string, v, lo, hi float64) {
		if !(v >= lo && v <= hi) {
			errs = append(errs, fmt.Errorf("gan: config: %s: %g is not between %g and %g", name, v, lo, hi))
		}
	}
	within("channels", float64(c.Channels), 1, 256)
	within("generator_share", c.GeneratorShare, 0, 8)
	within("minibatch", float64(c.Minibatch), 0, 4096)
	within("gain", c.Gain, 0, 1000)
	within("auxiliary", c.Auxiliary, 0, 1000)
	within("auxiliary_final", c.AuxiliaryFinal, 0, 1)
	within("latent", float64(c.Latent), 1, 1024)
	within("modes", float64(c.Modes), 0, 256)
	within("embedding", float64(c.Embedding), 1, 1024)
	within("temperature", c.Temperature, 1e-3, 10)
	within("minibatch_stddev", float64(c.Stddev), 0, 64)
	within("penalty", c.Penalty, 0, 1000)
	within("penalty_every", float64(c.PenaltyEvery), 1, 1000)
	within("critic_steps", float64(c.Critic), 1, 20)
	within("generator_rate", c.GeneratorRate, 1e-9, 1)
	within("discriminator_rate", c.DiscriminatorRate, 1e-9, 1)
	within("final_rate", c.FinalRate, 0, 1)
	within("average", c.Average, 0, 0.99999)
	errs = append(errs, c.Augment.Validate("gan: config: augment"))
	if !slices.Contains(losses, c.Loss) {
		errs = append(errs, fmt.Errorf("gan: config: loss: %q is not one of %q", c.Loss, losses))
	}
	return errors.Join(errs...)
}

// ModesOfLabel is how many modes each label has, at most; 0 where the networks are told of none, as without labels or
// without their projection.
func (c Config) ModesOfLabel() int {
	if c.Unconditional || c.NoProjection || c.Modes < 2 {
		return 0
	}
	return c.Modes
}

// corrects reports whether made clips are corrected, which takes labels.
func (c Config) corrects() bool { return c.Correct && !c.Unconditional }

// generatorChannels are those of the generator's block before the last.
func (c Config) generatorChannels() int {
	if c.GeneratorShare == 0 {
		return c.Channels
	}
	return max(1, int(math.Round(c.GeneratorShare*float64(c.Channels)/4))) * 4
}

// A shape is what a network of this architecture is built for.
type shape struct {
	frames, bins, labels int
}

// shapeOf checks that the front end and labels can be learned.
func shapeOf(fe models.FrontEnd, labels []string) (shape, error) {
	s := shape{fe.Frames, fe.Spectrogram.Bins(), len(labels)}
	if s.frames < 16 || s.bins < 16 || s.frames%16 != 0 || s.bins%16 != 0 {
		return s, fmt.Errorf("gan: spectrograms of %d frames by %d bins: both must be multiples of 16", s.frames, s.bins)
	}
	if s.labels < 1 {
		return s, errors.New("gan: no labels")
	}
	return s, nil
}
