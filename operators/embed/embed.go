// Package embed is the operator that turns spectrograms into features, for search and for watching drift.
//
// In: stream spectrogram. Out: stream embedding, a .npy array of float32 [N]. Wavemill-Features says what the numbers are:
// latents, the means of the encoder of the served model, whose digest is in Wavemill-Model; or mel-statistics, the mean and then
// the standard deviation over time of each bin. Features of different models, or of different front ends, cannot be compared.
package embed

import (
	"context"
	"errors"
	"fmt"
	"math"
	"slices"
	"sync"
	"time"

	"wavemill/audio/npy"
	"wavemill/audio/spectrogram"
	"wavemill/models"
	"wavemill/models/architectures"
	"wavemill/models/frontend"
	"wavemill/pipeline"
	"wavemill/pipeline/header"
	"wavemill/pipeline/modelstore"
)

// Type is the type of the output, and the name of its stream.
const Type = "embedding"

// Kinds of features.
const (
	Latents       = "latents"
	MelStatistics = "mel-statistics"
)

// Config is the operator's configuration.
type Config struct {
	// Features is latents, mel-statistics, or auto: latents where the served model can encode the spectrogram, that is, where it
	// has an encoder, the label and the same front end; else mel-statistics. Default: auto.
	Features string `yaml:"features" jsonschema:"enum=auto,enum=latents,enum=mel-statistics"`
	// Model is the name of the served model. Default: vae, the one that train makes by default.
	Model string `yaml:"model"`
	// Refresh is how often a newer version of the model is looked for. Default: 5 s.
	Refresh time.Duration `yaml:"refresh"`
}

// Factory builds the operator.
func Factory() pipeline.Factory {
	return pipeline.Typed(Config{Features: "auto", Model: "vae", Refresh: 5 * time.Second}, func(c Config, env pipeline.Env) (pipeline.Operator, error) {
		switch {
		case !slices.Contains([]string{"auto", Latents, MelStatistics}, c.Features):
			return nil, fmt.Errorf("features is one of auto, %s, %s; not %q", Latents, MelStatistics, c.Features)
		case c.Model == "":
			return nil, errors.New("model is missing: the name of the served model")
		case c.Refresh < 0:
			return nil, fmt.Errorf("refresh is %v; it must not be negative", c.Refresh)
		}
		return &operator{config: c, env: env}, nil
	})
}

type operator struct {
	config Config
	env    pipeline.Env
	looked time.Time

	mu    sync.Mutex
	model *model // Nil where none is served that can encode.
	seen  string // The digest of the served model, also of one that cannot encode.
}

// A model encodes.
type model struct {
	digest   string
	labels   []string
	frontEnd models.FrontEnd
	encoder  models.Autoencoder
}

var (
	_ pipeline.Consumer  = (*operator)(nil)
	_ pipeline.Producer  = (*operator)(nil)
	_ pipeline.Stateless = (*operator)(nil)
	_ pipeline.Detailer  = (*operator)(nil)
)

// Input implements pipeline.Consumer.
func (o *operator) Input() string { return pipeline.TypeSpectrogram }

// Output implements pipeline.Producer.
func (o *operator) Output() string { return Type }

// Stateless implements pipeline.Stateless: statistics depend on the spectrogram alone, latents on the served model too.
func (o *operator) Stateless() bool { return o.config.Features == MelStatistics }

// Details is what the operator tells about itself in its status.
type Details struct {
	Model string `json:"model,omitempty"` // Model is the digest of the model whose latents are computed.
}

// Details implements pipeline.Detailer.
func (o *operator) Details() any {
	o.mu.Lock()
	defer o.mu.Unlock()
	if o.model == nil {
		return Details{}
	}
	return Details{o.model.digest}
}

// Process emits the features of one spectrogram.
func (o *operator) Process(ctx context.Context, m *pipeline.Message, emit pipeline.Emit) error {
	fe, s, err := frontend.DecodeArray(m.Body, m.Header[header.FrontEnd], m.Header[header.Spectrogram])
	if err != nil {
		return &pipeline.Error{Kind: pipeline.Invalid, Err: err}
	}
	if o.config.Features != MelStatistics {
		if err := o.refresh(ctx); err != nil {
			return &pipeline.Error{Kind: pipeline.Transient, Err: err}
		}
	}
	kind, values, digest := MelStatistics, Statistics(s), ""
	if o.config.Features != MelStatistics {
		switch label, err := o.encodes(fe, m.Label); {
		case err == nil:
			if values, err = o.latents(ctx, s, label); err != nil {
				return err
			}
			kind, digest = Latents, o.model.digest
		case o.config.Features == Latents && o.model == nil:
			return &pipeline.Error{Kind: pipeline.Transient, Err: err} // A model may come.
		case o.config.Features == Latents:
			return &pipeline.Error{Kind: pipeline.Invalid, Err: err}
		}
	}
	out := &pipeline.Message{Type: Type, Body: npy.Encode([]int{len(values)}, values)}
	out.Header = map[string]string{header.ContentType: "application/x-npy", header.Features: kind}
	if digest != "" {
		out.Header[header.Model] = digest
	}
	return emit(ctx, out)
}

// encodes returns the number of the label in the model, or why the model cannot encode.
func (o *operator) encodes(fe models.FrontEnd, label string) (int, error) {
	if o.model == nil {
		return 0, fmt.Errorf("no model %s with an encoder is served", o.config.Model)
	}
	if fe.Spectrogram != o.model.frontEnd.Spectrogram || fe.Frames != o.model.frontEnd.Frames {
		return 0, fmt.Errorf("the spectrogram has another front end than the model %s", o.config.Model)
	}
	i := slices.Index(o.model.labels, label)
	if i < 0 {
		return 0, fmt.Errorf("the model %s does not know the label %q", o.config.Model, label)
	}
	return i, nil
}

func (o *operator) latents(ctx context.Context, s *spectrogram.Spectrogram, label int) ([]float32, error) {
	mean, _, err := o.model.encoder.Encode(ctx, models.Batch{B: 1, T: s.Frames, F: s.Bins, Data: s.Data, Labels: []int{label}})
	if err != nil {
		return nil, fmt.Errorf("model %s: %w", o.config.Model, err)
	}
	return mean, nil
}

// refresh opens the served model when there is a newer version. One that cannot be opened is logged; then there is none.
func (o *operator) refresh(ctx context.Context) error {
	if time.Since(o.looked) < o.config.Refresh {
		return nil
	}
	entry, err := o.env.Bus.Models().Get(ctx, o.config.Model)
	if errors.Is(err, modelstore.ErrNotFound) {
		o.looked = time.Now()
		return nil
	}
	if err != nil {
		return fmt.Errorf("model %s: %w", o.config.Model, err)
	}
	if entry.Digest != o.seen {
		content, err := o.env.Bus.Models().Load(ctx, entry)
		if err != nil {
			return fmt.Errorf("model %s: %w", o.config.Model, err)
		}
		opened, err := open(content, entry.Digest)
		if err != nil {
			o.env.Log.Warn("the served model gives no latents", "model", o.config.Model, "version", entry.Version, "error", err)
		} else {
			o.env.Log.Info("model in use", "digest", entry.Digest[:min(12, len(entry.Digest))])
		}
		o.mu.Lock()
		o.model, o.seen = opened, entry.Digest
		o.mu.Unlock()
	}
	o.looked = time.Now()
	return nil
}

func open(content []byte, digest string) (*model, error) {
	c, err := models.Decode(content)
	if err != nil {
		return nil, err
	}
	g, err := architectures.Open(c)
	if err != nil {
		return nil, err
	}
	encoder, ok := g.(models.Autoencoder)
	if !ok {
		return nil, fmt.Errorf("a %s has no encoder", c.Arch)
	}
	return &model{digest, c.Labels, c.FrontEnd, encoder}, nil
}

// Statistics are the mean of each bin over time, and then the standard deviation of each: [2 * bins].
func Statistics(s *spectrogram.Spectrogram) []float32 {
	out := make([]float32, 2*s.Bins)
	for b := range s.Bins {
		var sum, squares float64
		for t := range s.Frames {
			v := float64(s.Data[t*s.Bins+b])
			sum += v
			squares += v * v
		}
		mean := sum / float64(s.Frames)
		out[b], out[s.Bins+b] = float32(mean), float32(math.Sqrt(max(0, squares/float64(s.Frames)-mean*mean)))
	}
	return out
}
