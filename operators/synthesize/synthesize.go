// Package synthesize is the operator that turns spectrograms into sound.
//
// In: stream spectrogram, a .npy array of float32 [T, F] with its transform in Wavemill-Spectrogram, or the complete front end in
// Wavemill-Front-End. Out: stream clip, a WAV. Phases are reconstructed as the front end says, from a seed that is made of the
// body, so that the same spectrogram gives the same bytes. A spectrogram that cannot be read, is silent or longer than
// [MaxSeconds] becomes a dead letter.
package synthesize

import (
	"context"
	"crypto/sha256"
	"encoding/binary"
	"encoding/json"
	"fmt"
	"strconv"

	"wavemill/audio"
	"wavemill/audio/wav"
	"wavemill/models"
	"wavemill/models/frontend"
	"wavemill/pipeline"
	"wavemill/pipeline/header"
)

// MaxSeconds is the longest sound that is made of a spectrogram: the time of a reconstruction grows with it.
const MaxSeconds = 300

// Config is the operator's configuration.
type Config struct {
	// Format is wav (16 bits), wav24 or wav32f. Default: wav, which everything plays.
	Format string `yaml:"format" jsonschema:"enum=wav,enum=wav24,enum=wav32f"`
	// Iterations of the phase reconstruction, instead of those of the front end; 0: those.
	Iterations int `yaml:"iterations"`
	// Seed is combined with the digest of each body. Default: 0.
	Seed uint64 `yaml:"seed"`
}

// maxIterations bounds what a header can ask for: results stay the same long before.
const maxIterations = 512

// Factory builds the operator.
func Factory() pipeline.Factory {
	return pipeline.Typed(Config{Format: "wav"}, func(c Config, _ pipeline.Env) (pipeline.Operator, error) {
		o := &operator{config: c}
		switch c.Format {
		case "wav":
		case "wav24":
			o.encoding = wav.PCM24
		case "wav32f":
			o.encoding = wav.Float32
		default:
			return nil, fmt.Errorf("format is one of wav, wav24, wav32f; not %q", c.Format)
		}
		if c.Iterations < 0 || c.Iterations > maxIterations {
			return nil, fmt.Errorf("iterations is %d; it lies between 0 and %d", c.Iterations, maxIterations)
		}
		return o, nil
	})
}

type operator struct {
	config   Config
	encoding wav.Encoding
	last     *frontend.FrontEnd // Of the message before: most have the same.
}

var (
	_ pipeline.Consumer = (*operator)(nil)
	_ pipeline.Producer = (*operator)(nil)

	_ pipeline.Stateless = (*operator)(nil)
)

// Input implements pipeline.Consumer.
func (o *operator) Input() string { return pipeline.TypeSpectrogram }

// Output implements pipeline.Producer.
func (o *operator) Output() string { return pipeline.TypeClip }

// Stateless implements pipeline.Stateless: a sound depends on its spectrogram and the configuration alone.
func (o *operator) Stateless() bool { return true }

// Process emits the sound of one spectrogram.
func (o *operator) Process(ctx context.Context, m *pipeline.Message, emit pipeline.Emit) error {
	body, err := o.sound(m)
	if err != nil {
		return &pipeline.Error{Kind: pipeline.Invalid, Err: err}
	}
	out := &pipeline.Message{Type: pipeline.TypeClip, Header: map[string]string{header.ContentType: "audio/wav"}, Body: body}
	for _, name := range []string{header.Model, header.Seed, header.Confidence, header.Truncated} {
		if value := m.Header[name]; value != "" {
			out.Header[name] = value
		}
	}
	return emit(ctx, out)
}

// sound makes the file.
func (o *operator) sound(m *pipeline.Message) ([]byte, error) {
	fe, s, err := frontend.DecodeArray(m.Body, m.Header[header.FrontEnd], m.Header[header.Spectrogram])
	if err != nil {
		return nil, err
	}
	if fe.Phase.Iterations > maxIterations {
		return nil, fmt.Errorf("header %s asks for %d iterations; at most %d are made", header.FrontEnd, fe.Phase.Iterations, maxIterations)
	}
	if o.config.Iterations > 0 {
		fe.Phase.Iterations = o.config.Iterations
	}
	if o.last == nil || o.last.Config() != fe {
		if o.last, err = frontend.New(fe); err != nil {
			return nil, err
		}
	}
	if n := o.last.Duration(); n.Seconds() > MaxSeconds {
		return nil, fmt.Errorf("a spectrogram of %v; at most %d s are made", n, MaxSeconds)
	}
	sum := sha256.Sum256(m.Body)
	seed := binary.LittleEndian.Uint64(sum[:]) + o.config.Seed
	clip, err := o.last.Synthesize(models.Batch{B: 1, T: s.Frames, F: s.Bins, Data: s.Data, Labels: []int{0}}, 0, seed)
	if err != nil {
		return nil, err
	}
	provenance, err := json.Marshal(map[string]string{"source": m.Header[header.Source], "phase_seed": strconv.FormatUint(seed, 10)})
	if err != nil {
		return nil, err
	}
	return wav.Encode(audio.Clip{Samples: clip.Samples, Channels: clip.Channels, Rate: clip.Rate}, wav.Options{
		Encoding: o.encoding, DitherSeed: seed, Tags: map[string]string{"INAM": m.Label, "ICMT": string(provenance)},
	})
}
