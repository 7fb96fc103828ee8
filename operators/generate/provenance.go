package generate

import (
	"encoding/base64"
	"encoding/binary"
	"errors"
	"fmt"
	"math"
)

// Provenance is how a clip is made: what a [Maker] is asked for, and what a generated WAV says about itself, as JSON in
// its ICMT tag. With the checkpoint of the digest Model, and nothing else, it makes the same bytes again.
//
// Label alone makes a new clip of that label. Like makes a variation of a given clip, Mix a clip on the way to another
// label or clip.
type Provenance struct {
	Label       string  `json:"label"`
	Model       string  `json:"model"`
	Seed        uint64  `json:"seed"`
	Temperature float64 `json:"temperature,omitempty"` // scale of the noise; 0 is the model's own
	// Like is the clip to vary, or to begin the way at.
	Like *Source `json:"like,omitempty"`
	// Strength is how far from Like a variation goes: 0 is its reconstruction, 1 a new clip of the label. Between, the
	// latents are those of Like, drawn towards the label's mean by sqrt(1 - Strength²), and a new clip's deviation from
	// that mean times Strength: noise of so many of the label's own deviations, while variations vary as clips do.
	Strength float64 `json:"strength,omitempty"`
	// Mix is where the way leads, and how far along it the clip lies.
	Mix *Mix `json:"mix,omitempty"`
}

// A Mix is the other end of a way.
type Mix struct {
	Label  string  `json:"label"`
	Weight float64 `json:"weight"`         // 0 is the beginning, 1 this end
	Like   *Source `json:"like,omitempty"` // the clip at this end; nil: a new clip of the label, with the same noise
}

// A Source is a clip from outside, as the model's encoder sees it. The latents are all that generating needs of it.
type Source struct {
	File   string `json:"file"`   // name, without folders
	SHA256 string `json:"sha256"` // of the file, in hexadecimal
	Latent Latent `json:"latent"`
}

// Latent is the latents of one clip. As JSON it is a string: base64 of float32, little-endian.
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
		return fmt.Errorf("latent: %d bytes are no whole number of float32", len(raw))
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

// Name is what to call the clip: its label, or of one between two labels both, such as "three-seven". Such a clip is
// neither a three nor a seven, and who asks for threes shall not get it.
func (p Provenance) Name() string {
	if p = p.reduced(); p.Mix == nil || p.Mix.Label == p.Label {
		return p.Label
	}
	return p.Label + "-" + p.Mix.Label
}

// Validate reports what is wrong with p whatever the model.
func (p Provenance) Validate() error {
	switch {
	case !(p.Temperature >= 0 && p.Temperature <= 10):
		return fmt.Errorf("temperature is %g; use 0 (the model's own) to 10", p.Temperature)
	case !(p.Strength >= 0 && p.Strength <= 1):
		return fmt.Errorf("strength is %g; use 0 (the clip itself) to 1 (a new one)", p.Strength)
	case p.Mix != nil && !(p.Mix.Weight >= 0 && p.Mix.Weight <= 1):
		return fmt.Errorf("the weight of the mix is %g; use 0 (all %q) to 1 (all %q)", p.Mix.Weight, p.Label, p.Mix.Label)
	case p.Strength > 0 && p.Like == nil:
		return errors.New("strength is for variations of a clip, and there is none")
	case p.Strength > 0 && p.Mix != nil:
		return errors.New("strength is for variations of one clip; how far along a mix lies says its weight")
	}
	return nil
}

// reduced is p in its simplest form: a mix that is all one end is that end, a variation of full strength a new clip.
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
