package vae

import (
	"encoding/json"
	"slices"

	"wavemill/models"
	"wavemill/models/architecture"
	"wavemill/models/internal/config"
)

// leastSteps is the number of steps, in batches of 32, that the default width of 16 channels needs: at 2,300, 8 channels
// are still a little better (docs/experiments.md).
const leastSteps = 3000

// Architecture describes this architecture to the program.
func Architecture() architecture.Architecture {
	return architecture.Architecture{
		Name: Arch, Title: "conditional VAE", Defaults: Defaults(), New: NewLearner, Open: Open, Networks: Networks,
		Discriminator: architecture.NoDiscriminator, Sampling: sampling, Few: few, WithLatent: withLatent,
		Sizing: architecture.Sizing{Width: []string{"channels"}, Share: 1, LeastSteps: leastSteps},
	}
}

func sampling(c models.Checkpoint) (architecture.Sampling, error) {
	v, err := ParseConfig(c.Config)
	return v.Sampling(), err
}

// Sampling returns how latents are drawn.
func (c Config) Sampling() architecture.Sampling {
	s := architecture.Sampling{Latent: c.Latent, Prior: c.Prior, Temperature: c.Temperature, ResidualNoise: c.ResidualNoise}
	if c.Prior == PriorFlow {
		s.Steps = c.FlowSteps()
	}
	return s
}

// few returns a configuration that varies the recordings, unless the given one says whether to.
func few(text json.RawMessage) (json.RawMessage, bool, error) {
	return config.WithDefault(Arch, text, 1, "vary")
}

// Suit returns text with the configuration at a path fit for a front end, except for settings that it names. Front ends with
// marks (see spectrogram.Config) align attacks and synthesise noise themselves, so clips are neither delayed nor given residual
// noise. Errors begin with the architecture's name.
func Suit(arch string, text json.RawMessage, fe models.FrontEnd, path ...string) (json.RawMessage, error) {
	text, err := WithoutDelay(arch, text, fe, append(slices.Clone(path), "shift")...)
	if err != nil || fe.Spectrogram.Marks() == 0 {
		return text, err
	}
	text, _, err = config.WithDefault(arch, text, 0, append(slices.Clone(path), "texture")...)
	return text, err
}

// WithoutDelay returns text with 0 for the setting at a path, the delay of training clips, where the front end aligns
// attacks and text does not name it.
func WithoutDelay(arch string, text json.RawMessage, fe models.FrontEnd, path ...string) (json.RawMessage, error) {
	if fe.Spectrogram.Marks() == 0 {
		return text, nil
	}
	text, _, err := config.WithDefault(arch, text, 0, path...)
	return text, err
}

func withLatent(text json.RawMessage, latent int) (json.RawMessage, error) {
	return config.With(text, latent, "latent")
}
