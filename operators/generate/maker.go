package generate

import (
	"context"
	"encoding/json"
	"fmt"
	"slices"
	"strings"

	"wavemill/audio"
	"wavemill/audio/wav"
	"wavemill/models"
	"wavemill/models/archs"
	"wavemill/models/frontend"
)

// A Maker makes clips with one checkpoint. It is safe for concurrent use.
type Maker struct {
	// Digest identifies the checkpoint.
	Digest string
	// Labels are what it can make.
	Labels []string

	generator models.Generator
	frontEnd  *frontend.FrontEnd
}

// NewMaker opens a checkpoint with the architectures of models/archs.
func NewMaker(c models.Checkpoint) (*Maker, error) {
	return NewMakerWith(c, archs.Open)
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
	return &Maker{Digest: digest, Labels: slices.Clone(c.Labels), generator: g, frontEnd: fe}, nil
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
	Audio       audio.Clip
	Label       string
	Model       string // Model is the checkpoint's digest.
	Seed        uint64
	Temperature float64 // Temperature as asked for; 0 is the model's own.
}

// Make makes the clip of a label and a seed. The same checkpoint, label, seed and temperature give the same samples,
// whatever else is made: clip i of a series that begins with a seed is the clip of seed + i.
func (m *Maker) Make(ctx context.Context, label string, seed uint64, temperature float64) (Clip, error) {
	index := slices.Index(m.Labels, label)
	if index < 0 {
		return Clip{}, &LabelError{Label: label, Labels: m.Labels}
	}
	batch, err := m.generator.Generate(ctx, models.Request{Labels: []int{index}, Seed: seed, Temperature: temperature})
	if err != nil {
		return Clip{}, fmt.Errorf("generate %q with seed %d: %w", label, seed, err)
	}
	sound, err := m.frontEnd.Synthesize(batch, 0, seed)
	if err != nil {
		return Clip{}, fmt.Errorf("generate %q with seed %d: %w", label, seed, err)
	}
	sound.Label, sound.Source = label, fmt.Sprintf("%s-%d", m.Digest[:12], seed)
	return Clip{Audio: sound, Label: label, Model: m.Digest, Seed: seed, Temperature: temperature}, nil
}

// Provenance is what a generated WAV says about itself, as JSON in its ICMT tag.
type Provenance struct {
	Label       string  `json:"label"`
	Model       string  `json:"model"`
	Seed        uint64  `json:"seed"`
	Temperature float64 `json:"temperature,omitempty"`
}

// WAV encodes the clip, with its label as INAM and its [Provenance] as ICMT in the INFO chunk.
func (c Clip) WAV(encoding wav.Encoding) ([]byte, error) {
	comment, err := json.Marshal(Provenance{c.Label, c.Model, c.Seed, c.Temperature})
	if err != nil {
		return nil, fmt.Errorf("provenance: %w", err)
	}
	return wav.Encode(c.Audio, wav.Options{
		Encoding: encoding, DitherSeed: c.Seed,
		Tags: map[string]string{"INAM": c.Label, "ICMT": string(comment), "ISFT": "wavemill"},
	})
}
