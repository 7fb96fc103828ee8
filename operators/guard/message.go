package guard

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"math"

	"wavemill/audio"
	"wavemill/audio/codec"
	"wavemill/audio/fingerprint"
	"wavemill/audio/npy"
	"wavemill/models"
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
	shape, values, err := npy.Decode(m.Body)
	if err != nil {
		return reading{}, err
	}
	if len(shape) != 2 || shape[0] < 1 || shape[1] < 1 {
		return reading{}, fmt.Errorf("shape %v; expected [frames, bins]", shape)
	}
	for i, v := range values {
		if math.IsNaN(float64(v)) || math.IsInf(float64(v), 0) {
			return reading{}, fmt.Errorf("value %d (frame %d, bin %d) is %v", i, i/shape[1], i%shape[1], v)
		}
	}
	var fe models.FrontEnd
	switch {
	case m.Header[header.FrontEnd] != "":
		err = json.Unmarshal([]byte(m.Header[header.FrontEnd]), &fe)
	case m.Header[header.Spectrogram] != "":
		err = json.Unmarshal([]byte(m.Header[header.Spectrogram]), &fe.Spectrogram)
		fe.Frames = shape[0]
	default:
		err = errors.New("no header " + header.Spectrogram)
	}
	if err == nil {
		err = fe.Spectrogram.Validate()
	}
	if err != nil {
		return reading{}, fmt.Errorf("front end: %w", err)
	}
	if fe.Frames != shape[0] || fe.Spectrogram.Bins() != shape[1] {
		return reading{}, fmt.Errorf("the body is [%d, %d], but its headers promise [%d, %d]", shape[0], shape[1], fe.Frames, fe.Spectrogram.Bins())
	}
	e, err := guard.Spectrogram(m.Label, m.Header[header.Source], values, fe)
	if err != nil {
		return reading{}, err
	}
	e.Truncated = m.Header[header.Truncated] == "true"
	e.Digest = m.Header[header.Recording]
	var p fingerprint.Print
	if err := p.UnmarshalText([]byte(m.Header[header.Fingerprint])); err == nil {
		e.Print = p
	}
	return reading{Example: e, values: values, frontEnd: &fe}, nil
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
