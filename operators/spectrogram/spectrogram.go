// Package spectrogram is the operator that turns recordings into the spectrograms models learn from.
//
// In: stream audio, any supported audio file as it is. Out: stream spectrogram, a .npy array of float32 [T, F], with the
// transform's configuration as JSON in the Wavemill-Spectrogram header and the complete front end in Wavemill-Front-End. For
// two channels, the last 16 of the F bins hold the stereo image, see package stereo.
// Wavemill-Recording and Wavemill-Fingerprint say which recording it is made from, where the operator was built with an
// [Identifier]; Wavemill-Group is the publisher's. The output depends only on the file and the configuration. A file that
// cannot be decoded, is silent or has samples that are not finite numbers becomes a dead letter.
package spectrogram

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"strings"
	"sync"
	"time"

	"github.com/goccy/go-yaml"

	"wavemill/audio/codec"
	"wavemill/audio/fingerprint"
	"wavemill/audio/npy"
	"wavemill/models"
	"wavemill/models/frontend"
	"wavemill/pipeline"
	"wavemill/pipeline/contract"
	"wavemill/pipeline/header"
)

// ContentType is the media type of the output.
const ContentType = "application/x-npy"

// Config is the operator's configuration. The front end is part of it, because it must not depend on which recording
// arrives first: `wavemill demo` plans it from the data.
type Config struct {
	// FrontEnd is the complete front end, with the field names of a checkpoint. Empty: planned from Rate and Duration.
	FrontEnd yaml.RawMessage `yaml:"front_end"`
	// Rate is the sample rate of most recordings, in Hz; others are resampled to it. 0: 8000.
	Rate int `yaml:"rate"`
	// Duration is how long a clip can be before it is cut. 0: one second.
	Duration time.Duration `yaml:"duration"`
	// Channels is 2 where clips are to have two channels, with the panning and width of the recordings. 0 and 1: recordings
	// are mixed down.
	Channels int `yaml:"channels"`
}

// Factory builds the operator. Each spectrogram carries the identity of its recording in headers. What had to be done to
// recordings (resampled, mixed down) is logged once for every reason, not once for every file.
func Factory() pipeline.Factory {
	shared := new(shared)
	return pipeline.Typed(Config{}, func(c Config, env pipeline.Env) (pipeline.Operator, error) {
		return newOperator(c, env, shared)
	})
}

type operator struct {
	env      pipeline.Env
	frontEnd *frontend.FrontEnd
	config   string // The spectrogram's configuration as JSON.
	whole    string // The front end as JSON.
	*shared
}

// shared is what the workers share.
type shared struct {
	logged sync.Map          // Reasons that have been logged.
	prints fingerprint.Maker // Of recordings.
}

var (
	_ pipeline.Consumer = (*operator)(nil)
	_ pipeline.Producer = (*operator)(nil)
)

func newOperator(c Config, env pipeline.Env, shared *shared) (pipeline.Operator, error) {
	fe, err := c.frontEnd()
	if err != nil {
		return nil, err
	}
	o := &operator{env: env, shared: shared}
	if o.frontEnd, err = frontend.New(fe); err != nil {
		return nil, err
	}
	config, err := json.Marshal(fe.Spectrogram)
	if err != nil {
		return nil, fmt.Errorf("front_end: %w", err)
	}
	whole, err := json.Marshal(fe)
	if err != nil {
		return nil, fmt.Errorf("front_end: %w", err)
	}
	o.config, o.whole = string(config), string(whole)
	return o, nil
}

// frontEnd reads or plans the front end.
func (c Config) frontEnd() (models.FrontEnd, error) {
	if len(c.FrontEnd) == 0 {
		if c.Rate < 0 || c.Duration < 0 {
			return models.FrontEnd{}, errors.New("rate and duration must not be negative")
		}
		if c.Channels < 0 || c.Channels > 2 {
			return models.FrontEnd{}, fmt.Errorf("channels: %d is not 1 or 2", c.Channels)
		}
		rate, duration := c.Rate, c.Duration
		if rate == 0 {
			rate = 8000
		}
		if duration == 0 {
			duration = time.Second
		}
		fe := frontend.Plan([]int{rate}, []time.Duration{duration})
		if c.Channels == 2 {
			fe.Spectrogram.Channels = 2
		}
		return fe, nil
	}
	if c.Rate != 0 || c.Duration != 0 || c.Channels != 0 {
		return models.FrontEnd{}, errors.New("front_end is complete: leave out rate, duration and channels")
	}
	text, err := yaml.YAMLToJSON(c.FrontEnd)
	if err != nil {
		return models.FrontEnd{}, fmt.Errorf("front_end: %s", yaml.FormatError(err, false, true))
	}
	var fe models.FrontEnd
	dec := json.NewDecoder(strings.NewReader(string(text)))
	dec.DisallowUnknownFields()
	if err := dec.Decode(&fe); err != nil {
		return models.FrontEnd{}, fmt.Errorf("front_end: %w", err)
	}
	return fe, nil
}

// ConfigFor returns the operator's configuration with a front end, as YAML, for programs that plan it.
func ConfigFor(fe models.FrontEnd) ([]byte, error) {
	text, err := json.Marshal(map[string]any{"front_end": fe})
	if err != nil {
		return nil, fmt.Errorf("front end: %w", err)
	}
	return text, nil // JSON is YAML.
}

// Input implements pipeline.Consumer.
func (o *operator) Input() string { return pipeline.TypeAudio }

// Output implements pipeline.Producer.
func (o *operator) Output() string { return pipeline.TypeSpectrogram }

// Stateless implements pipeline.Stateless: a spectrogram depends on its recording and the configuration alone.
func (o *operator) Stateless() bool { return true }

// Process emits the spectrogram of one recording.
func (o *operator) Process(ctx context.Context, m *pipeline.Message, emit pipeline.Emit) error {
	name := m.Header[header.Source]
	if name == "" {
		name = m.ID
	}
	clip, info, err := codec.Decode(ctx, name, m.Body)
	if err != nil {
		return routed(ctx, err)
	}
	if o.env.Admit != nil {
		facts := contract.Facts{Label: m.Label, Rate: clip.Rate, Channels: clip.Channels, Duration: clip.Duration()}
		if err := o.env.Admit(ctx, facts); err != nil {
			return err
		}
	}
	s, notes, err := o.frontEnd.Analyze(clip)
	if err != nil {
		return routed(ctx, fmt.Errorf("%s: %w", name, err))
	}
	o.logConversions(ctx, name, notes, info)
	out := &pipeline.Message{
		Type: pipeline.TypeSpectrogram,
		Header: map[string]string{
			header.ContentType: ContentType, header.Spectrogram: o.config, header.FrontEnd: o.whole,
		},
		Body: npy.Encode([]int{s.Frames, s.Bins}, s.Data),
	}
	if info.Truncated {
		out.Header[header.Truncated] = "true"
	}
	if err := o.identify(clip, m, out); err != nil {
		return routed(ctx, fmt.Errorf("%s: identity: %w", name, err))
	}
	return emit(ctx, out)
}

// routed makes an error of a recording Invalid, because another attempt would fail as well; an error after ctx has ended
// is not the recording's.
func routed(ctx context.Context, err error) error {
	if ctx.Err() != nil {
		return err
	}
	return &pipeline.Error{Kind: pipeline.Invalid, Err: err}
}

// logConversions logs what was done to a recording, once for every reason.
func (o *operator) logConversions(ctx context.Context, name string, notes frontend.Notes, info codec.Info) {
	once := func(reason, text string) {
		if _, known := o.logged.LoadOrStore(reason, true); !known {
			o.env.Log.InfoContext(ctx, text+"; logged once for all such recordings", "first", name)
		}
	}
	rate := o.frontEnd.Config().Spectrogram.SampleRate
	if notes.Rate > 0 {
		once(fmt.Sprintf("rate %d", notes.Rate), fmt.Sprintf("resampled from %d to %d Hz", notes.Rate, rate))
	}
	if notes.Channels > 0 {
		once(fmt.Sprintf("channels %d", notes.Channels), fmt.Sprintf("mixed down from %d channels", notes.Channels))
	}
	if notes.Cut > 0 {
		once("cut", fmt.Sprintf("cut to %v", o.frontEnd.Duration().Round(time.Millisecond)))
	}
	if info.Truncated {
		once("truncated", "truncated files: the frames that are present are used")
	}
	if info.Cut {
		once("long", fmt.Sprintf("recordings of more than %d s or %d MiB of samples: their beginning is used", codec.MaxSeconds, codec.MaxBytes>>20))
	}
}
