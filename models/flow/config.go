package flow

import (
	"encoding/json"
	"slices"

	"wavemill/models/gan"
	"wavemill/models/internal/config"
)

// Config is the JSON of a model and of its training. Fields left out keep their defaults.
type Config struct {
	// Channels of the encoder's first convolution; the decoder mirrors the encoder.
	Channels int `json:"channels"`
	// Latent is C, the number of latent variables of each place of the map [T/8, F/8, C].
	Latent int `json:"latent_channels"`
	// FlowChannels is the width of the network that predicts latents.
	FlowChannels int `json:"flow_channels"`
	// FlowUpdates is the number of updates of that network for each step of the training, each at times and noise of its
	// own.
	FlowUpdates int `json:"flow_updates"`
	// Embedding is the width of a label's vector.
	Embedding int `json:"embedding"`
	// LabelSets says that labels are sets of labels joined by "+", such as "bass+pluck". The vector of a set is the mean of
	// those of its labels.
	LabelSets bool `json:"label_sets,omitempty"`
	// Steps is the number of steps from noise to latents: 1, 2, 4, 8 or 16. Each evaluates the network once, or twice
	// with guidance.
	Steps int `json:"steps"`
	// Guidance is the weight of the prediction under the label against the one without: 1 is the prediction under the
	// label alone, and more makes clips more typical of their label and less diverse (Ho and Salimans 2022).
	Guidance float64 `json:"guidance"`
	// LabelDropout is the share of the examples from which the flow learns without their label.
	LabelDropout float64 `json:"label_dropout"`
	// Temperature scales the noise at time 0 in requests that leave it 0.
	Temperature float64 `json:"temperature"`
	// Share is the share of the planned steps that the first phase takes.
	Share float64 `json:"share"`
	// KLWeight is the final weight of the KL term of the autoencoder's loss, which keeps latents from carrying detail that
	// the flow would have to learn. WarmUp is the share of the first phase over which it rises from 0.
	KLWeight float64 `json:"kl_weight"`
	WarmUp   float64 `json:"warm_up"`
	// Learning rates of Adam at the beginning: of the autoencoder in the first phase, of the flow in both phases, and of
	// the decoder and the discriminator in the second. FinalRate is the share of them at the end of the cosine.
	CoderRate         float64 `json:"coder_rate"`
	FlowRate          float64 `json:"flow_rate"`
	DecoderRate       float64 `json:"decoder_rate"`
	DiscriminatorRate float64 `json:"discriminator_rate"`
	FinalRate         float64 `json:"final_rate"`
	// Average is the decay per step of the exponential means of the weights. The means evaluate and generate.
	Average float64 `json:"average"`
	// Shift is the largest number of frames by which a training clip is delayed at random. The flow is told the delay,
	// which is 0 in generation.
	Shift int `json:"shift"`
	// Vary is the strength of random changes of pace, formants and tilt of the training clips; 0, the default, makes none.
	Vary float64 `json:"vary,omitempty"`
	// DiscriminatorChannels is the width of the discriminator's first convolution; each of the four doubles it.
	DiscriminatorChannels int `json:"discriminator_channels"`
	// Stddev is the group size of the discriminator's minibatch standard deviation; 0 leaves it out.
	Stddev int `json:"minibatch_stddev"`
	// Weights of the decoder's losses in the second phase: the discriminator's score, the distance of its activations
	// between a clip and its reconstruction (feature matching), and the distance between the clips themselves.
	Adversarial float64 `json:"adversarial"`
	Matching    float64 `json:"feature_matching"`
	L1          float64 `json:"l1"`
	// Augment is applied to the discriminator's input.
	Augment gan.Augment `json:"augment"`
}

// Defaults are a model and a training that suit clips of a second on a laptop. The measurements are in
// docs/experiments.md, section "Latent flow".
func Defaults() Config {
	return Config{
		Channels:              16,   // as the VAE's
		Latent:                8,    // not compared
		FlowChannels:          64,   // as many as a clip of a second takes in less than 10 ms
		FlowUpdates:           1,    // two, with a higher KL weight and fewer steps, were worse
		Embedding:             16,   // not compared
		Steps:                 2,    // as accurate as 4 at equal guidance, in half the time
		Guidance:              1.5,  // above it clips move away from recordings
		LabelDropout:          0.1,  // not compared
		Temperature:           0.8,  // more clips are heard as their label, and they are nearer to recordings
		Share:                 0.7,  // not compared
		KLWeight:              1,    // 4, 6 and 8 leave clips blurred after 600 to 1,200 steps
		WarmUp:                0.2,  // not compared
		CoderRate:             2e-3, // as the VAE's
		FlowRate:              2e-3, // a lower loss than 1e-3 after 250 steps
		DecoderRate:           2e-4, // as the VAE-GAN's, and all below but the average
		DiscriminatorRate:     4e-4,
		FinalRate:             0.02,
		Average:               0.998, // the mean of about 500 steps
		Shift:                 5,
		DiscriminatorChannels: 24,
		Stddev:                8,
		Adversarial:           1,
		Matching:              5,
		L1:                    2,
		Augment:               gan.Augment{Frames: 6, Bins: 2, Cutout: 0.25, Contrast: 0.05},
	}
}

// ParseConfig reads JSON over the defaults. Nil or empty means the defaults; an unknown field is an error.
func ParseConfig(text json.RawMessage) (Config, error) { return config.Parse(Arch, text, Defaults()) }

// Validate reports everything that is wrong with c.
func (c Config) Validate() error {
	check := config.Check{Prefix: "flow: config: "}
	check.Within("channels", float64(c.Channels), 1, 256)
	check.Within("latent_channels", float64(c.Latent), 1, 64)
	check.Within("flow_channels", float64(c.FlowChannels), 1, 512)
	check.Within("flow_updates", float64(c.FlowUpdates), 1, 16)
	check.Within("embedding", float64(c.Embedding), 1, 1024)
	if counts := stepCounts(); !slices.Contains(counts, c.Steps) {
		check.Notef("steps: %d is not one of %d", c.Steps, counts)
	}
	check.Within("guidance", c.Guidance, 0, 20)
	check.Within("label_dropout", c.LabelDropout, 0, 0.9)
	check.Within("temperature", c.Temperature, 0, 10)
	check.Within("share", c.Share, 0.01, 1)
	check.Within("kl_weight", c.KLWeight, 0, 1000)
	check.Within("warm_up", c.WarmUp, 0, 1)
	check.Within("coder_rate", c.CoderRate, 1e-9, 1)
	check.Within("flow_rate", c.FlowRate, 1e-9, 1)
	check.Within("decoder_rate", c.DecoderRate, 1e-9, 1)
	check.Within("discriminator_rate", c.DiscriminatorRate, 1e-9, 1)
	check.Within("final_rate", c.FinalRate, 0, 1)
	check.Within("average", c.Average, 0, 0.99999)
	check.Within("shift", float64(c.Shift), 0, 1024)
	check.Within("vary", c.Vary, 0, 3)
	check.Within("discriminator_channels", float64(c.DiscriminatorChannels), 1, 256)
	check.Within("minibatch_stddev", float64(c.Stddev), 0, 64)
	check.Within("adversarial", c.Adversarial, 0, 1000)
	check.Within("feature_matching", c.Matching, 0, 1000)
	check.Within("l1", c.L1, 0, 1000)
	check.Add(c.Augment.Validate("flow: config: augment"))
	if c.Guidance != 1 && c.LabelDropout == 0 {
		check.Notef("guidance: %g needs predictions without a label: set label_dropout above 0, such as 0.1", c.Guidance)
	}
	return check.Err()
}

// stepCounts are the numbers of steps from noise to latents. Each number is a network of its own, in which all steps follow
// each other, so there are few.
func stepCounts() []int { return []int{1, 2, 4, 8, 16} }

// reduction is the factor between the sides of a spectrogram and of its map of latents: three convolutions of stride 2.
const reduction = 8

// A grid is the size of a map of latents.
type grid struct{ rows, columns, channels int }

// grid returns the size of the map of latents of spectrograms [frames, bins].
func (c Config) grid(frames, bins int) grid {
	return grid{frames / reduction, bins / reduction, c.Latent}
}

// size returns the number of latents of a clip.
func (g grid) size() int { return g.rows * g.columns * g.channels }

// HasLabelSets reports whether labels are sets.
func (c Config) HasLabelSets() bool { return c.LabelSets }
