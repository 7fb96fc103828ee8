package slice

import (
	"fmt"
	"math"
)

// A tableSlicer cuts one stream of audio at the times of rows, in constant memory: it keeps what rows in progress need, at
// most LongestClip. It is not safe for concurrent use.
type tableSlicer struct {
	rate, channels int
	silent         float64 // Amplitude.
	rows           []Row   // Those that have not begun, by start.
	open           []span  // Those in progress, by start.
	kept           []float32
	from, position int64
	end            int64 // Of what is in rows.
	counts         Counts
	late           []Row
}

// A span is a row in frames.
type span struct {
	start, end int64
	row        Row
}

// newTable makes a slicer for rows by start, as [ParseTable] returns them. Clips whose peak is below silent, in dB, are left out.
func newTable(rows []Row, silent float64, rate, channels int) (*tableSlicer, error) {
	if rate < 1 || channels < 1 || channels > MostChannels {
		return nil, fmt.Errorf("slice: %d Hz and %d channels cannot be sliced", rate, channels)
	}
	return &tableSlicer{rate: rate, channels: channels, silent: math.Pow(10, silent/20), rows: rows}, nil
}

// frame is the nearest frame to a time.
func (s *tableSlicer) frame(seconds float64) int64 {
	return int64(math.Round(seconds * float64(s.rate)))
}

// Write is as that of [Slicer].
func (s *tableSlicer) Write(samples []float32, emit func(Clip) error) error {
	if len(samples)%s.channels != 0 {
		return fmt.Errorf("slice: %d samples do not fill whole frames of %d channels", len(samples), s.channels)
	}
	const block = 1 << 14
	for len(samples) > 0 {
		n := min(len(samples), block*s.channels)
		s.kept = append(s.kept, samples[:n]...)
		s.position += int64(n / s.channels)
		samples = samples[n:]
		for len(s.rows) > 0 && s.frame(s.rows[0].Start) < s.position {
			r := s.rows[0]
			o := span{s.frame(r.Start), max(s.frame(r.Start)+1, s.frame(r.End)), r}
			s.open, s.rows = append(s.open, o), s.rows[1:]
			s.counts.Kept += max(0, o.end-max(o.start, s.end))
			s.end = max(s.end, o.end)
		}
		if err := s.finish(s.position, emit); err != nil {
			return err
		}
		s.forget()
	}
	return nil
}

// finish emits the rows that end within the frames in hand.
func (s *tableSlicer) finish(until int64, emit func(Clip) error) error {
	left := s.open[:0]
	for i, o := range s.open {
		if o.end > until {
			left = append(left, o)
			continue
		}
		c := Clip{Start: o.start, End: o.end, Ended: EndRow, Label: o.row.Label, Row: o.row.Line}
		c.Samples = s.kept[(o.start-s.from)*int64(s.channels) : (o.end-s.from)*int64(s.channels)]
		if c.measure(); c.Peak == 0 || c.Peak < s.silent {
			s.counts.Silent++
			s.counts.SilentFrames += o.end - o.start
			continue
		}
		s.counts.Clips++
		if err := emit(c); err != nil {
			s.open = append(left, s.open[i+1:]...)
			return err
		}
	}
	s.open = left
	return nil
}

// forget drops samples that no row in progress needs.
func (s *tableSlicer) forget() {
	needed := s.position
	for _, o := range s.open {
		needed = min(needed, o.start)
	}
	if n := int(needed-s.from) * s.channels; n >= len(s.kept)/2 {
		s.kept = s.kept[:copy(s.kept, s.kept[n:])]
		s.from = needed
	}
}

// Close ends the audio: rows that go beyond it are cut at its end.
func (s *tableSlicer) Close(emit func(Clip) error) error {
	for i := range s.open {
		if s.open[i].end > s.position {
			s.late = append(s.late, s.open[i].row)
			s.open[i].end = s.position
		}
	}
	s.counts.Kept -= max(0, s.end-s.position)
	err := s.finish(s.position, emit)
	s.late = append(s.late, s.rows...)
	s.rows = nil
	return err
}

// Beyond returns, after Close, the rows that end behind the audio: of those that begin within it there is a clip up to its end.
func (s *tableSlicer) Beyond() []Row { return s.late }

// Counts is as that of [Slicer]. Kept counts the frames in rows, also where they are silent.
func (s *tableSlicer) Counts() Counts {
	c := s.counts
	c.Frames = s.position
	return c
}
