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
	// Format is wav (16 bit PCM, also the empty string), wav24 or wav32f.
	Format string `json:"format,omitempty"`
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
	ID         string   `json:"id"`
	Subject    string   `json:"subject"`
	Stream     string   `json:"stream"`
	Sequence   uint64   `json:"sequence"`
	Label      string   `json:"label"`
	Seed       uint64   `json:"seed"`
	Confidence *float64 `json:"confidence,omitempty"`
	// Duplicate: the very same clip was there already, at this sequence.
	Duplicate bool `json:"duplicate,omitempty"`
}

// errUsage marks a request that is wrong in itself.
var errUsage = errors.New("wrong request")

// parseRequest reads a request strictly and fills in its defaults.
func parseRequest(data []byte, maxN int) (Request, wav.Encoding, error) {
	fail := func(format string, args ...any) (Request, wav.Encoding, error) {
		return Request{}, 0, fmt.Errorf("%w: %w; expected JSON such as {\"label\":\"three\",\"n\":1,\"seed\":7,\"temperature\":0.9,\"format\":\"wav\"}", errUsage, fmt.Errorf(format, args...))
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
