package gan

import (
	"encoding/json"
	"math"
	"slices"

	"wavemill/models/internal/config"
)

// Losses of the generator and the discriminator.
const (
	LossHinge = "hinge" // Lim and Ye 2017; needs no tuning under spectral normalisation
	LossBCE   = "bce"   // the non-saturating loss of Goodfellow et al. 2014
	LossLSGAN = "lsgan" // least squares, Mao et al. 2017
	LossWGAN  = "wgan"  // the loss of Arjovsky et al. 2017; needs a penalty

	// Relativistic losses use the difference between the scores of recordings and of generated clips.
	LossRaHinge = "rahinge" // to the mean score of the others, both ways, Jolicoeur-Martineau 2019
	LossPaired  = "paired"  // to one of the same label, Jolicoeur-Martineau 2020; Huang et al. 2024; needs a penalty
)

var losses = []string{LossHinge, LossBCE, LossLSGAN, LossWGAN, LossRaHinge, LossPaired}

// relativistic reports whether the generator's loss needs recordings too.
func relativistic(loss string) bool { return loss == LossRaHinge || loss == LossPaired }

// Config is the JSON of a model and of its training. Fields left out keep their defaults.
type Config struct {
	// Channels of the discriminator's first convolution; each of the four doubles them. The generator mirrors them, times
	// GeneratorShare.
	Channels int `json:"channels"`
	// GeneratorShare is the number of the generator's channels divided by the discriminator's, rounded to multiples of 4
	// channels; 0 means 1.
	GeneratorShare float64 `json:"generator_share,omitempty"`
	// Taper halves the channels of the generator's last block, which takes twice as long as any other.
	Taper bool `json:"taper,omitempty"`
	// Minibatch is the number of clips of an update: a batch is cut into pieces of this size, and each updates both
	// networks; 0 uses whole batches.
	Minibatch int `json:"minibatch,omitempty"`
	// Latent is Z, the number of latent variables, drawn from N(0, I).
	Latent int `json:"latent"`
	// Embedding is the width of a label's vector.
	Embedding int `json:"embedding"`
	// LabelSets says that labels are sets of labels joined by "+", such as "bass+pluck". The vector of a set is the mean of
	// those of its labels.
	LabelSets bool `json:"label_sets,omitempty"`
	// Modes is the largest number of clusters of each label's recordings, found before training; 0 or 1 makes none. Both
	// networks get them as an input, so that the generator covers every cluster in proportion to its recordings. More than
	// eight help less with spoken digits, because a cluster then has few recordings.
	Modes int `json:"modes,omitempty"`
	// Correct removes fine structure from generated clips that all clips of a label share and its recordings lack; see
	// correction.go. It does not affect training.
	Correct bool `json:"correct,omitempty"`
	// Unconditional leaves the labels, and their modes, out of both networks. A request's labels then have no effect.
	Unconditional bool `json:"unconditional,omitempty"`
	// Temperature scales the latent noise in requests that leave it 0.
	Temperature float64 `json:"temperature"`
	// Loss is one of the constants LossHinge to LossPaired.
	Loss string `json:"loss"`
	// SpectralNorm divides the discriminator's weights by their largest singular value.
	SpectralNorm bool `json:"spectral_norm"`
	// Gain multiplies the discriminator's scores; 0 means 1. Under spectral normalisation, six layers of norm at most 1,
	// each halved by its activation, leave scores of about a hundredth, which never reach the margin of a hinge. Without
	// normalisation it must be 1.
	Gain float64 `json:"gain,omitempty"`
	// Auxiliary is the weight of the loss of a second head of the discriminator, which classifies the label (AC-GAN, Odena
	// et al. 2017). The discriminator learns to classify recordings, the generator to generate clips that are classified
	// as their label. 0: no head.
	Auxiliary float64 `json:"auxiliary,omitempty"`
	// AuxiliaryFinal is the share of Auxiliary that the generator's loss keeps after half of the planned steps; it falls
	// linearly until then. 0 means 1: it does not fall. The head teaches the labels quickly, but a generator that is
	// trained against it until the end makes clips that are too easy to classify: a classifier that is trained on them is
	// worse on recordings.
	AuxiliaryFinal float64 `json:"auxiliary_final,omitempty"`
	// NoProjection leaves the label out of the score, for a discriminator with the auxiliary head alone.
	NoProjection bool `json:"no_projection,omitempty"`
	// Stddev is the group size of the minibatch standard deviation, a feature map of how much the clips of a group differ
	// (Karras et al. 2018); 0 leaves it out. It counters mode collapse. Groups are smaller where they do not divide the
	// batch.
	Stddev int `json:"minibatch_stddev"`
	// Penalty is the weight of the lazy gradient penalty on recordings (R1, Mescheder et al. 2018), a finite difference
	// along random directions, every PenaltyEvery updates.
	Penalty      float64 `json:"penalty"`
	PenaltyEvery int     `json:"penalty_every"`
	// DiscriminatorSteps is the number of discriminator updates for each generator update.
	DiscriminatorSteps int `json:"critic_steps"`
	// Learning rates of Adam. The discriminator's is higher (TTUR, Heusel et al. 2017).
	GeneratorRate     float64 `json:"generator_rate"`
	DiscriminatorRate float64 `json:"discriminator_rate"`
	// FinalRate is the share of the rates that is left at the end of the cosine.
	FinalRate float64 `json:"final_rate"`
	// Average is the decay per update of the exponential mean of the generator's weights. The mean evaluates and generates.
	Average float64 `json:"average"`
	// Augment is applied to recordings and generated clips, so that a few thousand recordings suffice.
	Augment Augment `json:"augment"`
}

// Defaults are a model and a training that suit clips of a second on a laptop. The measurements are in
// docs/experiments.md, section "Architecture defaults".
func Defaults() Config {
	return Config{
		Channels:           24,                                                                     // 16 in both networks gave more errors of label at the same cost
		GeneratorShare:     2.0 / 3,                                                                // a step takes less time than with equal widths
		Taper:              true,                                                                   // halves the channels of the dearest block
		Minibatch:          16,                                                                     // a lower Fréchet distance than 32 or whole batches at about the same cost
		Latent:             64,                                                                     // not compared
		Embedding:          32,                                                                     // not compared
		Modes:              8,                                                                      // the best training data for classifiers among 0, 5, 8 and 16
		Temperature:        0.85,                                                                   // more clips of the right label than 1 for hardly less variety
		Correct:            true,                                                                   // classifiers trained on the clips are more accurate on recordings
		Loss:               LossHinge,                                                              // no tuning under spectral normalisation
		SpectralNorm:       true,                                                                   // bce with a gradient penalty instead gave a larger Fréchet distance
		Gain:               16,                                                                     // scores reach the margin of the hinge
		Auxiliary:          0.5,                                                                    // a weight of 1, or none, was worse
		AuxiliaryFinal:     0.1,                                                                    // a head that fades makes better training data for classifiers
		Stddev:             8,                                                                      // not compared
		PenaltyEvery:       8,                                                                      // used only with a penalty
		DiscriminatorSteps: 1,                                                                      // not compared
		GeneratorRate:      2e-4,                                                                   // twice the rate gave more errors of label
		DiscriminatorRate:  8e-4,                                                                   // twice the rate gave a larger Fréchet distance
		FinalRate:          0.05,                                                                   // not compared
		Average:            0.999,                                                                  // the mean of about 1,000 updates
		Augment:            Augment{Frames: 6, Bins: 2, Cutout: 0.25, Contrast: 0.05, Noise: 0.02}, // not compared
	}
}

// ParseConfig reads JSON over the defaults. Nil or empty means the defaults; an unknown field is an error. A
// configuration that names all of the fields that are always written comes from a checkpoint: fields that it leaves out
// are 0, whatever the defaults are now.
func ParseConfig(text json.RawMessage) (Config, error) {
	defaults := Defaults()
	if len(text) > 0 && whole(text) {
		defaults = Config{}
	}
	return config.Parse(Arch, text, defaults)
}

// whole reports whether text names every field that is always written.
func whole(text json.RawMessage) bool {
	var named, always map[string]json.RawMessage
	zero, err := json.Marshal(Config{})
	if err != nil || json.Unmarshal(zero, &always) != nil || json.Unmarshal(text, &named) != nil {
		return false // the decoder reports the mistake
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
	check := config.Check{Prefix: "gan: config: "}
	check.Within("channels", float64(c.Channels), 1, 256)
	check.Within("generator_share", c.GeneratorShare, 0, 8)
	check.Within("minibatch", float64(c.Minibatch), 0, 4096)
	check.Within("gain", c.Gain, 0, 1000)
	check.Within("auxiliary", c.Auxiliary, 0, 1000)
	check.Within("auxiliary_final", c.AuxiliaryFinal, 0, 1)
	check.Within("latent", float64(c.Latent), 1, 1024)
	check.Within("modes", float64(c.Modes), 0, 256)
	check.Within("embedding", float64(c.Embedding), 1, 1024)
	check.Within("temperature", c.Temperature, 1e-3, 10)
	check.Within("minibatch_stddev", float64(c.Stddev), 0, 64)
	check.Within("penalty", c.Penalty, 0, 1000)
	check.Within("penalty_every", float64(c.PenaltyEvery), 1, 1000)
	check.Within("critic_steps", float64(c.DiscriminatorSteps), 1, 20)
	check.Within("generator_rate", c.GeneratorRate, 1e-9, 1)
	check.Within("discriminator_rate", c.DiscriminatorRate, 1e-9, 1)
	check.Within("final_rate", c.FinalRate, 0, 1)
	check.Within("average", c.Average, 0, 0.99999)
	check.Add(c.Augment.Validate("gan: config: augment"))
	if !slices.Contains(losses, c.Loss) {
		check.Notef("loss: %q is not one of %q", c.Loss, losses)
	}
	return check.Err()
}

// ModesOfLabel returns the largest number of modes of each label; 0 where the networks do not use modes, as without labels
// or without their projection.
func (c Config) ModesOfLabel() int {
	if c.Unconditional || c.NoProjection || c.Modes < 2 {
		return 0
	}
	return c.Modes
}

// classifies reports whether the discriminator has an auxiliary head.
func (c Config) classifies() bool { return c.Auxiliary > 0 && !c.Unconditional }

// corrects reports whether generated clips are corrected, which needs labels.
func (c Config) corrects() bool { return c.Correct && !c.Unconditional }

// generatorChannels returns the channels of the generator's block before the last.
func (c Config) generatorChannels() int {
	if c.GeneratorShare == 0 {
		return c.Channels
	}
	return max(1, int(math.Round(c.GeneratorShare*float64(c.Channels)/4))) * 4
}

// HasLabelSets reports whether labels are sets.
func (c Config) HasLabelSets() bool { return c.LabelSets }
