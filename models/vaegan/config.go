package vaegan

import (
	"encoding/json"

	"wavemill/models/gan"
	"wavemill/models/internal/config"
	"wavemill/models/vae"
)

// Config is the JSON of a model and of its training. Fields left out keep their defaults.
type Config struct {
	// VAE is the autoencoder, which is trained in the first phase.
	VAE vae.Config `json:"vae"`
	// Share is the share of the planned steps that the first phase takes. A step of the second phase takes about three
	// times as long; with a budget of time, Share is about the share of the time.
	Share float64 `json:"share"`
	// Channels of the discriminator's first convolution; each of the four doubles them.
	Channels int `json:"discriminator_channels"`
	// Stddev is the group size of the discriminator's minibatch standard deviation; 0 leaves it out.
	Stddev int `json:"minibatch_stddev"`
	// Learning rates of Adam for the decoder and the discriminator, and the share of them at the end of the cosine.
	DecoderRate       float64 `json:"decoder_rate"`
	DiscriminatorRate float64 `json:"discriminator_rate"`
	FinalRate         float64 `json:"final_rate"`
	// Weights of the decoder's losses: the discriminator's score, the distance of its activations between a clip and its
	// reconstruction (feature matching), and the distance between the clips themselves.
	Adversarial float64 `json:"adversarial"`
	Matching    float64 `json:"feature_matching"`
	L1          float64 `json:"l1"`
	// Average is the decay per step of the exponential mean of the decoder's weights. The mean generates.
	Average float64 `json:"average"`
	// Augment is applied to the discriminator's input.
	Augment gan.Augment `json:"augment"`
}

// Defaults are a model and a training that suit clips of a second on a laptop. The measurements are in
// docs/experiments.md, section "Architecture defaults".
func Defaults() Config {
	autoencoder := vae.Defaults()
	autoencoder.ResidualNoise = 0.5 // the lowest Fréchet distance; a fine-tuned decoder is less smooth
	autoencoder.KLWeight = 1        // latents keep more of a recording, which makes better training data for classifiers
	return Config{
		VAE:               autoencoder,
		Share:             0.75,                                                          // more steps of the second phase raise the Fréchet distance
		Channels:          24,                                                            // as wide as the GAN's
		Stddev:            8,                                                             // as in the GAN
		DecoderRate:       2e-4,                                                          // as the GAN's generator
		DiscriminatorRate: 4e-4,                                                          // not compared
		FinalRate:         0.05,                                                          // not compared
		Adversarial:       1,                                                             // a comparison of loss weights on spoken digits; see docs/experiments.md
		Matching:          5,                                                             // the same comparison
		L1:                2,                                                             // the same comparison
		Average:           0.999,                                                         // the mean of about 1,000 steps
		Augment:           gan.Augment{Frames: 6, Bins: 2, Cutout: 0.25, Contrast: 0.05}, // not compared
	}
}

// ParseConfig reads JSON over the defaults. Nil or empty means the defaults; an unknown field is an error.
func ParseConfig(text json.RawMessage) (Config, error) { return config.Parse(Arch, text, Defaults()) }

// Validate reports everything that is wrong with c.
func (c Config) Validate() error {
	check := config.Check{Prefix: "vaegan: config: "}
	check.Add(c.VAE.Validate())
	check.Within("share", c.Share, 0.01, 1)
	check.Within("discriminator_channels", float64(c.Channels), 1, 256)
	check.Within("minibatch_stddev", float64(c.Stddev), 0, 64)
	check.Within("decoder_rate", c.DecoderRate, 1e-9, 1)
	check.Within("discriminator_rate", c.DiscriminatorRate, 1e-9, 1)
	check.Within("final_rate", c.FinalRate, 0, 1)
	check.Within("adversarial", c.Adversarial, 0, 1000)
	check.Within("feature_matching", c.Matching, 0, 1000)
	check.Within("l1", c.L1, 0, 1000)
	check.Within("average", c.Average, 0, 0.99999)
	check.Add(c.Augment.Validate("vaegan: config: augment"))
	return check.Err()
}

// HasLabelSets reports whether labels are sets.
func (c Config) HasLabelSets() bool { return c.VAE.LabelSets }
