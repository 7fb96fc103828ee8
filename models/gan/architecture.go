package gan

import (
	"wavemill/models"
	"wavemill/models/architecture"
)

// leastSteps is the number of steps that the default width needs. It is an estimate: below the VAE's, because a
// discriminator and a generator that are narrow fail earlier than an autoencoder.
const leastSteps = 1000

// Names of the priors in Sampling, as those of package vae.
const (
	priorNormal = "normal" // N(0, I)
	priorModes  = "gmm"    // a mixture of Gaussians for each label
)

// Architecture describes this architecture to the program.
func Architecture() architecture.Architecture {
	return architecture.Architecture{
		Name: Arch, Title: "conditional GAN", Defaults: Defaults(), New: NewLearner, Open: Open, Networks: Networks,
		Discriminator: OpenDiscriminator, Sampling: sampling,
		Few:        architecture.Unchanged, // augmentation is always on
		WithLatent: architecture.NoEncoder,
		Sizing:     architecture.Sizing{Width: []string{"channels"}, Share: 1, LeastSteps: leastSteps},
	}
}

func sampling(c models.Checkpoint) (architecture.Sampling, error) {
	g, err := ParseConfig(c.Config)
	prior := priorNormal
	if g.ModesOfLabel() > 0 {
		prior = priorModes
	}
	return architecture.Sampling{Latent: g.Latent, Prior: prior, Temperature: g.Temperature}, err
}
