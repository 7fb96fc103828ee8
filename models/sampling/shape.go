package sampling

import (
	"errors"
	"fmt"
	"math"
	"regexp"
	"strconv"
	"strings"
	"time"
)

// A Shape is what can be asked of a clip beyond its content: a length, an endless loop, a pitch. The zero value asks for
// nothing.
type Shape struct {
	// Duration is the length in seconds; 0 is the clip's own. A longer clip is made of several of the network's clips, whose
	// sustained parts are joined; a shorter one is cut, with a fade.
	Duration float64 `json:"duration,omitempty"`
	// Loop asks for a clip that can be repeated without a click: its sustained part alone.
	Loop bool `json:"loop,omitempty"`
	// Pitch is the fundamental frequency in Hz; 0 is the clip's own. The clip is resampled to it.
	Pitch float64 `json:"pitch,omitempty"`
}

const (
	// MaxDuration is the longest clip that can be asked for: a spectrogram of that length takes some hundred megabytes.
	MaxDuration = 5 * time.Minute
	// minDuration is the shortest.
	minDuration = 10 * time.Millisecond
	// The range of pitches that can be asked for, in Hz: those that can be measured.
	lowestPitch, highestPitch = 40, 4000
)

// ErrUnreachable is returned, wrapped, where a model cannot make a clip of a length, loop or pitch. The error says what it
// can.
var ErrUnreachable = errors.New("the model cannot make that")

// Validate reports what is wrong with the shape whatever the model. Errors begin with the name of the field.
func (s Shape) Validate() error {
	switch {
	case s.Duration != 0 && !(s.Duration >= minDuration.Seconds() && s.Duration <= MaxDuration.Seconds()):
		return fmt.Errorf("duration %g s is not between %g and %g s", s.Duration, minDuration.Seconds(), MaxDuration.Seconds())
	case s.Pitch != 0 && !(s.Pitch >= lowestPitch && s.Pitch <= highestPitch):
		return fmt.Errorf("pitch %g Hz is not between %d and %d Hz", s.Pitch, lowestPitch, highestPitch)
	}
	return nil
}

// isZero reports whether nothing is asked for.
func (s Shape) isZero() bool { return s == Shape{} }

// suffix is the part of file names that tells clips of different shapes apart.
func (s Shape) suffix() string {
	var parts []string
	if s.Duration > 0 {
		parts = append(parts, decimals(s.Duration, -1)+"s")
	}
	if s.Loop {
		parts = append(parts, "loop")
	}
	if s.Pitch > 0 {
		parts = append(parts, decimals(math.Round(10*s.Pitch)/10, -1)+"Hz")
	}
	if len(parts) == 0 {
		return ""
	}
	return "_" + strings.Join(parts, "-")
}

var noteName = regexp.MustCompile(`^([A-Ga-g])([#b♯♭]?)(-?[0-9]{1,2})$`)

// ParseNote returns the frequency in Hz of a note in equal temperament with A4 at 440 Hz: a name such as A4, C#3 or Bb2
// (C4 is the middle C), or a MIDI number from 0 to 127.
func ParseNote(text string) (float64, error) {
	note, err := strconv.Atoi(text)
	if err != nil {
		m := noteName.FindStringSubmatch(text)
		if m == nil {
			return 0, fmt.Errorf("note %q is neither a name such as A4, C#3 or Bb2 nor a MIDI number from 0 to 127", text)
		}
		octave, err := strconv.Atoi(m[3])
		if err != nil {
			return 0, err
		}
		note = 12*(octave+1) + map[string]int{"C": 0, "D": 2, "E": 4, "F": 5, "G": 7, "A": 9, "B": 11}[strings.ToUpper(m[1])]
		switch m[2] {
		case "#", "♯":
			note++
		case "b", "♭":
			note--
		}
	}
	if note < 0 || note > 127 {
		return 0, fmt.Errorf("note %q is not one of the MIDI notes 0 to 127, C-1 to G9", text)
	}
	return 440 * math.Exp2(float64(note-69)/12), nil
}
