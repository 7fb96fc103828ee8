package vaegan

import (
	"encoding/json"

	"wavemill/models"
	"wavemill/models/architecture"
	"wavemill/models/internal/config"
	"wavemill/models/vae"
)

// Architecture describes this architecture to the program. The steps that sizing counts are those of the first phase.
func Architecture() architecture.Architecture {
	d := Defaults()
	return architecture.Architecture{
		Name: Arch, Title: "VAE-GAN", Defaults: d, New: NewLearner, Open: Open, Networks: Networks,
		Discriminator: OpenDiscriminator, Sampling: sampling, Few: few, WithLatent: withLatent,
		Sizing: architecture.Sizing{
			Width: []string{"vae", "channels"}, Follows: []string{"discriminator_channels"}, Share: d.Share,
			LeastSteps: vae.Architecture().Sizing.LeastSteps,
		},
	}
}

func sampling(c models.Checkpoint) (architecture.Sampling, error) {
	v, err := ParseConfig(c.Config)
	return v.VAE.Sampling(), err
}

// few returns a configuration that varies the recordings, unless the given one says whether to.
func few(text json.RawMessage) (json.RawMessage, bool, error) {
	return config.WithDefault(Arch, text, 1, "vae", "vary")
}

func withLatent(text json.RawMessage, latent int) (json.RawMessage, error) {
	return config.With(text, latent, "vae", "latent")
}
