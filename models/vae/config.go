package vae

import (
	"bytes"
	"cmp"
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
	// Prior is what clips are drawn from: one of the Prior constants. The latents of recordings fill N(0, I) unevenly,
	// and a label's latents a single Gaussian: what is drawn from their holes sounds like nothing.
	Prior string `json:"prior"`
	// Bandwidth of the kernel density, and of the noise around the manifold, as a share of the label's own deviation:
	// towards 0 the kernel density repeats the training clips, at 1 it is the class Gaussian. At 0.3 and with the texture,
	// clips of spoken digits are about as far from the nearest training clip as fresh recordings are; see docs/quality.md.
	Bandwidth float64 `json:"bandwidth"`
	// Neighbours is how many of a label's clips count as near to one of them, at most, for the manifold: few enough to
	// be of one kind (a speaker, say), which a label with few clips takes a twelfth of them for.
	Neighbours int `json:"neighbours"`
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
	// Vary is the strength of random changes of pace, formants and tilt that training clips go through, and with it the
	// prior; 0, the default, makes none. Where a label has a few clips only, 1 keeps the model from knowing nothing else;
	// where there are hundreds, it costs likeness.
	Vary float64 `json:"vary,omitempty"`
	// Dropout is the probability with which a value of the encoder's last feature map is dropped before the dense layer
	// of the posterior, in training; 0, the default, drops none. That layer holds most of the encoder's weights, and few
	// clips are learned by heart there: dropout then keeps the posteriors of unseen clips near those of seen ones (Shu et
	// al. 2018, amortised inference regularisation). Latents are not dropped, which have noise of their own, nor anything
	// before a batch norm, whose statistics dropout would shift between training and use (Li et al. 2019).
	Dropout float64 `json:"dropout,omitempty"`
	// LatentScale multiplies the latents on their way into the decoder, which is the same as a prior N(0, s² I) there; 0,
	// the default, is 1. What can be learned is the same; a larger one makes the decoder listen more to the latents than
	// to the label's embedding, of deviation 1, from the first step on, a smaller one less. Latents that are encoded,
	// drawn or written are not scaled.
	LatentScale float64 `json:"latent_scale,omitempty"`
	// Unconditional leaves the labels out of the decoder and the prior. Clips of any label are then asked for and made
	// alike.
	Unconditional bool `json:"unconditional,omitempty"`
	// Encoders is K, the number of experts whose mixture is the posterior; 0, the default, and 1 are the plain VAE. They
	// share the convolutions, so each adds only a dense layer (a sixth of the default model's 818,000 parameters), but a
	// step decodes K times: it takes 1.7 times as long with two and 3.7 times with four. Generating costs the same. See
	// mixtureBound.
	Encoders int `json:"encoders,omitempty"`
	// Decoders is the number of last blocks of the decoder, mixed by a gate that sees latents and label; 0, the default,
	// and 1 have one and no gate. Each adds 3,250 parameters to the default model; a step takes 1.2 times as long with
	// two and 1.5 times with four.
	Decoders int `json:"decoders,omitempty"`
	// Flow is about PriorFlow only.
	Flow Flow `json:"flow,omitzero"`
}

// Flow is how the prior of that name is built and learned. Fields that are 0 have their defaults, which suit latents of a
// few dozen variables: it has 156,000 parameters then, and learning it takes a few hundredths of the time of a step. It
// wants two thousand steps or more; the other priors, which are fitted when training ends, are better before.
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

// Defaults are a model and a training that suit clips of a second on a laptop.
func Defaults() Config {
	return Config{
		Channels: 16, Latent: 64, Embedding: 16, Prior: PriorManifold, Bandwidth: 0.3, Neighbours: 16, Components: 6, Temperature: 1, Texture: 0.75,
		KLWeight: 2, WarmUp: 0.2, Rate: 2e-3, FinalRate: 2e-5, WeightDecay: 1e-4, ClipNorm: 100, Average: 0.995, Shift: 5,
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
	within("neighbours", float64(c.Neighbours), 1, 1000)
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
	within("vary", c.Vary, 0, 3)
	within("shift", float64(c.Shift), 0, 1024)
	within("dropout", c.Dropout, 0, 0.95)
	within("latent_scale", c.LatentScale, 0, 100)
	within("encoders", float64(c.Encoders), 0, 16)
	within("decoders", float64(c.Decoders), 0, 16)
	within("flow: width", float64(c.Flow.Width), 0, 4096)
	within("flow: steps", float64(c.Flow.Steps), 0, 1000)
	within("flow: learning_rate", c.Flow.Rate, 0, 1)
	within("flow: average", c.Flow.Average, 0, 0.99999)
	if c.Encoders > 1 && c.FreeBits > 0 {
		errs = append(errs, errors.New("vae: config: free_bits: not with several encoders, whose divergence is weighed clip by clip; set one of the two to 0"))
	}
	priors := []string{PriorNormal, PriorClassGaussian, PriorGMM, PriorKDE, PriorManifold, PriorFlow}
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
