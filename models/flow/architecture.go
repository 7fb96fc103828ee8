package flow

import (
	"encoding/json"
	"errors"

	"wavemill/models"
	"wavemill/models/architecture"
	"wavemill/models/internal/config"
)

// leastSteps is the number of steps of the first phase, in batches of 32, below which a narrower network or smaller batches
// are chosen. It is an estimate: widths were not compared.
const leastSteps = 1500

// Architecture describes this architecture to the program. The steps that sizing counts are those of the first phase.
func Architecture() architecture.Architecture {
	d := Defaults()
	return architecture.Architecture{
		Name: Arch, Title: "latent flow", Defaults: d, New: NewLearner, Open: Open, Networks: Networks,
		Discriminator: OpenDiscriminator, Sampling: sampling, Few: few, WithLatent: withLatent,
		Sizing: architecture.Sizing{Width: []string{"channels"}, Follows: []string{"flow_channels"}, Share: d.Share, LeastSteps: leastSteps},
	}
}

// Prior is the kind of the distribution of latents, as exports name it.
const Prior = "rectified-flow"

func sampling(c models.Checkpoint) (architecture.Sampling, error) {
	v, err := ParseConfig(c.Config)
	if err != nil {
		return architecture.Sampling{}, err
	}
	g := v.grid(c.FrontEnd.Frames, c.FrontEnd.Spectrogram.Bins())
	return architecture.Sampling{Latent: g.size(), Prior: Prior, Temperature: v.Temperature, Steps: v.Steps}, nil
}

// few returns a configuration that varies the recordings, unless the given one says whether to.
func few(text json.RawMessage) (json.RawMessage, bool, error) {
	return config.WithDefault(Arch, text, 1, "vary")
}

// withLatent refuses: the number of latents follows from the size of the spectrograms.
func withLatent(json.RawMessage, int) (json.RawMessage, error) {
	return nil, errors.New("flow: the number of latents follows from the size of the spectrograms; set latent_channels in the configuration instead")
}
