package generate

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"math"
	"math/rand/v2"

	"wavemill/audio/wav"
)

// Request is what is asked of <pipeline>.generate, as JSON.
type Request struct {
	Label string `json:"label"`
	// N is the number of clips; 0: 1.
	N int `json:"n,omitempty"`
	// Seed is the first clip's; clip i has seed + i. Nil: one is chosen, and told.
	Seed *uint64 `json:"seed,omitempty"`
	// Temperature scales the variety; 0: the model's own.
	Temperature float64 `json:"temperature,omitempty"`
	// Mix asks for clips between Label and another label, or between two given clips.
	Mix *RequestMix `json:"mix,omitempty"`
	// Interpolate asks for so many clips from one end of Mix to the other, both included, of every seed.
	Interpolate int `json:"interpolate,omitempty"`
	// Like asks for variations of a given clip of Label or, with Mix, for a way that begins at it.
	Like *RequestClip `json:"like,omitempty"`
	// Strength is how far variations go, 0 to 1; nil: DefaultStrength.
	Strength *float64 `json:"strength,omitempty"`
	// Format is wav (16 bit PCM, also the empty string), wav24 or wav32f.
	Format string `json:"format,omitempty"`
}

// DefaultStrength is how far a variation goes where nobody says: it is another clip, and yet like the first.
const DefaultStrength = 0.4

// RequestMix is the other end of a way.
type RequestMix struct {
	Label string `json:"label"`
	// Weight is 0 for all of the request's label to 1 for all of this one. It is needed, but with Interpolate, which
	// takes all weights.
	Weight *float64 `json:"weight,omitempty"`
	// Like is a clip of this label to end at; nil: a new one.
	Like *RequestClip `json:"like,omitempty"`
}

// RequestClip is a recording from outside.
type RequestClip struct {
	// Audio is a WAV file of any rate and number of channels, as JSON in base64.
	Audio []byte `json:"audio"`
	// File is what to call it.
	File string `json:"file,omitempty"`
}

// Listing is the answer to a request for more than one clip. The clips themselves are on their stream.
type Listing struct {
	Label string   `json:"label"`
	Model string   `json:"model"`
	Seed  uint64   `json:"seed"`
	Clips []Listed `json:"clips"`
}

// Listed is one clip of a listing, and where it is.
type Listed struct {
	ID       string `json:"id"`
	Subject  string `json:"subject"`
	Stream   string `json:"stream"`
	Sequence uint64 `json:"sequence"`
	Label    string `json:"label"`
	Seed     uint64 `json:"seed"`
	// Mix says where the clip lies if that is between two ends; Label is then both, such as "three-seven".
	Mix        *ListedMix `json:"mix,omitempty"`
	Confidence *float64   `json:"confidence,omitempty"`
	// Duplicate: the very same clip was there already, at this sequence.
	Duplicate bool `json:"duplicate,omitempty"`
}

// ListedMix is the way on which a clip lies, and how far along it.
type ListedMix struct {
	From   string  `json:"from"` // label
	To     string  `json:"to"`
	Weight float64 `json:"weight"` // 0 is From, 1 is To
}

// errUsage marks a request that is wrong in itself.
var errUsage = errors.New("wrong request")

// parseRequest reads a request strictly and fills in its defaults.
func parseRequest(data []byte, maxN int) (Request, wav.Encoding, error) {
	fail := func(format string, args ...any) (Request, wav.Encoding, error) {
		return Request{}, 0, fmt.Errorf("%w: %w; expected JSON such as {\"label\":\"three\",\"n\":1,\"seed\":7,\"temperature\":0.9,\"format\":\"wav\"} or {\"label\":\"three\",\"mix\":{\"label\":\"seven\",\"weight\":0.3}}", errUsage, fmt.Errorf(format, args...))
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
	if r.N == 0 {
		r.N = 1
	}
	if r.N < 1 || r.N > maxN {
		return fail("n is %d; ask for 1 to %d clips at a time", r.N, maxN)
	}
	if r.Temperature < 0 || r.Temperature > 10 || math.IsNaN(r.Temperature) {
		return fail("temperature is %g; use 0 (the model's own) to 10", r.Temperature)
	}
	if err := r.checkWay(maxN); err != nil {
		return fail("%w", err)
	}
	if r.Seed == nil {
		seed := uint64(rand.Uint32()) //nolint:gosec // Any will do; it is written down with the clip.
		r.Seed = &seed
	}
	switch r.Format {
	case "", "wav":
		r.Format = "wav"
		return r, wav.PCM16, nil
	case "wav24":
		return r, wav.PCM24, nil
	case "wav32f":
		return r, wav.Float32, nil
	}
	return fail("format %q is unknown; there are wav, wav24 and wav32f", r.Format)
}

// checkWay looks at what a mix, a series or a variation is asked for with.
func (r Request) checkWay(maxN int) error {
	switch {
	case r.Strength != nil && r.Like == nil:
		return errors.New("strength is for variations: say of which clip in like")
	case r.Strength != nil && r.Mix != nil:
		return errors.New("strength and mix contradict each other: between two ends, the weight says how far")
	case r.Strength != nil && !(*r.Strength >= 0 && *r.Strength <= 1):
		return fmt.Errorf("strength is %g; use 0 (the clip itself) to 1 (a new one)", *r.Strength)
	case r.Like != nil && len(r.Like.Audio) == 0:
		return errors.New("like has no audio: a WAV file in base64")
	case r.Mix == nil && r.Interpolate != 0:
		return errors.New("interpolate goes from label to mix, which is missing")
	case r.Mix == nil:
		return nil
	case r.Mix.Like != nil && len(r.Mix.Like.Audio) == 0:
		return errors.New("mix.like has no audio: a WAV file in base64")
	case r.Interpolate != 0 && r.Mix.Weight != nil:
		return errors.New("interpolate and mix.weight contradict each other: one is all of the way, the other a point of it")
	case r.Interpolate == 0 && r.Mix.Weight == nil:
		return errors.New("mix.weight is missing: 0 (all of label) to 1 (all of mix.label)")
	case r.Mix.Weight != nil && !(*r.Mix.Weight >= 0 && *r.Mix.Weight <= 1):
		return fmt.Errorf("mix.weight is %g; use 0 (all of label) to 1 (all of mix.label)", *r.Mix.Weight)
	case r.Interpolate != 0 && (r.Interpolate < 2 || r.Interpolate > maxN/r.N):
		return fmt.Errorf("interpolate is %d; ask for 2 clips or more, times n %d at most at a time", r.Interpolate, maxN)
	}
	return nil
}
