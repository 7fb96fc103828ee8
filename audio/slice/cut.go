package slice

import "math"

// decide decides about the next hop, of which the following ones are judged.
func (s *Slicer) decide(emit func(Clip) error) error {
	t := s.p.Decided
	s.p.Decided++
	hop := int64(s.d.s.hop)
	begins, continues := s.sound(t)
	at, onset := int64(0), false
	if s.config.By == Onset {
		at, onset = s.d.onset(t, s.config.Rise, s.config.Threshold)
	}
	switch {
	case !s.p.Open && (onset || begins):
		if !onset {
			at = t
		}
		s.open(max(s.p.End, at*hop-s.pre), at, t)
		return nil
	case !s.p.Open:
		return nil
	case onset && at*hop-s.pre-s.p.Start >= max(s.min, 1):
		end := at*hop - s.pre
		if err := s.finish(s.p.Start, end, end-s.p.Start, EndOnset, emit); err != nil {
			return err
		}
		s.open(end, at, t)
		return nil
	}
	if continues {
		s.p.Last = t
	}
	s.watch(t)
	switch {
	case (t-s.p.Last)*hop >= max(s.gap, hop):
		s.p.Open = false
		return s.finish(s.p.Start, min((s.p.Last+1)*hop+s.post, (t+1)*hop, s.p.Position), s.core(), EndPause, emit)
	case (t+1)*hop-s.p.Start >= s.max:
		return s.split(emit)
	}
	return nil
}

// sound reports whether a hop is loud enough, or spoken, to begin a clip, and to continue one.
func (s *Slicer) sound(t int64) (begins, continues bool) {
	if s.config.By == Speech {
		spoken := s.d.spoken(t, s.config.Threshold)
		return spoken, spoken
	}
	return s.d.loud(t, s.config.Threshold)
}

// open begins a clip at a frame; the sound begins at hop first and is there at hop t.
func (s *Slicer) open(start, first, t int64) {
	s.p.Open, s.p.Start, s.p.First, s.p.Last = true, max(0, start), first, t
	s.p.Quietest = math.Inf(1)
}

// watch notes the quietest hop within the last quarter of Max.
func (s *Slicer) watch(t int64) {
	if at := t*int64(s.d.s.hop) - s.p.Start; at < s.max-s.max/4 || at < 1 {
		return
	}
	if level := s.d.at(t).Level; level < s.p.Quietest {
		s.p.Quiet, s.p.Quietest = t, level
	}
}

// split ends a clip that is as long as it may be, and begins the next.
func (s *Slicer) split(emit func(Clip) error) error {
	hop := int64(s.d.s.hop)
	end := s.p.Start + s.max
	if !math.IsInf(s.p.Quietest, 1) {
		end = s.p.Quiet * hop
	}
	start, last := s.p.Start, s.p.Last
	s.open(max(end-s.overlap, start+1), end/hop, last)
	return s.finish(start, end, end-start, EndLength, emit)
}

// core is the length of the sound in the open clip, without what is kept before and after it, in frames.
func (s *Slicer) core() int64 { return (s.p.Last - s.p.First + 1) * int64(s.d.s.hop) }

// finish emits a clip, unless its sound is too short or too quiet.
func (s *Slicer) finish(start, end, core int64, why string, emit func(Clip) error) error {
	start = max(0, start)
	c := Clip{Start: start, End: end, Ended: why, Samples: s.kept[(start-s.from)*int64(s.channels) : (end-s.from)*int64(s.channels)]}
	fresh := end - max(start, s.p.End) // Frames that no clip before has.
	s.p.End = max(s.p.End, end)
	if core < s.min {
		s.p.Counts.Short++
		s.p.Counts.ShortFrames += fresh
		return nil
	}
	if c.measure(); c.Peak < math.Pow(10, s.config.Silent/20) || c.Peak == 0 {
		s.p.Counts.Silent++
		s.p.Counts.SilentFrames += fresh
		return nil
	}
	s.p.Counts.Clips++
	s.p.Counts.Kept += fresh
	return emit(c)
}

// measure sets the levels.
func (c *Clip) measure() {
	var sum float64
	for _, v := range c.Samples {
		x := math.Abs(float64(v))
		c.Peak = max(c.Peak, x)
		sum += x * x
	}
	c.RMS = math.Sqrt(sum / float64(max(1, len(c.Samples))))
}
