package generate

import (
	"context"
	"encoding/json"
	"fmt"
	"slices"
	"strings"
	"sync"

	"wavemill/audio"
	"wavemill/audio/wav"
	"wavemill/models"
	"wavemill/models/architectures"
	"wavemill/models/frontend"
)

// A Maker makes clips with one checkpoint. It is safe for concurrent use.
type Maker struct {
	// Digest identifies the checkpoint.
	Digest string
	// Arch is its architecture.
	Arch string
	// Labels are what it can make.
	Labels []string

	generator models.Generator
	frontEnd  *frontend.FrontEnd
	means     sync.Map // of each label's latents, by index
}

// NewMaker opens a checkpoint with the architectures of models/architectures.
func NewMaker(c models.Checkpoint) (*Maker, error) {
	return NewMakerWith(c, architectures.Open)
}

// NewMakerWith opens a checkpoint with a function of the caller's.
func NewMakerWith(c models.Checkpoint, open func(models.Checkpoint) (models.Generator, error)) (*Maker, error) {
	digest, err := c.Digest()
	if err != nil {
		return nil, err
	}
	fe, err := frontend.New(c.FrontEnd)
	if err != nil {
		return nil, fmt.Errorf("checkpoint %s: %w", digest[:12], err)
	}
	g, err := open(c)
	if err != nil {
		return nil, fmt.Errorf("checkpoint %s: %w", digest[:12], err)
	}
	return &Maker{Digest: digest, Arch: c.Arch, Labels: slices.Clone(c.Labels), generator: g, frontEnd: fe}, nil
}

// A LabelError is a wish for a label that the model does not know.
type LabelError struct {
	Label  string
	Labels []string // Labels are those that it knows.
}

// Error lists the labels.
func (e *LabelError) Error() string {
	if e.Label == "" {
		return "label is missing; the model knows: " + strings.Join(e.Labels, ", ")
	}
	return fmt.Sprintf("label %q is unknown; the model knows: %s", e.Label, strings.Join(e.Labels, ", "))
}

// Clip is a generated clip with all that it takes to make it again.
type Clip struct {
	Audio audio.Clip
	Provenance
}

// Make makes the clip of a label and a seed. The same checkpoint, label, seed and temperature give the same samples,
// whatever else is made: clip i of a series that begins with a seed is the clip of seed + i.
func (m *Maker) Make(ctx context.Context, label string, seed uint64, temperature float64) (Clip, error) {
	return m.Compose(ctx, Provenance{Label: label, Seed: seed, Temperature: temperature})
}

// Compose makes the clip that p describes: [Maker.Imagine], then [Maker.Sound]. Its Provenance is p in its simplest
// form, with the model's digest. A p that names another model is an error.
func (m *Maker) Compose(ctx context.Context, p Provenance) (Clip, error) {
	batch, err := m.Imagine(ctx, p)
	if err != nil {
		return Clip{}, err
	}
	return m.Sound(batch, p)
}

// Imagine is the network's part of Compose: a batch of one spectrogram.
func (m *Maker) Imagine(ctx context.Context, p Provenance) (models.Batch, error) {
	if p.Model != "" && p.Model != m.Digest {
		return models.Batch{}, fmt.Errorf("the clip is of model %.12s, this is %.12s", p.Model, m.Digest)
	}
	if err := p.Validate(); err != nil {
		return models.Batch{}, err
	}
	p = p.reduced()
	index, err := m.index(p.Label)
	if err != nil {
		return models.Batch{}, err
	}
	var batch models.Batch
	if p.Like == nil && p.Mix == nil {
		batch, err = m.generator.Generate(ctx, models.Series([]int{index}, p.Seed, p.Temperature))
	} else {
		batch, err = m.blend(ctx, p)
	}
	if err != nil {
		return models.Batch{}, fmt.Errorf("generate %q with seed %d: %w", p.Name(), p.Seed, err)
	}
	return batch, nil
}

// Sound is the other part of Compose: what Imagine returned for p, with phases, as a clip.
func (m *Maker) Sound(batch models.Batch, p Provenance) (Clip, error) {
	p = p.reduced()
	p.Model = m.Digest
	sound, err := m.frontEnd.Synthesize(batch, 0, p.Seed)
	if err != nil {
		return Clip{}, fmt.Errorf("generate %q with seed %d: %w", p.Name(), p.Seed, err)
	}
	sound.Label, sound.Source = p.Name(), fmt.Sprintf("%s-%d", m.Digest[:12], p.Seed)
	return Clip{Audio: sound, Provenance: p}, nil
}

// index returns the index of a label, or a LabelError.
func (m *Maker) index(label string) (int, error) {
	index := slices.Index(m.Labels, label)
	if index < 0 {
		return 0, &LabelError{Label: label, Labels: m.Labels}
	}
	return index, nil
}

// WAV encodes the clip, with its name as INAM and its [Provenance] as ICMT in the INFO chunk.
func (c Clip) WAV(encoding wav.Encoding) ([]byte, error) {
	comment, err := json.Marshal(c.Provenance)
	if err != nil {
		return nil, fmt.Errorf("provenance: %w", err)
	}
	return wav.Encode(c.Audio, wav.Options{
		Encoding: encoding, DitherSeed: c.Seed,
		Tags: map[string]string{"INAM": c.Name(), "ICMT": string(comment), "ISFT": "wavemill"},
	})
}
