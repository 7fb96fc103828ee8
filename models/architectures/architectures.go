// Package architectures is the table of the architectures: to add one, write its package and add its line to Known.
package architectures

import (
	"encoding/json"
	"errors"
	"fmt"
	"slices"
	"strings"

	"wavemill/models"
	"wavemill/models/architecture"
	"wavemill/models/flow"
	"wavemill/models/gan"
	"wavemill/models/nn"
	"wavemill/models/vae"
	"wavemill/models/vaegan"
)

// Known returns the architectures of this program. The functions of this package that take a name look it up here.
func Known() Table {
	return Table{
		flow.Architecture(),
		gan.Architecture(),
		vae.Architecture(),
		vaegan.Architecture(),
	}
}

// A Table is a list of architectures with distinct names. A program with an architecture of its own appends it to Known and
// gives the table to training.Job, to export.Options, to monitor.Options as Table.Open and to sampling.OpenWith as
// Table.Open. A Table is safe for concurrent use as long as nobody changes it.
type Table []architecture.Architecture

// OrKnown returns t or, where it is nil, Known. Packages with a Table among their options use it, so that their zero value
// means the known architectures.
func (t Table) OrKnown() Table {
	if t == nil {
		return Known()
	}
	return t
}

// Validate reports every field that is missing in the table's architectures, and names that occur twice.
func (t Table) Validate() error {
	for i, a := range t {
		if err := a.Validate(); err != nil {
			return err
		}
		if slices.ContainsFunc(t[:i], func(b architecture.Architecture) bool { return b.Name == a.Name }) {
			return fmt.Errorf("architecture %q is there twice", a.Name)
		}
	}
	return nil
}

// Names returns the names of the architectures, sorted.
func (t Table) Names() []string {
	names := make([]string, len(t))
	for i, a := range t {
		names[i] = a.Name
	}
	slices.Sort(names)
	return names
}

// Find returns the architecture of that name. One with a missing field is an error.
func (t Table) Find(name string) (architecture.Architecture, error) {
	i := slices.IndexFunc(t, func(a architecture.Architecture) bool { return a.Name == name })
	if i < 0 && name == models.FilterArch {
		return architecture.Architecture{}, errors.New("this is a filter, made by \"wavemill judge\", and not a model; generate takes it as --judge")
	}
	if i < 0 {
		return architecture.Architecture{}, fmt.Errorf("architecture %q is unknown; there are: %s", name, strings.Join(t.Names(), ", "))
	}
	return t[i], t[i].Validate()
}

// NewLearner returns an untrained learner of the named architecture; see architecture.Architecture.New.
func (t Table) NewLearner(name string, config json.RawMessage, fe models.FrontEnd, labels []string, seed uint64) (models.Learner, error) {
	a, err := t.Find(name)
	if err != nil {
		return nil, err
	}
	return a.New(config, fe, labels, seed)
}

// Resume returns a learner in the state of c's last step.
func (t Table) Resume(c models.Checkpoint) (models.Learner, error) {
	l, err := t.NewLearner(c.Arch, c.Config, c.FrontEnd, c.Labels, c.Seed)
	if err != nil {
		return nil, err
	}
	return l, l.Restore(c.Last())
}

// Open returns the generator of a checkpoint.
func (t Table) Open(c models.Checkpoint) (models.Generator, error) {
	a, err := t.Find(c.Arch)
	if err != nil {
		return nil, err
	}
	return a.Open(c)
}

// OpenDiscriminator returns the discriminator of a checkpoint, or models.ErrNoDiscriminator, wrapped, where it holds none.
func (t Table) OpenDiscriminator(c models.Checkpoint) (models.Discriminator, error) {
	a, err := t.Find(c.Arch)
	if err != nil {
		return nil, err
	}
	return a.Discriminator(c)
}

// Networks returns the networks of a checkpoint, for other programs to run: "generator" first, then "encoder" and
// "discriminator" where the architecture has them. One without networks returns architecture.ErrNoNetworks, wrapped.
func (t Table) Networks(c models.Checkpoint) ([]nn.Network, error) {
	a, err := t.Find(c.Arch)
	if err != nil {
		return nil, err
	}
	networks, err := a.Networks(c)
	if err == nil && len(networks) == 0 {
		err = fmt.Errorf("%s: %w", c.Arch, architecture.ErrNoNetworks)
	}
	return networks, err
}

// Names returns the names of all known architectures, sorted.
func Names() []string { return Known().Names() }

// Title returns the name of an architecture in reports; an unknown one's own name.
func Title(name string) string {
	if a, err := Known().Find(name); err == nil {
		return a.Title
	}
	return name
}

// NewLearner is Table.NewLearner of the known architectures.
func NewLearner(name string, config json.RawMessage, fe models.FrontEnd, labels []string, seed uint64) (models.Learner, error) {
	return Known().NewLearner(name, config, fe, labels, seed)
}

// Resume is Table.Resume of the known architectures.
func Resume(c models.Checkpoint) (models.Learner, error) { return Known().Resume(c) }

// Open is Table.Open of the known architectures.
func Open(c models.Checkpoint) (models.Generator, error) { return Known().Open(c) }

// OpenDiscriminator is Table.OpenDiscriminator of the known architectures.
func OpenDiscriminator(c models.Checkpoint) (models.Discriminator, error) {
	return Known().OpenDiscriminator(c)
}

// Networks is Table.Networks of the known architectures.
func Networks(c models.Checkpoint) ([]nn.Network, error) { return Known().Networks(c) }
