package sampling

import (
	"encoding/base64"
	"encoding/binary"
	"errors"
	"fmt"
	"math"

	"wavemill/models"
	"wavemill/models/eval"
)

// A Provenance describes a clip completely: it is what a [Sampler] is asked for, and what a generated WAV file contains
// as JSON in its ICMT tag. The checkpoint with the digest Model generates the same bytes from it again; given clips and
// filters are not needed for that.
//
// With Label alone it is a new clip of that label. With Like it is a variation of a given clip, with Mix an
// interpolation towards another label or clip.
type Provenance struct {
	Label string `json:"label"`
	Model string `json:"model"` // digest of the checkpoint; empty in a request: the sampler's
	Seed  uint64 `json:"seed"`
	// Temperature scales the noise that latents are drawn with; 0 or absent is the model's own default. A request for no
	// noise at all has NoNoise instead, see [Temperature].
	Temperature float64 `json:"temperature,omitempty"`
	// Steps is the number of steps in which a [models.Stepper] makes the clip; 0 or absent is the model's own.
	Steps int `json:"steps,omitempty"`
	// Like is the given clip: the one to vary or, with Mix, the first endpoint.
	Like *Source `json:"like,omitempty"`
	// Strength is how much a variation differs from Like: 0 is the reconstruction of Like, 1 a new clip of the label. A
	// variation has the latents mean + sqrt(1 - Strength²) (z - mean) + Strength (z' - mean), where z are the latents of
	// Like, z' those of a new clip, and mean is the label's: variations as a whole vary as clips of the label do.
	Strength float64 `json:"strength,omitempty"`
	// Mix is the second endpoint of an interpolation, and the clip's position.
	Mix *Mix `json:"mix,omitempty"`
	// Shape is the length, the loop and the pitch that are asked for.
	Shape
}

// A Mix is the second endpoint of an interpolation, and the position of a clip between both.
type Mix struct {
	Label  string  `json:"label"`
	Weight float64 `json:"weight"`         // 0 is the first endpoint, 1 this one
	Like   *Source `json:"like,omitempty"` // the given clip at this endpoint; nil: a new clip of the label, with the same noise
}

// A Source is a given clip after the model's encoder. Its latents are all that generation needs of it.
type Source struct {
	File   string `json:"file"`   // name, without folders
	SHA256 string `json:"sha256"` // of the file, in hexadecimal
	Latent Latent `json:"latent"`
}

// Latent is the latent vector of one clip. As JSON it is a string: base64 of float32, little-endian.
type Latent []float32

// MarshalText implements encoding.TextMarshaler.
func (l Latent) MarshalText() ([]byte, error) {
	raw := make([]byte, 0, 4*len(l))
	for _, v := range l {
		raw = binary.LittleEndian.AppendUint32(raw, math.Float32bits(v))
	}
	return base64.StdEncoding.AppendEncode(nil, raw), nil
}

// UnmarshalText implements encoding.TextUnmarshaler. Values that are not finite are an error.
func (l *Latent) UnmarshalText(text []byte) error {
	raw, err := base64.StdEncoding.AppendDecode(nil, text)
	if err != nil {
		return fmt.Errorf("latent: %w", err)
	}
	if len(raw)%4 != 0 {
		return fmt.Errorf("latent: %d bytes are not a whole number of float32 values", len(raw))
	}
	*l = make(Latent, 0, len(raw)/4)
	for ; len(raw) > 0; raw = raw[4:] {
		v := math.Float32frombits(binary.LittleEndian.Uint32(raw))
		if v != v || math.IsInf(float64(v), 0) {
			return fmt.Errorf("latent: value %d is %v", len(*l), v)
		}
		*l = append(*l, v)
	}
	return nil
}

// Name is the clip's label or, for an interpolation between two labels, both, such as "three-seven": such a clip belongs
// to neither label, and is neither stored nor published under one of them.
func (p Provenance) Name() string {
	if p = p.reduced(); p.Mix == nil || p.Mix.Label == p.Label {
		return p.Label
	}
	return p.Label + "-" + p.Mix.Label
}

// Condition returns what a filter has to check the clip against: its label or, between two labels, both.
func (p Provenance) Condition() eval.Condition {
	if p = p.reduced(); p.Mix == nil || p.Mix.Label == p.Label {
		return eval.Condition{Label: p.Label}
	}
	return eval.Condition{Label: p.Label, Other: p.Mix.Label, Weight: p.Mix.Weight}
}

// Validate reports what is wrong with p whatever the model.
func (p Provenance) Validate() error {
	if err := (models.Request{Temperature: p.Temperature}).Validate(0); err != nil {
		return err
	}
	if err := p.Shape.Validate(); err != nil {
		return err
	}
	switch {
	case p.Steps < 0:
		return fmt.Errorf("steps is %d; leave it out for the model's own number", p.Steps)
	case !(p.Strength >= 0 && p.Strength <= 1):
		return fmt.Errorf("strength is %g; use 0 (the given clip) to 1 (a new clip)", p.Strength)
	case p.Mix != nil && !(p.Mix.Weight >= 0 && p.Mix.Weight <= 1):
		return fmt.Errorf("the weight of the mix is %g; use 0 (all %q) to 1 (all %q)", p.Mix.Weight, p.Label, p.Mix.Label)
	case p.Strength > 0 && p.Like == nil:
		return errors.New("strength applies to variations of a given clip, and there is none")
	case p.Strength > 0 && p.Mix != nil:
		return errors.New("strength applies to variations of one clip; the position of a mix is its weight")
	}
	return nil
}

// reduced returns p in its simplest form: a mix that is all one endpoint is that endpoint, a variation of full strength
// is a new clip.
func (p Provenance) reduced() Provenance {
	if p.Mix != nil {
		switch mix := *p.Mix; {
		case mix.Weight == 1:
			p.Label, p.Like, p.Mix = mix.Label, mix.Like, nil
		case mix.Weight == 0, mix.Label == p.Label && mix.Like == nil && p.Like == nil:
			p.Mix = nil
		}
	}
	if p.Like != nil && p.Strength == 1 {
		p.Like, p.Strength = nil, 0
	}
	return p
}

// NoNoise is the temperature of clips that were requested with the temperature 0. It is not 0, because 0 in a
// Provenance and in a [models.Request] is the model's own default, and because the files that exist have it so. The
// noise that is left is below the precision of the latents.
const NoNoise = 1e-9

// Temperature returns the temperature of a Provenance for a requested one: 0, the model's own default, for nil, and
// [NoNoise] for 0. Negative, too large and NaN temperatures are an error.
func Temperature(requested *float64) (float64, error) {
	if requested == nil {
		return 0, nil
	}
	if (models.Request{Temperature: *requested}).Validate(0) != nil {
		return 0, fmt.Errorf("temperature %g is not between 0 and 10", *requested)
	}
	return max(*requested, NoNoise), nil
}
