package guard

import (
	"context"
	"fmt"

	"wavemill/audio"
	"wavemill/audio/codec"
	"wavemill/audio/fingerprint"
	"wavemill/models"
	"wavemill/models/frontend"
	"wavemill/models/guard"
	"wavemill/pipeline"
	"wavemill/pipeline/header"
)

// A reading is a message as the guard understands it.
type reading struct {
	guard.Example
	sound    *audio.Clip      // of a message with audio
	values   []float32        // of a spectrogram
	frontEnd *models.FrontEnd // of a spectrogram
}

// read decodes and measures a message. Errors are Invalid unless ctx has ended.
func (o *operator) read(ctx context.Context, m *pipeline.Message) (reading, error) {
	r, err := o.parse(ctx, m)
	switch {
	case err == nil:
		r.ID, r.Label, r.Source = m.Sequence, m.Label, m.Header[header.Source]
		return r, nil
	case ctx.Err() != nil:
		return reading{}, err
	}
	return reading{}, &pipeline.Error{Kind: pipeline.Invalid, Err: err}
}

func (o *operator) parse(ctx context.Context, m *pipeline.Message) (reading, error) {
	switch m.Type {
	case pipeline.TypeSpectrogram:
		return parseSpectrogram(m)
	case pipeline.TypeModel, pipeline.TypeDLQ:
		return reading{}, fmt.Errorf("a message of type %s is no clip: a guard reads audio, clips and spectrograms", m.Type)
	}
	name := m.Header[header.Source]
	if name == "" {
		name = m.ID
	}
	clip, info, err := codec.Decode(ctx, name, m.Body)
	if err != nil {
		return reading{}, err
	}
	clip.Label = m.Label
	e, err := o.analyst.Clip(clip, info.Truncated || m.Header[header.Truncated] == "true")
	if err != nil {
		return reading{}, fmt.Errorf("%s: %w", name, err)
	}
	return reading{Example: e, sound: &clip}, nil
}

// parseSpectrogram reads the body and the headers of a spectrogram.
func parseSpectrogram(m *pipeline.Message) (reading, error) {
	fe, spec, err := frontend.DecodeArray(m.Body, m.Header[header.FrontEnd], m.Header[header.Spectrogram])
	if err != nil {
		return reading{}, err
	}
	e, err := guard.Spectrogram(m.Label, m.Header[header.Source], spec.Data, fe)
	if err != nil {
		return reading{}, err
	}
	e.Truncated = m.Header[header.Truncated] == "true"
	e.Digest = m.Header[header.Recording]
	var p fingerprint.Print
	if err := p.UnmarshalText([]byte(m.Header[header.Fingerprint])); err == nil {
		e.Print = p
	}
	return reading{Example: e, values: spec.Data, frontEnd: &fe}, nil
}

// sample is what a model sees of the message.
func (r reading) sample(m *guard.Model) (guard.Sample, bool) {
	if r.Flaw != "" {
		return guard.Sample{}, false
	}
	if r.sound != nil {
		return m.OfClip(*r.sound)
	}
	return m.OfSpectrogram(r.Label, r.values, *r.frontEnd)
}
