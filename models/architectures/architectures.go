// Package architectures is the map from an architecture's name, as it stands in checkpoints and on the command line, to what
// builds it.
package architectures

import (
	"encoding/json"
	"fmt"
	"maps"
	"slices"
	"strings"

	"wavemill/models"
	"wavemill/models/gan"
	"wavemill/models/nn"
	"wavemill/models/vae"
	"wavemill/models/vaegan"
)

// An arch builds the two halves of one architecture, and names its networks.
type arch struct {
	learner  func(config json.RawMessage, fe models.FrontEnd, labels []string, seed uint64) (models.Learner, error)
	open     func(c models.Checkpoint) (models.Generator, error)
	networks func(c models.Checkpoint) ([]nn.Network, error)
}

func known() map[string]arch {
	return map[string]arch{
		gan.Arch:    {gan.NewLearner, gan.Open, gan.Networks},
		vae.Arch:    {vae.NewLearner, vae.Open, vae.Networks},
		vaegan.Arch: {vaegan.NewLearner, vaegan.Open, vaegan.Networks},
	}
}

// Names returns the names of all architectures, sorted.
func Names() []string { return slices.Sorted(maps.Keys(known())) }

func find(name string) (arch, error) {
	a, ok := known()[name]
	if !ok {
		return arch{}, fmt.Errorf("architecture %q is unknown; there are: %s", name, strings.Join(Names(), ", "))
	}
	return a, nil
}

// NewLearner returns an untrained learner of the named architecture for what the front end makes and for those labels.
// The config is the architecture's own JSON; nil means its defaults, and fields left out keep theirs. The seed decides
// the initial weights.
func NewLearner(name string, config json.RawMessage, fe models.FrontEnd, labels []string, seed uint64) (models.Learner, error) {
	a, err := find(name)
	if err != nil {
		return nil, err
	}
	return a.learner(config, fe, labels, seed)
}

// Resume returns a learner in the state of c's last step.
func Resume(c models.Checkpoint) (models.Learner, error) {
	l, err := NewLearner(c.Arch, c.Config, c.FrontEnd, c.Labels, c.Seed)
	if err != nil {
		return nil, err
	}
	return l, l.Restore(c.Last())
}

// Open returns the generator of a checkpoint.
func Open(c models.Checkpoint) (models.Generator, error) {
	a, err := find(c.Arch)
	if err != nil {
		return nil, err
	}
	return a.open(c)
}

// Networks returns the networks of a checkpoint, for other programs to run: "generator" first, then "encoder" and
// "discriminator" where the architecture has them.
func Networks(c models.Checkpoint) ([]nn.Network, error) {
	a, err := find(c.Arch)
	if err != nil {
		return nil, err
	}
	return a.networks(c)
}
