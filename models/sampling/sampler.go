package sampling

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"
	"sync"

	"wavemill/audio"
	"wavemill/models"
	"wavemill/models/architectures"
	"wavemill/models/frontend"
)

// A Sampler generates clips with one checkpoint. It is safe for concurrent use.
type Sampler struct {
	// Digest identifies the checkpoint, see [models.Checkpoint.Digest].
	Digest string
	// Arch is the checkpoint's architecture.
	Arch string
	// Labels are those of the checkpoint, in its order. The caller must not change them.
	Labels []string

	generator models.Generator
	frontEnd  *frontend.FrontEnd
	means     *sync.Map // label index -> mean of the label's latents, []float32
	stepped   *sync.Map // number of steps -> generator, models.Generator
	silence   bool      // a silent result is a silent clip, not ErrSilent
}

// Open opens a checkpoint of any architecture of models/architectures.
func Open(c models.Checkpoint) (*Sampler, error) {
	return OpenWith(c, architectures.Open)
}

// OpenWith opens a checkpoint with the given function instead of [architectures.Open], such as the Open of an
// [architectures.Table] with further architectures.
func OpenWith(c models.Checkpoint, open func(models.Checkpoint) (models.Generator, error)) (*Sampler, error) {
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
	return &Sampler{Digest: digest, Arch: c.Arch, Labels: slices.Clone(c.Labels), generator: g, frontEnd: fe, means: new(sync.Map), stepped: new(sync.Map)}, nil
}

// ErrSilent is returned, wrapped, where the network generates a spectrogram without sound. It wraps
// [frontend.ErrSilent]. Another seed may give sound; a sampler [Sampler.WithSilence] returns a silent clip instead.
var ErrSilent = fmt.Errorf("the model generated silence: %w", frontend.ErrSilent)

// WithSilence returns a sampler that shares everything with s, but returns [Sampler.Silence] where s returns
// [ErrSilent]: for evaluation and filters, which count silent clips instead of failing.
func (s *Sampler) WithSilence() *Sampler {
	t := *s
	t.silence = true
	return &t
}

// Silence returns the clip that stands for a silent result of p: zeros at the front end's rate, as long as the longest
// clip that the model generates.
func (s *Sampler) Silence(p Provenance) Clip {
	config := s.frontEnd.Config()
	rate := config.Spectrogram.SampleRate
	channels := s.frontEnd.Channels()
	return s.clip(audio.Clip{Samples: make([]float32, channels*config.Spectrogram.Samples(config.Frames)), Channels: channels, Rate: rate}, p)
}

// FrontEnd is the checkpoint's.
func (s *Sampler) FrontEnd() models.FrontEnd { return s.frontEnd.Config() }

// A LabelError reports a label that the model does not know.
type LabelError struct {
	Label  string   // Label is the unknown one; empty: none was given.
	Labels []string // Labels are those that the model knows.
}

// Error lists the labels that the model knows.
func (e *LabelError) Error() string {
	if e.Label == "" {
		return "label is missing; the model knows: " + strings.Join(e.Labels, ", ")
	}
	return fmt.Sprintf("label %q is unknown; the model knows: %s", e.Label, strings.Join(e.Labels, ", "))
}

// Generate returns the clip that p describes: [Sampler.Sample], then [Sampler.Vocode]. The Provenance of the clip is p
// in its simplest form, with the checkpoint's digest. The errors are a [LabelError], [ErrNoEncoder], [ErrSilent], or
// say what is wrong with p; a p that names another checkpoint is an error too.
func (s *Sampler) Generate(ctx context.Context, p Provenance) (Clip, error) {
	batch, err := s.Sample(ctx, p)
	if err != nil {
		return Clip{}, err
	}
	return s.Vocode(ctx, batch, 0, p)
}

// Vocode reconstructs the phase of spectrogram i of a batch, which Sample returned for p, and returns the clip. For the
// Shape of p it runs the network again. Where the shape cannot be reached, the error is an [ErrUnreachable].
func (s *Sampler) Vocode(ctx context.Context, batch models.Batch, i int, p Provenance) (Clip, error) {
	var sound audio.Clip
	var tone float64
	var err error
	if p.Shape.isZero() {
		sound, err = s.frontEnd.Synthesize(batch, i, p.Seed)
	} else {
		sound, tone, err = s.shaped(ctx, batch, i, p)
	}
	switch {
	case err == nil:
		clip := s.clip(sound, p)
		clip.Tone = tone
		return clip, nil
	case errors.Is(err, frontend.ErrSilent) && s.silence:
		return s.Silence(p), nil
	case errors.Is(err, frontend.ErrSilent):
		err = ErrSilent
	}
	return Clip{}, fmt.Errorf("generate %q with seed %d: %w", p.Name(), p.Seed, err)
}

// CheckSteps reports whether the model can make clips in a number of steps; 0 is its own number.
func (s *Sampler) CheckSteps(steps int) error {
	_, err := s.inSteps(steps)
	return err
}

// inSteps returns the generator for a number of steps, which it keeps; 0 is the model's own number.
func (s *Sampler) inSteps(steps int) (models.Generator, error) {
	if steps == 0 {
		return s.generator, nil
	}
	if steps < 0 {
		return nil, fmt.Errorf("steps is %d; leave it out for the model's own number", steps)
	}
	if known, ok := s.stepped.Load(steps); ok {
		return known.(models.Generator), nil // The map holds nothing else.
	}
	stepper, ok := s.generator.(models.Stepper)
	if !ok {
		return nil, fmt.Errorf("%w; this is a %s", ErrNoSteps, s.Arch)
	}
	g, err := stepper.WithSteps(steps)
	if err == nil {
		s.stepped.Store(steps, g)
	}
	return g, err
}

// ErrNoSteps is returned, wrapped, where a number of steps is asked of a model that makes clips in one go.
var ErrNoSteps = errors.New("the model has no steps to set; those of flow have")

// clip returns a sound with the provenance p, in its simplest form.
func (s *Sampler) clip(sound audio.Clip, p Provenance) Clip {
	p = p.reduced()
	p.Model = s.Digest
	sound.Label, sound.Source = p.Name(), fmt.Sprintf("%s-%d", s.Digest[:12], p.Seed)
	return Clip{Audio: sound, Provenance: p}
}

// Label returns the index of a label, or a [LabelError].
func (s *Sampler) Label(label string) (int, error) {
	index := slices.Index(s.Labels, label)
	if index < 0 {
		return 0, &LabelError{Label: label, Labels: s.Labels}
	}
	return index, nil
}
