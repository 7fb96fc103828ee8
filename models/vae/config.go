package vae

import (
	"cmp"
	"encoding/json"
	"slices"

	"wavemill/models/internal/config"
)

// Priors from which latents can be drawn.
const (
	PriorNormal        = "normal"         // N(0, I), as the KL term promises; the same for all labels
	PriorClassGaussian = "class-gaussian" // a Gaussian per label, fitted on the latents of its training clips
	PriorGMM           = "gmm"            // a mixture of Gaussians per label
	PriorKDE           = "kde"            // a kernel density per label: a Gaussian around each training clip's latents
	PriorFlow          = "flow"           // a rectified flow from N(0, I) to the latents, given the label; see Flow
	PriorManifold      = "manifold"       // between a training clip and two of its neighbours, with a little noise
)

// Config is the JSON of a model and of its training. Fields left out keep their defaults.
type Config struct {
	// Channels of the encoder's first convolution; each of the four doubles them, and the decoder mirrors them.
	Channels int `json:"channels"`
	// Latent is Z, the number of latent variables.
	Latent int `json:"latent"`
	// Embedding is the width of a label's vector.
	Embedding int `json:"embedding"`
	// LabelSets says that labels are sets of labels joined by "+", such as "bass+pluck". The vector of a set is the mean of
	// those of its labels.
	LabelSets bool `json:"label_sets,omitempty"`
	// Prior is the distribution of the latents of generated clips: one of the Prior constants. Neither N(0, I) nor one
	// Gaussian per label fits the latents of recordings; draws from regions without recordings decode to noise.
	Prior string `json:"prior"`
	// Bandwidth of the kernel density, and of the noise around the manifold, as a share of the label's standard deviation.
	// As it approaches 0, the kernel density repeats the training clips; at 1 it is the class Gaussian. At 0.3, with
	// residual noise, clips of spoken digits are about as far from the nearest training clip as new recordings are; see
	// docs/experiments.md.
	Bandwidth float64 `json:"bandwidth"`
	// Neighbours is the largest number of nearest clips of the same label that the manifold interpolates towards. It is
	// also limited to a twelfth of the label's clips, so that neighbours are of one kind, such as one speaker.
	Neighbours int `json:"neighbours"`
	// Components is the largest number of Gaussians in each label's mixture.
	Components int `json:"components"`
	// Temperature scales the noise of the prior in requests that leave it 0.
	Temperature float64 `json:"temperature"`
	// ResidualNoise scales the noise that is added to decoded spectrograms; 0 adds none. The decoder returns the mean of
	// a distribution, which is smoother than a recording.
	ResidualNoise float64 `json:"texture"`
	// KLWeight is the final weight of the KL term, the beta of a beta-VAE. 1 is the evidence lower bound, which treats the
	// values of a spectrogram as independent. Neighbouring values are not, so that at 1 the posteriors hardly overlap.
	// Package vaegan has a default of its own for its VAE.
	KLWeight float64 `json:"kl_weight"`
	// WarmUp is the share of the planned steps over which the KL weight rises from 0, so that the decoder learns to use
	// the latents before the KL term shrinks them.
	WarmUp float64 `json:"warm_up"`
	// FreeBits is the KL divergence, in nats, that each latent variable may have without a loss.
	FreeBits float64 `json:"free_bits"`
	// Rate and FinalRate are the learning rates at the beginning and the end of a cosine.
	Rate      float64 `json:"learning_rate"`
	FinalRate float64 `json:"final_learning_rate"`
	// WeightDecay is AdamW's.
	WeightDecay float64 `json:"weight_decay"`
	// ClipNorm is the largest norm of a step's gradient.
	ClipNorm float64 `json:"clip_norm"`
	// Average is the decay per step of the exponential mean of the weights. The mean evaluates and generates.
	Average float64 `json:"average"`
	// Shift is the largest number of frames by which a training clip is delayed at random.
	Shift int `json:"shift"`
	// Vary is the strength of random changes of pace, formants and tilt of the training clips, also of those that the
	// prior is fitted on; 0, the default, makes none. With a few clips per label, 1 prevents overfitting; with hundreds,
	// it makes generated clips less similar to recordings.
	Vary float64 `json:"vary,omitempty"`
	// Dropout is the probability with which a value of the encoder's last feature map is dropped before the dense layer
	// of the posterior, in training; 0, the default, drops none. That layer holds most of the encoder's weights and
	// overfits to few clips: dropout keeps the posteriors of unseen clips near those of training clips (Shu et al. 2018,
	// amortised inference regularisation). Latents are not dropped, because they have noise already, nor values before a
	// batch norm, whose statistics would differ between training and use (Li et al. 2019).
	Dropout float64 `json:"dropout,omitempty"`
	// LatentScale multiplies the latents at the decoder's input, which equals a prior N(0, s² I) there; 0, the default,
	// is 1. It does not change what can be learned. A larger one gives the latents more influence in the first steps
	// relative to the label's embedding, of deviation 1. Latents that are encoded, drawn or written are not scaled.
	LatentScale float64 `json:"latent_scale,omitempty"`
	// Unconditional leaves the labels out of the decoder and the prior. A request's labels then have no effect.
	Unconditional bool `json:"unconditional,omitempty"`
	// Encoders is K, the number of experts whose mixture is the posterior; 0, the default, and 1 are the plain VAE. They
	// share the convolutions, so each adds only a dense layer (a sixth of the default model's 818,000 parameters), but a
	// step decodes K times: it takes 1.7 times as long with two and 3.7 times with four. Generating costs the same. See
	// mixtureELBO.
	Encoders int `json:"encoders,omitempty"`
	// Decoders is the number of last blocks of the decoder, mixed by a gate that sees latents and label; 0, the default,
	// and 1 have one and no gate. Each adds 3,250 parameters to the default model; a step takes 1.2 times as long with
	// two and 1.5 times with four.
	Decoders int `json:"decoders,omitempty"`
	// Flow configures PriorFlow; other priors ignore it.
	Flow Flow `json:"flow,omitzero"`
}

// Flow configures the prior PriorFlow. Fields that are 0 take their defaults, which suit latents of a few dozen variables:
// the network has 156,000 parameters and takes a few per cent of the time of a step. It needs 2,000 training steps or more;
// with fewer, the other priors, which are fitted when training ends, are better.
type Flow struct {
	// Width of the three hidden layers; the default is 256.
	Width int `json:"width,omitempty"`
	// Steps is the number of Heun steps from noise to latents, two evaluations each; the default is 16, beyond which
	// samples hardly change.
	Steps int `json:"steps,omitempty"`
	// Rate is Adam's learning rate at the beginning of the cosine, which ends at a hundredth of it; the default is 5e-3.
	Rate float64 `json:"learning_rate,omitempty"`
	// Average is the decay per step of the mean of the weights, which is what generates; the default is 0.998.
	Average float64 `json:"average,omitempty"`
}

// withDefaults returns f with the defaults for the fields that are 0.
func (f Flow) withDefaults() Flow {
	d := Flow{Width: 256, Steps: 16, Rate: 5e-3, Average: 0.998}
	return Flow{cmp.Or(f.Width, d.Width), cmp.Or(f.Steps, d.Steps), cmp.Or(f.Rate, d.Rate), cmp.Or(f.Average, d.Average)}
}

// Defaults are a model and a training that suit clips of a second on a laptop. The measurements are in
// docs/experiments.md, section "Architecture defaults".
func Defaults() Config {
	return Config{
		Channels:      16,            // for budgets of minutes; SearchSize narrows or widens it
		Latent:        64,            // with KLWeight 2, a lower reconstruction error than 32 with 4
		Embedding:     16,            // not compared
		Prior:         PriorManifold, // a higher inception score than a kernel density at equal accuracy
		Bandwidth:     0.3,           // generated clips are as far from training clips as new recordings are
		Neighbours:    16,            // few enough to be of one speaker
		Components:    6,             // the speakers of the data set that was measured
		Temperature:   1,             // the noise that the prior was fitted with
		ResidualNoise: 0.75,          // the lowest Fréchet distance at this bandwidth
		KLWeight:      2,             // see Latent
		WarmUp:        0.2,           // not compared
		Rate:          2e-3,          // not compared
		FinalRate:     2e-5,          // a hundredth of Rate
		WeightDecay:   1e-4,          // not compared
		ClipNorm:      100,           // limits outliers only
		Average:       0.995,         // the mean of about 200 steps
		Shift:         5,             // not compared
	}
}

// ParseConfig reads JSON over the defaults. Nil or empty means the defaults; an unknown field is an error.
func ParseConfig(text json.RawMessage) (Config, error) { return config.Parse(Arch, text, Defaults()) }

// Validate reports everything that is wrong with c.
func (c Config) Validate() error {
	check := config.Check{Prefix: "vae: config: "}
	check.Within("channels", float64(c.Channels), 1, 256)
	check.Within("latent", float64(c.Latent), 1, 1024)
	check.Within("embedding", float64(c.Embedding), 1, 1024)
	check.Within("temperature", c.Temperature, 0, 10)
	check.Within("bandwidth", c.Bandwidth, 0.01, 1)
	check.Within("neighbours", float64(c.Neighbours), 1, 1000)
	check.Within("components", float64(c.Components), 1, 1000)
	check.Within("texture", c.ResidualNoise, 0, 10)
	check.Within("kl_weight", c.KLWeight, 0, 1000)
	check.Within("warm_up", c.WarmUp, 0, 1)
	check.Within("free_bits", c.FreeBits, 0, 100)
	check.Within("learning_rate", c.Rate, 1e-9, 1)
	check.Within("final_learning_rate", c.FinalRate, 0, c.Rate)
	check.Within("weight_decay", c.WeightDecay, 0, 1)
	check.Within("clip_norm", c.ClipNorm, 0, 1e9)
	check.Within("average", c.Average, 0, 0.99999)
	check.Within("vary", c.Vary, 0, 3)
	check.Within("shift", float64(c.Shift), 0, 1024)
	check.Within("dropout", c.Dropout, 0, 0.95)
	check.Within("latent_scale", c.LatentScale, 0, 100)
	check.Within("encoders", float64(c.Encoders), 0, 16)
	check.Within("decoders", float64(c.Decoders), 0, 16)
	check.Within("flow: width", float64(c.Flow.Width), 0, 4096)
	check.Within("flow: steps", float64(c.Flow.Steps), 0, 1000)
	check.Within("flow: learning_rate", c.Flow.Rate, 0, 1)
	check.Within("flow: average", c.Flow.Average, 0, 0.99999)
	if c.Encoders > 1 && c.FreeBits > 0 {
		check.Notef("free_bits: not with several encoders, whose divergence is weighted clip by clip; set one of the two to 0")
	}
	priors := []string{PriorNormal, PriorClassGaussian, PriorGMM, PriorKDE, PriorManifold, PriorFlow}
	if !slices.Contains(priors, c.Prior) {
		check.Notef("prior: %q is not one of %q", c.Prior, priors)
	}
	return check.Err()
}

// HasLabelSets reports whether labels are sets.
func (c Config) HasLabelSets() bool { return c.LabelSets }
