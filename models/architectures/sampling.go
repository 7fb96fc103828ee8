package architectures

import (
	"fmt"

	"wavemill/models"
	"wavemill/models/gan"
	"wavemill/models/vae"
	"wavemill/models/vaegan"
)

// A Sampling is how latents are drawn, for programs that run the networks of a checkpoint themselves.
type Sampling struct {
	Latent      int     `json:"latent"`          // variables of a clip
	Prior       string  `json:"prior"`           // one of package vae's; "normal" is N(0, I)
	Temperature float64 `json:"temperature"`     // scales the noise where nobody says
	Texture     float64 `json:"texture"`         // scales what is added to what the decoder makes; 0 adds none
	Steps       int     `json:"steps,omitempty"` // from noise to latents, of a flow
}

// SamplingOf returns how a checkpoint's latents are drawn.
func SamplingOf(c models.Checkpoint) (Sampling, error) {
	switch c.Arch {
	case gan.Arch:
		g, err := gan.ParseConfig(c.Config)
		prior := vae.PriorNormal
		if g.ModesOfLabel() > 0 {
			prior = vae.PriorGMM
		}
		return Sampling{Latent: g.Latent, Prior: prior, Temperature: g.Temperature}, err
	case vae.Arch:
		v, err := vae.ParseConfig(c.Config)
		return samplingOf(v), err
	case vaegan.Arch:
		v, err := vaegan.ParseConfig(c.Config)
		return samplingOf(v.VAE), err
	}
	if _, err := find(c.Arch); err != nil {
		return Sampling{}, err
	}
	return Sampling{}, fmt.Errorf("architecture %q does not say how its latents are drawn", c.Arch)
}

func samplingOf(c vae.Config) Sampling {
	s := Sampling{Latent: c.Latent, Prior: c.Prior, Temperature: c.Temperature, Texture: c.ResidualNoise}
	if c.Prior == vae.PriorFlow {
		s.Steps = c.FlowSteps()
	}
	return s
}
