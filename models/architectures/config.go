package architectures

import (
	"encoding/json"
	"slices"

	"wavemill/models"
	"wavemill/models/architecture"
	"wavemill/models/internal/config"
)

// Sampling is architecture.Sampling.
type Sampling = architecture.Sampling

// fewClips is the mean number of recordings a label below which a model learns better with another configuration; see
// docs/experiments.md, "Few recordings".
const fewClips = 40

// SamplingOf returns how a checkpoint's latents are drawn.
func (t Table) SamplingOf(c models.Checkpoint) (Sampling, error) {
	a, err := t.Find(c.Arch)
	if err != nil {
		return Sampling{}, err
	}
	return a.Sampling(c)
}

// ForFew returns the configuration of an architecture for that many recordings and labels, and whether it differs from the
// one given. With 40 recordings a label or more it does not.
func (t Table) ForFew(name string, config json.RawMessage, clips, labels int) (json.RawMessage, bool, error) {
	a, err := t.Find(name)
	if err != nil || clips >= fewClips*labels {
		return config, false, err
	}
	return a.Few(config)
}

// WithLatent returns a configuration with so many latent variables, or architecture.ErrNoEncoder, wrapped, for an
// architecture whose latents are not a setting.
func (t Table) WithLatent(name string, config json.RawMessage, latent int) (json.RawMessage, error) {
	a, err := t.Find(name)
	if err != nil {
		return nil, err
	}
	return a.WithLatent(config, latent)
}

// WithLabelSets returns a configuration of a model whose labels are sets of labels. The setting lies beside the width.
func (t Table) WithLabelSets(name string, text json.RawMessage) (json.RawMessage, error) {
	a, err := t.Find(name)
	if err != nil {
		return nil, err
	}
	width := a.Sizing.Width
	return config.With(text, true, append(slices.Clone(width[:len(width)-1]), "label_sets")...)
}

// LabelSets reports whether a configuration is of a model whose labels are sets of labels.
func (t Table) LabelSets(name string, text json.RawMessage) bool {
	a, err := t.Find(name)
	if err != nil {
		return false
	}
	width := a.Sizing.Width
	value, set, err := config.Lookup(text, append(slices.Clone(width[:len(width)-1]), "label_sets")...)
	return err == nil && set && string(value) == "true"
}

// WithEncoder returns the names of the architectures for which WithLatent has a setting, sorted.
func (t Table) WithEncoder() []string {
	return slices.DeleteFunc(t.Names(), func(name string) bool {
		_, err := t.WithLatent(name, nil, 1)
		return err != nil
	})
}

// Width returns the width that a configuration sets and true, or the architecture's default and false.
func (t Table) Width(name string, config json.RawMessage) (channels int, set bool, err error) {
	a, err := t.Find(name)
	if err != nil {
		return 0, false, err
	}
	return a.Width(config)
}

// WithWidth returns a configuration with that width. Settings that it leaves out keep their defaults.
func (t Table) WithWidth(name string, config json.RawMessage, channels int) (json.RawMessage, error) {
	a, err := t.Find(name)
	if err != nil {
		return nil, err
	}
	return a.WithWidth(config, channels)
}

// ForFew is Table.ForFew of the known architectures.
func ForFew(name string, config json.RawMessage, clips, labels int) (json.RawMessage, bool, error) {
	return Known().ForFew(name, config, clips, labels)
}

// WithEncoder is Table.WithEncoder of the known architectures.
func WithEncoder() []string { return Known().WithEncoder() }

// Width is Table.Width of the known architectures.
func Width(name string, config json.RawMessage) (channels int, set bool, err error) {
	return Known().Width(name, config)
}

// WithWidth is Table.WithWidth of the known architectures.
func WithWidth(name string, config json.RawMessage, channels int) (json.RawMessage, error) {
	return Known().WithWidth(name, config, channels)
}
