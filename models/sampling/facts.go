package sampling

import (
	"fmt"

	"wavemill/audio/timbre"
	"wavemill/models/eval"
)

// ClipFacts describe a generated clip for other programs: a line of `wavemill generate --json`.
type ClipFacts struct {
	File       string   `json:"file"` // path; empty where no try passed and nothing was written
	Label      string   `json:"label"`
	Seed       uint64   `json:"seed"`
	Confidence *float64 `json:"confidence"`      // null where no filter has checked the clip
	Model      string   `json:"model,omitempty"` // digest of the checkpoint

	Temperature float64    `json:"temperature,omitempty"`
	Steps       int        `json:"steps,omitempty"`
	Shape                  // what was asked for
	Tone        float64    `json:"tone,omitempty"`  // pitch in Hz that was measured in a clip with a pitch or a loop
	Cents       *float64   `json:"cents,omitempty"` // how far it lies from the pitch that was asked for
	Mix         *MixFacts  `json:"mix,omitempty"`
	Like        string     `json:"like,omitempty"` // file of the given clip
	Strength    *float64   `json:"strength,omitempty"`
	Newness     *float64   `json:"newness,omitempty"`
	Realness    *float64   `json:"realness,omitempty"`
	Tries       int        `json:"tries,omitempty"`   // seeds tried for this clip
	Refused     Rejections `json:"refused,omitempty"` // rejected tries by reason
	Reason      string     `json:"reason,omitempty"`  // why the filter rejects the clip
}

// MixFacts are a clip's position between two endpoints.
type MixFacts struct {
	From   string  `json:"from"` // label
	To     string  `json:"to"`
	Weight float64 `json:"weight"`         // 0 is From, 1 is To
	Like   string  `json:"like,omitempty"` // file of the second endpoint
}

// Facts describes the clip with this provenance. Its File is left to the caller.
func (p Provenance) Facts() ClipFacts {
	f := ClipFacts{Label: p.Name(), Seed: p.Seed, Model: p.Model, Temperature: p.Temperature, Steps: p.Steps, Shape: p.Shape}
	if p.Like != nil {
		f.Like = p.Like.File
		if p.Mix == nil {
			f.Strength = &p.Strength
		}
	}
	if p.Mix != nil {
		f.Mix = &MixFacts{From: p.Label, To: p.Mix.Label, Weight: p.Mix.Weight}
		if p.Mix.Like != nil {
			f.Mix.Like = p.Mix.Like.File
		}
	}
	return f
}

// Facts describes the clip and its measured pitch. Its File is left to the caller.
func (c Clip) Facts() ClipFacts {
	f := c.Provenance.Facts()
	f.Tone = c.Tone
	if c.Pitch > 0 && c.Tone > 0 {
		cents := timbre.Cents(c.Pitch, c.Tone)
		f.Cents = &cents
	}
	return f
}

// Facts describes the clip, what the filter measured, and the tries that it took. Its File is left to the caller.
func (a Attempt) Facts() ClipFacts {
	f := a.Clip.Facts()
	f.Add(a.FilterResult)
	f.Tries, f.Refused = a.Tries, a.Rejected
	return f
}

// Add adds the result of a filter.
func (f *ClipFacts) Add(r eval.FilterResult) {
	f.Confidence, f.Newness, f.Realness, f.Reason = &r.Confidence, &r.Newness, r.Realness, r.Reason
}

// String describes a search for the user.
func (t Tally) String() string {
	text := fmt.Sprintf("%d of %d tries passed (%.0f %%); refused: %s", t.Passed, t.Tried, 100*t.Rate(), t.Rejected)
	if t.Best > 0 {
		text += fmt.Sprintf("; %d clips did not pass and are kept as the best of their tries", t.Best)
	}
	return text
}

// String describes a clip that failed for the user.
func (a Attempt) String() string {
	return fmt.Sprintf("none of %d tries passed (refused: %s); the best was seed %d: %s, confidence %.2f", a.Tries, a.Rejected, a.Seed, a.Reason, a.Confidence)
}
