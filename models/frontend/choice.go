package frontend

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"slices"

	"wavemill/audio"
	"wavemill/audio/spectrogram"
	"wavemill/models"
)

// Validate reports fields that no front end can have.
func (o Overrides) Validate() error {
	switch {
	case o.NFFT < 0 || o.Hop < 0 || o.Mels < 0 || o.Frames < 0:
		return errors.New("n-fft, hop, mels and frames must not be negative")
	case !oneOf(o.MelFormula, spectrogram.FormulaSlaney, spectrogram.FormulaHTK, spectrogram.FormulaKnee):
		return fmt.Errorf("mel-formula is slaney, htk or knee; not %q", o.MelFormula)
	case !oneOf(o.MelNorm, spectrogram.NormSlaney, spectrogram.NormNone):
		return fmt.Errorf("mel-norm is slaney or none; not %q", o.MelNorm)
	case !oneOf(o.Pad, spectrogram.PadZero, spectrogram.PadReflect):
		return fmt.Errorf("pad is zero or reflect; not %q", o.Pad)
	case o.Mels%16 != 0 || o.Frames%16 != 0:
		return errors.New("mels and frames must be multiples of 16: the networks halve both four times")
	}
	return nil
}

func oneOf(value string, names ...string) bool { return value == "" || slices.Contains(names, value) }

// A Choice is what a user decides about a front end. The zero value leaves all of it to the plan.
type Choice struct {
	File      string    // of a front end that is used instead of a plan, see ReadFile; "": planned
	Overrides Overrides // of that one or of the planned one
}

// Validate reports overrides that no front end can have, and a file that cannot be read.
func (c Choice) Validate() error {
	if err := c.Overrides.Validate(); err != nil || c.File == "" {
		return err
	}
	_, err := ReadFile(c.File)
	return err
}

// Plan returns the front end for clips: that of the file, or PlanFor's, with the overrides. The scaling of a planned one is
// fitted to the clips after that, see Level. Where it cannot be used, the error wraps ErrUnusable.
func (c Choice) Plan(clips []audio.Clip) (models.FrontEnd, error) {
	var fe models.FrontEnd
	if c.File != "" {
		fixed, err := ReadFile(c.File)
		if err != nil {
			return fe, err
		}
		fe = c.Overrides.Apply(fixed)
	} else {
		fe = c.plan(clips)
	}
	if _, err := New(fe); err != nil {
		return fe, fmt.Errorf("%w: %w", ErrUnusable, err)
	}
	return fe, nil
}

// plan plans for clips. A transform that the overrides describe is one with a mel scale.
func (c Choice) plan(clips []audio.Clip) models.FrontEnd {
	o := c.Overrides
	if o.transforms() {
		s := SurveyOf(clips)
		fe := s.Plan()
		fe.Spectrogram.Channels = s.channels()
		return Level(o.Apply(fe), clips)
	}
	return o.Apply(PlanFor(clips))
}

// Matches reports whether fe is a front end that the choice allows: that of the file with the overrides or, without a file,
// any that has the values of the overrides.
func (c Choice) Matches(fe models.FrontEnd) (bool, error) {
	if c.File != "" {
		fixed, err := ReadFile(c.File)
		return c.Overrides.Apply(fixed) == fe, err
	}
	return c.Overrides.matches(fe), nil
}

// ErrUnusable is returned, wrapped, by Choice.Plan for settings that no front end can have.
var ErrUnusable = errors.New("the front end cannot be used")

// ReadFile reads the JSON of a front end. An object that has one as "front_end", such as the output of the commands plan
// and inspect, is read too. Unknown fields are an error; New tells whether the front end can be used.
func ReadFile(path string) (models.FrontEnd, error) {
	var fe models.FrontEnd
	text, err := models.ReadLimited(path, 64<<20)
	if err != nil {
		return fe, err
	}
	var outer struct {
		FrontEnd json.RawMessage `json:"front_end"`
	}
	if err := json.Unmarshal(text, &outer); err == nil && len(outer.FrontEnd) > 0 {
		text = outer.FrontEnd
	}
	d := json.NewDecoder(bytes.NewReader(text))
	d.DisallowUnknownFields()
	if err := d.Decode(&fe); err != nil {
		return fe, fmt.Errorf("%s: %w", path, err)
	}
	return fe, nil
}
