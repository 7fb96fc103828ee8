package report

import (
	"errors"
	"fmt"
	"math"
	"slices"

	"wavemill/audio"
	"wavemill/audio/spectrogram"
	"wavemill/audio/wav"
	"wavemill/models/frontend"
)

// Sound is a clip as a page embeds it.
type Sound struct {
	Name    string // below the picture
	Detail  string // below the name, smaller
	WAV     []byte // the clip as a WAV file
	PNG     []byte // its spectrogram; empty for a silent clip
	Doubted bool   // marks a clip that a classifier assigns to another label
}

// range60dB is the range of amplitudes that a picture shows, in nepers: 60 dB.
const range60dB = 3 * math.Ln10

// NewSound makes a Sound of a clip: a 16-bit WAV file, and the spectrogram that a model behind the front end gets. The
// picture shows the 60 dB below the loudest value, so that a quiet clip is as visible as a loud one; it never begins below
// the least value of the clip. A silent clip has no picture.
func NewSound(front *frontend.FrontEnd, c audio.Clip, name string) (Sound, error) {
	s := Sound{Name: name}
	var err error
	if s.WAV, err = wav.Encode(c, wav.Options{}); err != nil {
		return s, fmt.Errorf("report: %s: %w", name, err)
	}
	spec, _, err := front.Analyze(c)
	if errors.Is(err, frontend.ErrSilent) {
		return s, nil
	}
	if err != nil {
		return s, fmt.Errorf("report: %s: %w", name, err)
	}
	low, high := slices.Min(spec.Data), slices.Max(spec.Data)
	if c := spec.Config; c.Value == spectrogram.ValueLog && c.Max > c.Min {
		// Values from Min to Max are scaled to [-1, 1].
		low = max(low, high-float32(2*range60dB/(c.Max-c.Min)))
	}
	s.PNG, err = Thumbnail(spec.Data, spec.Frames, spec.Bins, low, high)
	return s, err
}
