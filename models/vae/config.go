package vae

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"slices"

	"wavemill/models"
)

// Priors from which latents can be drawn.
const (
	PriorNormal        = "normal"         // N(0, I), as the KL term promises; the same for all labels
	PriorClassGaussian = "class-gaussian" // a Gaussian per label, fitted on the latents of its training clips
	PriorGMM           = "gmm"            // a mixture of Gaussians per label
	PriorKDE           = "kde"            // a kernel density per label: a Gaussian around each training clip's latents
)

// Config is the JSON of a model and of its training. Fields left out keep their defaults.
type Config struct {
	// Channels of the encoder's first convolution; each of the four doubles them, and the decoder mirrors them.
	Channels int `json:"channels"`
	// Latent is Z, the number of latent variables.
	Latent int `json:"latent"`
	// Embedding is the width of a label's vector.
	Embedding int `json:"embedding"`
	// Prior is what clips are drawn from: one of the Prior constants. The latents of recordings fill N(0, I) unevenly,
	// and a label's latents a single Gaussian: what is drawn from their holes sounds like nothing.
	Prior string `json:"prior"`
	// Bandwidth of the kernel density, as a share of the label's own deviation: towards 0 it repeats the training clips,
	// 1 is the class Gaussian.
	Bandwidth float64 `json:"bandwidth"`
	// Components of each label's mixture of Gaussians, at most.
	Components int `json:"components"`
	// Temperature scales the noise of the prior where a request does not say.
	Temperature float64 `json:"temperature"`
	// Texture scales the roughness that is added to what the decoder makes; 0 adds none. Decoders make means, which are
	// smoother than recordings.
	Texture float64 `json:"texture"`
	// KLWeight is the final weight of the KL term, the beta of a beta-VAE. 1 is the evidence bound, which takes the
	// values of a spectrogram for independent; neighbours are not, and then the posteriors hardly overlap and leave holes.
	KLWeight float64 `json:"kl_weight"`
	// WarmUp is the share of the planned steps over which the KL weight rises from 0, so that the decoder learns to
	// listen to the latents first.
	WarmUp float64 `json:"warm_up"`
	// FreeBits is the KL divergence, in nats, that each latent variable has for nothing.
	FreeBits float64 `json:"free_bits"`
	// Rate and FinalRate are the learning rates at the beginning and the end of a cosine.
	Rate      float64 `json:"learning_rate"`
	FinalRate float64 `json:"final_learning_rate"`
	// WeightDecay is AdamW's.
	WeightDecay float64 `json:"weight_decay"`
	// ClipNorm is the largest norm of a step's gradient.
	ClipNorm float64 `json:"clip_norm"`
	// Average is the decay per step of the mean of the weights, which is what evaluates and generates.
	Average float64 `json:"average"`
	// Shift is the largest number of frames by which a training clip is delayed at random.
	Shift int `json:"shift"`
}

// Defaults are a model and a training that suit clips of a second on a laptop.
func Defaults() Config {
	return Config{
		Channels: 16, Latent: 32, Embedding: 16, Prior: PriorKDE, Bandwidth: 0.5, Components: 6, Temperature: 1, Texture: 0.5,
		KLWeight: 4, WarmUp: 0.2, Rate: 2e-3, FinalRate: 2e-5, WeightDecay: 1e-4, ClipNorm: 100, Average: 0.995, Shift: 5,
	}
}

// ParseConfig reads JSON over the defaults. Nil or empty means the defaults; an unknown field is an error.
func ParseConfig(text json.RawMessage) (Config, error) {
	c := Defaults()
	if len(text) > 0 {
		d := json.NewDecoder(bytes.NewReader(text))
		d.DisallowUnknownFields()
		if err := d.Decode(&c); err != nil {
			return c, fmt.Errorf("vae: config: %w", err)
		}
	}
	return c, c.Validate()
}

// Validate reports everything that is wrong with c.
func (c Config) Validate() error {
	var errs []error
	within := func(name string, v, lo, hi float64) {
		if !(v >= lo && v <= hi) {
			errs = append(errs, fmt.Errorf("vae: config: %s: %g is not between %g and %g", name, v, lo, hi))
		}
	}
	within("channels", float64(c.Channels), 1, 256)
	within("latent", float64(c.Latent), 1, 1024)
	within("embedding", float64(c.Embedding), 1, 1024)
	within("temperature", c.Temperature, 0, 10)
	within("bandwidth", c.Bandwidth, 0.01, 1)
	within("components", float64(c.Components), 1, 1000)
	within("texture", c.Texture, 0, 10)
	within("kl_weight", c.KLWeight, 0, 1000)
	within("warm_up", c.WarmUp, 0, 1)
	within("free_bits", c.FreeBits, 0, 100)
	within("learning_rate", c.Rate, 1e-9, 1)
	within("final_learning_rate", c.FinalRate, 0, c.Rate)
	within("weight_decay", c.WeightDecay, 0, 1)
	within("clip_norm", c.ClipNorm, 0, 1e9)
	within("average", c.Average, 0, 0.99999)
	within("shift", float64(c.Shift), 0, 1024)
	priors := []string{PriorNormal, PriorClassGaussian, PriorGMM, PriorKDE}
	if !slices.Contains(priors, c.Prior) {
		errs = append(errs, fmt.Errorf("vae: config: prior: %q is not one of %q", c.Prior, priors))
	}
	return errors.Join(errs...)
}

// A shape is what a network of this architecture is built for.
type shape struct {
	frames, bins, labels int
}

// shapeOf checks that the front end and labels can be learned.
func shapeOf(fe models.FrontEnd, labels []string) (shape, error) {
	s := shape{fe.Frames, fe.Spectrogram.Bins(), len(labels)}
	if s.frames < 16 || s.bins < 16 || s.frames%16 != 0 || s.bins%16 != 0 {
		return s, fmt.Errorf("vae: spectrograms of %d frames by %d bins: both must be multiples of 16", s.frames, s.bins)
	}
	if s.labels < 1 {
		return s, errors.New("vae: no labels")
	}
	return s, nil
}
