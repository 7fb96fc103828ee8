package slice

import (
	"errors"
	"fmt"
	"math"
	"time"
)

// The reasons for which a clip ends.
const (
	EndOnset  = "onset"  // Another sound begins.
	EndPause  = "pause"  // The sound has decayed.
	EndLength = "length" // It has reached Config.Max.
	EndEnd    = "end"    // The audio ends.
	EndRow    = "table"  // The row of a table says so.
)

// A Clip is a part of the audio. Samples are a copy of the audio's, unchanged and interleaved; they are valid until emit
// returns.
type Clip struct {
	Start, End int64 // Start and End are frames from the beginning of the audio; End is the first one behind the clip.
	Samples    []float32
	Peak       float64 // Peak is the largest absolute sample.
	RMS        float64 // RMS is that of all channels.
	Ended      string  // Ended is one of the reasons EndOnset ... EndRow.
	Label      string  // Label is that of the row of a table.
	Row        int     // Row is its line in the table, from 1; 0 without a table.
}

// Counts are what became of the audio.
type Counts struct {
	Frames       int64 `json:"frames"`        // Frames heard.
	Kept         int64 `json:"kept_frames"`   // Kept are those in clips, each counted once.
	Clips        int64 `json:"clips"`         // Clips emitted.
	Short        int64 `json:"short"`         // Short counts sounds shorter than Config.Min.
	ShortFrames  int64 `json:"short_frames"`  //
	Silent       int64 `json:"silent"`        // Silent counts clips below Config.Silent.
	SilentFrames int64 `json:"silent_frames"` //
}

// Limits of the audio that can be sliced.
const (
	LowestRate   = 1000
	HighestRate  = 1 << 20
	MostChannels = 64
)

// progress is where the cutting is. Its fields are part of a [State].
type progress struct {
	Position int64 // Frames heard.
	Decided  int64 // Hops decided.
	Open     bool  // Within a clip:
	Start    int64 // Frame.
	First    int64 // The hop at which the sound begins.
	Last     int64 // The last hop with sound.
	Quiet    int64 // The quietest hop within the last quarter of Max, and
	Quietest float64
	End      int64 // The end of the last clip that was emitted or left out.
	Counts   Counts
}

// A Slicer cuts one stream of audio. It is not safe for concurrent use.
type Slicer struct {
	config         Config
	rate, channels int
	min, max       int64 // Frames, as the following.
	pre, post, gap int64
	overlap        int64
	d              *detector
	p              progress
	kept           []float32 // Samples from frame from on.
	from           int64
	missing        int64 // Of kept, after Restore.
	closed         bool
}

// New makes a slicer of audio of a rate in Hz, with so many interleaved channels.
func New(c Config, rate, channels int) (*Slicer, error) {
	if err := c.Validate(); err != nil {
		return nil, fmt.Errorf("slice: %w", err)
	}
	if rate < LowestRate || rate > HighestRate {
		return nil, fmt.Errorf("slice: a sample rate of %d Hz; %d to %d can be sliced", rate, LowestRate, HighestRate)
	}
	if channels < 1 || channels > MostChannels {
		return nil, fmt.Errorf("slice: %d channels; 1 to %d can be sliced", channels, MostChannels)
	}
	frames := func(d time.Duration) int64 { return int64(math.Round(d.Seconds() * float64(rate))) }
	s := &Slicer{
		config: c, rate: rate, channels: channels, min: frames(c.Min), max: max(1, frames(c.Max)),
		pre: frames(c.PreRoll), post: frames(c.PostRoll), gap: frames(c.Gap), overlap: frames(c.Overlap),
	}
	if c.By == Length {
		s.p.Open = true
	} else {
		s.d = newDetector(newSpectrum(rate, channels), c.By)
	}
	return s, nil
}

// Counts returns what became of the audio so far.
func (s *Slicer) Counts() Counts {
	c := s.p.Counts
	c.Frames = s.p.Position
	return c
}

// Position is the number of frames that have been written.
func (s *Slicer) Position() int64 { return s.p.Position }

// Write takes the next samples, interleaved in whole frames, and calls emit for every clip that is complete. An error of emit
// ends it and is returned; the slicer cannot be used afterwards.
func (s *Slicer) Write(samples []float32, emit func(Clip) error) error {
	if len(samples)%s.channels != 0 {
		return fmt.Errorf("slice: %d samples do not fill whole frames of %d channels", len(samples), s.channels)
	}
	if s.closed {
		return errClosed
	}
	for len(samples) > 0 {
		n := min(len(samples), s.step()*s.channels)
		s.kept = append(s.kept, samples[:n]...)
		s.p.Position += int64(n / s.channels)
		samples = samples[n:]
		if err := s.advance(emit); err != nil {
			s.closed = true
			return err
		}
		s.forget()
	}
	return nil
}

var errClosed = errors.New("slice: the slicer is closed")

// step is how many frames are missing until there is something to do.
func (s *Slicer) step() int {
	if s.d == nil {
		return int(s.p.Start + s.max - s.p.Position)
	}
	hop := int64(s.d.s.hop)
	return int(hop - s.p.Position%hop)
}

// advance does what the frames in hand allow.
func (s *Slicer) advance(emit func(Clip) error) error {
	if s.d == nil {
		if s.p.Position == s.p.Start+s.max {
			return s.piece(EndLength, emit)
		}
		return nil
	}
	if s.p.Position%int64(s.d.s.hop) != 0 {
		return nil
	}
	s.d.push(s.kept)
	if s.d.Heard <= delay {
		return nil
	}
	s.d.detect()
	if s.d.Judged <= after {
		return nil
	}
	return s.decide(emit)
}

// piece emits the next of the pieces of equal length.
func (s *Slicer) piece(why string, emit func(Clip) error) error {
	start := s.p.Start
	s.p.Start = s.p.Position - s.overlap
	return s.finish(start, s.p.Position, s.p.Position-start, why, emit)
}

// Close ends the audio: it decides what is left and emits the last clips.
func (s *Slicer) Close(emit func(Clip) error) error {
	if s.closed {
		return errClosed
	}
	s.closed = true
	if s.d == nil {
		if s.p.Position > max(s.p.End, s.p.Start) {
			return s.piece(EndEnd, emit)
		}
		return nil
	}
	hop := int64(s.d.s.hop)
	if part := s.p.Position % hop; part != 0 { // The last hop is completed with silence.
		s.d.push(append(s.kept, make([]float32, (hop-part)*int64(s.channels))...))
	}
	for s.d.Judged < s.d.Heard {
		s.d.detect()
		if s.d.Judged > after {
			if err := s.decide(emit); err != nil {
				return err
			}
		}
	}
	for s.p.Decided < s.d.Judged {
		if err := s.decide(emit); err != nil {
			return err
		}
	}
	if !s.p.Open {
		return nil
	}
	s.p.Open = false
	end := min(s.p.Position, (s.p.Last+1)*hop+s.post)
	return s.finish(s.p.Start, end, s.core(), EndEnd, emit)
}

// Needed is the first frame that may still become part of a clip, or that the analysis still needs.
func (s *Slicer) Needed() int64 {
	if s.d == nil {
		return s.p.Start
	}
	hop := int64(s.d.s.hop)
	first := s.p.Decided*hop - 4*hop - s.pre // An onset may begin up to four hops before its peak.
	if s.p.Open {
		first = min(first, s.p.Start)
	}
	first = min(first, s.p.Position-int64(len(s.d.s.frame))-hop)
	return max(0, first)
}

// forget drops samples that are not needed, when they are as many as those that are.
func (s *Slicer) forget() {
	n := int(s.Needed()-s.from) * s.channels
	if n < len(s.kept)/2 || n < 1<<12 {
		return
	}
	s.kept = s.kept[:copy(s.kept, s.kept[n:])]
	s.from += int64(n / s.channels)
}
