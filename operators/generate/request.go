package generate

import (
	"bytes"
	"cmp"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"math/rand/v2"

	"wavemill/audio/wav"
	"wavemill/models/sampling"
)

// A Request is the JSON body of a message to <pipeline>.generate.
type Request struct {
	Label string `json:"label"`
	// N is the number of clips; 0: 1.
	N int `json:"n,omitempty"`
	// Seed is that of the first clip; clip i has Seed + i. Nil: the operator chooses one, and the answer contains it.
	Seed *uint64 `json:"seed,omitempty"`
	// Temperature scales the noise that latents are drawn with, 0 (no noise) to 10. Nil: the model's own default.
	Temperature *float64 `json:"temperature,omitempty"`
	// Steps is the number of steps in which a model of architecture flow makes a clip; 0: the model's own.
	Steps int `json:"steps,omitempty"`
	// Mix requests clips between Label and another label, or between two given clips.
	Mix *RequestMix `json:"mix,omitempty"`
	// Interpolate is how many clips lie between the endpoints of Mix for every seed, both endpoints included.
	Interpolate int `json:"interpolate,omitempty"`
	// Like requests variations of a given clip of Label; with Mix, it is the first endpoint.
	Like *RequestClip `json:"like,omitempty"`
	// Strength is how much variations differ from Like, 0 to 1; nil: [sampling.DefaultStrength].
	Strength *float64 `json:"strength,omitempty"`
	// Shape is a length (duration, seconds), a loop and a pitch (Hz).
	sampling.Shape
	// Format is wav (16 bit PCM, also the empty string), wav24 or wav32f.
	Format string `json:"format,omitempty"`
}

// RequestMix is the second endpoint of an interpolation.
type RequestMix struct {
	Label string `json:"label"`
	// Weight is the position of the clips, 0 (all of the request's label) to 1 (all of this one). It is required, except
	// with Interpolate, which sets the weights itself.
	Weight *float64 `json:"weight,omitempty"`
	// Like is a given clip of this label; nil: a new clip.
	Like *RequestClip `json:"like,omitempty"`
}

// RequestClip is a given clip.
type RequestClip struct {
	// Audio is a WAV file of any rate and number of channels, as JSON in base64.
	Audio []byte `json:"audio"`
	// File is the name that provenances show for it.
	File string `json:"file,omitempty"`
}

// A Listing is the answer to a request for more than one clip. The clips themselves are in their stream.
type Listing struct {
	Label string   `json:"label"`
	Model string   `json:"model"`
	Seed  uint64   `json:"seed"`
	Clips []Listed `json:"clips"`
}

// Listed is one clip of a listing, and where it is stored.
type Listed struct {
	ID       string `json:"id"`
	Subject  string `json:"subject"`
	Stream   string `json:"stream"`
	Sequence uint64 `json:"sequence"`
	Label    string `json:"label"`
	Seed     uint64 `json:"seed"`
	// Mix is the position of a clip between two endpoints; Label is then a combined label, such as "three-seven".
	Mix        *ListedMix `json:"mix,omitempty"`
	Confidence *float64   `json:"confidence,omitempty"`
	// Duplicate reports that the stream had this clip already, at this sequence.
	Duplicate bool `json:"duplicate,omitempty"`
}

// ListedMix is the position of a clip between two labels.
type ListedMix struct {
	From   string  `json:"from"` // label
	To     string  `json:"to"`
	Weight float64 `json:"weight"` // 0 is From, 1 is To
}

// errUsage marks a request that no model can serve.
var errUsage = errors.New("wrong request")

// maxLabel is the longest label, in bytes: it has to fit into the headers of a message, encoded.
const maxLabel = 4096

// parseRequest parses a request, in which unknown fields are errors, and fills in its defaults. The task has no sampler
// yet.
func parseRequest(data []byte, maxN int) (task, error) {
	fail := func(format string, args ...any) (task, error) {
		return task{}, fmt.Errorf("%w: %w; expected JSON such as {\"label\":\"three\",\"n\":1,\"seed\":7,\"temperature\":0.9,\"format\":\"wav\"} or {\"label\":\"three\",\"mix\":{\"label\":\"seven\",\"weight\":0.3}}", errUsage, fmt.Errorf(format, args...))
	}
	var r Request
	dec := json.NewDecoder(bytes.NewReader(data))
	dec.DisallowUnknownFields()
	if err := dec.Decode(&r); err != nil {
		return fail("%w", err)
	}
	if _, err := dec.Token(); !errors.Is(err, io.EOF) {
		return fail("there is more after the JSON object")
	}
	if len(r.Label) > maxLabel || r.Mix != nil && len(r.Mix.Label) > maxLabel {
		return fail("a label of more than %d bytes", maxLabel)
	}
	if r.N == 0 {
		r.N = 1
	}
	if r.N < 1 || r.N > maxN {
		return fail("n is %d; ask for 1 to %d clips at a time", r.N, maxN)
	}
	temperature, err := sampling.Temperature(r.Temperature)
	if err != nil {
		return fail("%w", err)
	}
	if err := r.Shape.Validate(); err != nil {
		return fail("%w", err)
	}
	if err := r.checkInterpolation(maxN); err != nil {
		return fail("%w", err)
	}
	if r.Seed == nil {
		seed := uint64(rand.Uint32()) // Any seed; the provenance of the clip records it.
		r.Seed = &seed
	}
	encodings := map[string]wav.Encoding{"": wav.PCM16, "wav": wav.PCM16, "wav24": wav.PCM24, "wav32f": wav.Float32}
	encoding, ok := encodings[r.Format]
	if !ok {
		return fail("format %q is unknown; use wav, wav24 or wav32f", r.Format)
	}
	r.Format = cmp.Or(r.Format, "wav")
	return task{Request: r, temperature: temperature, encoding: encoding}, nil
}

// checkInterpolation checks the fields of mixes, interpolations and variations.
func (r Request) checkInterpolation(maxN int) error {
	switch {
	case r.Strength != nil && r.Like == nil:
		return errors.New("strength applies to variations of a given clip, which is missing in like")
	case r.Strength != nil && r.Mix != nil:
		return errors.New("strength and mix contradict each other: the position between two endpoints is mix.weight")
	case r.Strength != nil && !(*r.Strength >= 0 && *r.Strength <= 1):
		return fmt.Errorf("strength is %g; use 0 (the given clip) to 1 (a new clip)", *r.Strength)
	case r.Like != nil && len(r.Like.Audio) == 0:
		return errors.New("like has no audio: a WAV file in base64")
	case r.Mix == nil && r.Interpolate != 0:
		return errors.New("interpolate goes from label to mix, which is missing")
	case r.Mix == nil:
		return nil
	case r.Mix.Like != nil && len(r.Mix.Like.Audio) == 0:
		return errors.New("mix.like has no audio: a WAV file in base64")
	case r.Interpolate != 0 && r.Mix.Weight != nil:
		return errors.New("interpolate and mix.weight contradict each other: interpolate sets all weights")
	case r.Interpolate == 0 && r.Mix.Weight == nil:
		return errors.New("mix.weight is missing: 0 (all of label) to 1 (all of mix.label)")
	case r.Mix.Weight != nil && !(*r.Mix.Weight >= 0 && *r.Mix.Weight <= 1):
		return fmt.Errorf("mix.weight is %g; use 0 (all of label) to 1 (all of mix.label)", *r.Mix.Weight)
	case r.Interpolate != 0 && (r.Interpolate < 2 || r.Interpolate > maxN/r.N):
		return fmt.Errorf("interpolate is %d; ask for 2 clips or more, and for at most %d in all, times n", r.Interpolate, maxN)
	}
	return nil
}
