package state

import (
	"encoding/json"
	"fmt"

	"wavemill/models"
	"wavemill/models/internal/shape"
	"wavemill/models/nn"
)

// A Header is what identifies a model: all of a checkpoint but its weights and the state of the training. C is the
// architecture's configuration.
type Header[C comparable] struct {
	Arch     string
	Config   C
	FrontEnd models.FrontEnd
	Labels   []string
	Seed     uint64
	Shape    shape.Shape // follows from FrontEnd and Labels
}

// New returns the header of a model of the named architecture. parse reads its configuration.
func New[C comparable](arch string, parse func(json.RawMessage) (C, error), config json.RawMessage, fe models.FrontEnd, labels []string, seed uint64) (Header[C], error) {
	h := Header[C]{Arch: arch, FrontEnd: fe, Labels: labels, Seed: seed}
	var err error
	if h.Config, err = parse(config); err != nil {
		return h, err
	}
	if h.Shape, err = shape.Of(fe, labels); err != nil {
		return h, fmt.Errorf("%s: %w", arch, err)
	}
	if of, ok := any(h.Config).(interface{ HasLabelSets() bool }); ok && of.HasLabelSets() {
		h.Shape = h.Shape.WithSets(labels)
	}
	return h, nil
}

// Read returns the header of a checkpoint, which must be of the named architecture.
func Read[C comparable](arch string, parse func(json.RawMessage) (C, error), c models.Checkpoint) (Header[C], error) {
	if c.Arch != arch {
		return Header[C]{}, fmt.Errorf("%s: the checkpoint is of architecture %q", arch, c.Arch)
	}
	return New(arch, parse, c.Config, c.FrontEnd, c.Labels, c.Seed)
}

// Checkpoint returns a checkpoint without tensors.
func (h Header[C]) Checkpoint(step, planned int64) (models.Checkpoint, error) {
	config, err := json.Marshal(h.Config)
	if err != nil {
		return models.Checkpoint{}, fmt.Errorf("%s: config: %w", h.Arch, err)
	}
	return models.Checkpoint{
		Format: models.Format, Arch: h.Arch, Config: config, FrontEnd: h.FrontEnd, Labels: h.Labels, Seed: h.Seed,
		Step: step, Planned: planned,
	}, nil
}

// ReadMatching is Read for a checkpoint whose weights a model with this header can take over. The seeds may differ.
func (h Header[C]) ReadMatching(parse func(json.RawMessage) (C, error), c models.Checkpoint) (Header[C], error) {
	of, err := Read(h.Arch, parse, c)
	if err == nil && (of.Config != h.Config || of.FrontEnd != h.FrontEnd || len(of.Labels) != len(h.Labels)) {
		err = fmt.Errorf("%s: the checkpoint is of a model with another configuration, front end or number of labels", h.Arch)
	}
	return of, err
}

// Params returns the parameters under a prefix. Layers cannot add others to them.
func Params(c models.Checkpoint, prefix string) (*nn.Params, error) {
	p := nn.NewParams(c.Seed)
	if err := p.Import(prefix, Arrays(c.Tensors)); err != nil {
		return nil, err
	}
	return p.Seal(), nil
}
