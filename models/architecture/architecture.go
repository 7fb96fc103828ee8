// Package architecture defines what the program needs to know of a generative architecture. Each architecture's package
// returns one value of type Architecture; package models/architectures is the table of them.
package architecture

import (
	"encoding/json"
	"errors"
	"fmt"

	"wavemill/models"
	"wavemill/models/nn"
)

// An Architecture describes one generative architecture. Every field is required: an architecture that lacks a part says so
// by a function that returns an error, such as NoDiscriminator. The functions are safe for concurrent use.
type Architecture struct {
	// Name identifies the architecture in checkpoints and on the command line.
	Name string
	// Title is its name in reports, such as "conditional VAE".
	Title string
	// Defaults is the default configuration; it encodes to the JSON that New accepts.
	Defaults any
	// New returns an untrained learner for spectrograms of a front end and for labels. The configuration is JSON; nil means
	// the defaults, and fields left out keep theirs. The seed decides the initial weights.
	New func(config json.RawMessage, fe models.FrontEnd, labels []string, seed uint64) (models.Learner, error)
	// Open returns the generator of a checkpoint.
	Open func(c models.Checkpoint) (models.Generator, error)
	// Discriminator returns the discriminator of a checkpoint, or models.ErrNoDiscriminator, wrapped, where it holds none.
	Discriminator func(c models.Checkpoint) (models.Discriminator, error)
	// Networks returns the networks of a checkpoint for other programs, the generator first, or ErrNoNetworks, wrapped.
	Networks func(c models.Checkpoint) ([]nn.Network, error)
	// Sampling returns how the latents of a checkpoint are drawn, or ErrNoSampling, wrapped.
	Sampling func(c models.Checkpoint) (Sampling, error)
	// Sizing says how the width of the networks is set.
	Sizing Sizing
	// Few returns the configuration for a data set with few recordings of each label, and whether it differs from the one
	// given. It keeps settings that the configuration names. Unchanged is for architectures that need no other.
	Few func(config json.RawMessage) (json.RawMessage, bool, error)
	// WithLatent returns a configuration with so many latent variables of an encoder, or ErrNoEncoder, wrapped.
	WithLatent func(config json.RawMessage, latent int) (json.RawMessage, error)
}

// Sampling is how latents are drawn, for programs that run the networks of a checkpoint themselves.
type Sampling struct {
	Latent        int     `json:"latent"`          // variables of a clip
	Prior         string  `json:"prior"`           // one of package vae's; "normal" is N(0, I)
	Temperature   float64 `json:"temperature"`     // default scale of the noise
	ResidualNoise float64 `json:"texture"`         // scales the noise that is added to decoded spectrograms; 0 adds none
	Steps         int     `json:"steps,omitempty"` // from noise to latents, of a flow
}

// Sizing says where the width of an architecture's networks stands in its configuration, and how long the default width
// must be trained.
type Sizing struct {
	// Width is the path of the setting, such as ["vae", "channels"]. Its default is that of Defaults.
	Width []string
	// Follows is the path of another width that is scaled with it unless a configuration names it; nil for none.
	Follows []string
	// Share is the share of the training, from its beginning, whose steps are timed, from above 0 to 1.
	Share float64
	// LeastSteps is how many of these steps the default width needs. With less time, smaller batches and narrower networks
	// give better results.
	LeastSteps int64
}

// Errors of architectures that lack a part.
var (
	ErrNoNetworks = errors.New("the architecture has no networks that other programs can run")
	ErrNoSampling = errors.New("the architecture draws no latents")
	ErrNoEncoder  = errors.New("the architecture has no encoder, so the number of its latents is not a setting")
)

// NoDiscriminator is the Discriminator of an architecture without one.
func NoDiscriminator(c models.Checkpoint) (models.Discriminator, error) {
	return nil, fmt.Errorf("%w: it is a %s", models.ErrNoDiscriminator, c.Arch)
}

// NoNetworks is the Networks of an architecture without any.
func NoNetworks(c models.Checkpoint) ([]nn.Network, error) {
	return nil, fmt.Errorf("%s: %w", c.Arch, ErrNoNetworks)
}

// NoSampling is the Sampling of an architecture that draws no latents.
func NoSampling(c models.Checkpoint) (Sampling, error) {
	return Sampling{}, fmt.Errorf("%s: %w", c.Arch, ErrNoSampling)
}

// NoEncoder is the WithLatent of an architecture without an encoder.
func NoEncoder(json.RawMessage, int) (json.RawMessage, error) { return nil, ErrNoEncoder }

// Unchanged is the Few of an architecture that learns from few recordings with any configuration, for instance because it
// augments its recordings always.
func Unchanged(config json.RawMessage) (json.RawMessage, bool, error) { return config, false, nil }

// Validate reports every field that is missing or wrong.
func (a Architecture) Validate() error {
	var errs []error
	need := func(ok bool, field, hint string) {
		if !ok {
			errs = append(errs, fmt.Errorf("architecture %q: %s is missing: %s", a.Name, field, hint))
		}
	}
	need(a.Name != "", "Name", "checkpoints identify the architecture by it")
	need(a.Title != "", "Title", "reports name the architecture by it")
	need(a.Defaults != nil, "Defaults", "the default width is read from it")
	need(a.New != nil, "New", "nothing can be trained without it")
	need(a.Open != nil, "Open", "nothing can be generated without it")
	need(a.Discriminator != nil, "Discriminator", "use NoDiscriminator where there is none")
	need(a.Networks != nil, "Networks", "use NoNetworks where there are none")
	need(a.Sampling != nil, "Sampling", "use NoSampling where no latents are drawn")
	need(a.Few != nil, "Few", "use Unchanged where few recordings need no other configuration")
	need(a.WithLatent != nil, "WithLatent", "use NoEncoder where the latents are no setting")
	need(len(a.Sizing.Width) > 0, "Sizing.Width", "training for a budget of time sets the width")
	need(a.Sizing.Share > 0 && a.Sizing.Share <= 1, "Sizing.Share", "give the share of the steps that are timed, above 0 and at most 1")
	need(a.Sizing.LeastSteps > 0, "Sizing.LeastSteps", "give the number of steps that the default width needs")
	if len(errs) == 0 {
		if _, err := a.DefaultWidth(); err != nil {
			errs = append(errs, err)
		}
	}
	return errors.Join(errs...)
}
