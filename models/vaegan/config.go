package vaegan

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"

	"wavemill/models/gan"
	"wavemill/models/vae"
)

// Config is the JSON of a model and of its training. Fields left out keep their defaults.
type Config struct {
	// VAE is the autoencoder, which the first part of the steps trains.
	VAE vae.Config `json:"vae"`
	// Share is the part of the planned steps that trains the autoencoder alone. With a budget of time it is the share
	// of the time, about: a step of the second part takes three times as long.
	Share float64 `json:"share"`
	// Channels of the discriminator's first convolution; each of the four doubles them.
	Channels int `json:"discriminator_channels"`
	// Stddev shows the discriminator how much its batch varies, in groups of so many clips; 0 does not.
	Stddev int `json:"minibatch_stddev"`
	// Rates of Adam for the decoder and the discriminator, and the share of them that is left at the end of the cosine.
	DecoderRate       float64 `json:"decoder_rate"`
	DiscriminatorRate float64 `json:"discriminator_rate"`
	FinalRate         float64 `json:"final_rate"`
	// Weights of the decoder's losses: the discriminator's opinion, the distance of its activations between a clip and
	// its reconstruction (feature matching), and the distance between the clips themselves.
	Adversarial float64 `json:"adversarial"`
	Matching    float64 `json:"feature_matching"`
	L1          float64 `json:"l1"`
	// Average is the decay per step of the mean of the decoder's weights, which is what generates.
	Average float64 `json:"average"`
	// Augment is what the discriminator's clips go through.
	Augment gan.Augment `json:"augment"`
}

// Defaults are a model and a training that suit clips of a second on a laptop. The weights of the losses are those of
// a comparison on spoken digits; see docs/quality.md.
func Defaults() Config {
	autoencoder := vae.Defaults()
	autoencoder.Texture = 0.5 // a sharpened decoder lacks less
	autoencoder.KLWeight = 1  // latents that say more of a recording, from which classifiers learn more
	return Config{
		VAE: autoencoder, Share: 0.75, Channels: 24, Stddev: 8,
		DecoderRate: 2e-4, DiscriminatorRate: 4e-4, FinalRate: 0.05, Adversarial: 1, Matching: 5, L1: 2, Average: 0.999,
		Augment: gan.Augment{Frames: 6, Bins: 2, Cutout: 0.25, Contrast: 0.05},
	}
}

// ParseConfig reads JSON over the defaults. Nil or empty means the defaults; an unknown field is an error.
func ParseConfig(text json.RawMessage) (Config, error) {
	c := Defaults()
	if len(text) > 0 {
		d := json.NewDecoder(bytes.NewReader(text))
		d.DisallowUnknownFields()
		if err := d.Decode(&c); err != nil {
			return c, fmt.Errorf("vaegan: config: %w", err)
		}
	}
	return c, c.Validate()
}

// Validate reports everything that is wrong with c.
func (c Config) Validate() error {
	errs := []error{c.VAE.Validate()}
	within := func(name string, v, lo, hi float64) {
		if !(v >= lo && v <= hi) {
			errs = append(errs, fmt.Errorf("vaegan: config: %s: %g is not between %g and %g", name, v, lo, hi))
		}
	}
	within("share", c.Share, 0.01, 1)
	within("discriminator_channels", float64(c.Channels), 1, 256)
	within("minibatch_stddev", float64(c.Stddev), 0, 64)
	within("decoder_rate", c.DecoderRate, 1e-9, 1)
	within("discriminator_rate", c.DiscriminatorRate, 1e-9, 1)
	within("final_rate", c.FinalRate, 0, 1)
	within("adversarial", c.Adversarial, 0, 1000)
	within("feature_matching", c.Matching, 0, 1000)
	within("l1", c.L1, 0, 1000)
	within("average", c.Average, 0, 0.99999)
	errs = append(errs, c.Augment.Validate("vaegan: config: augment"))
	return errors.Join(errs...)
}
