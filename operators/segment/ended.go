package segment

import (
	"cmp"
	"fmt"
	"maps"
	"slices"

	"wavemill/pipeline/header"
)

// An ended source is one whose last chunk has been used. It is remembered for the chunks of it that come later.
type ended struct {
	FirstID  string // As in session.
	Next     int64  // The number behind the last chunk.
	Missing  []span
	Recent   []used
	Early    []uint64 // As in session.
	Sequence uint64   // Of the last chunk.
}

// used is a chunk that was used: one of the same number and body is a repetition.
type used struct {
	Number int64
	Sum    uint32 // Of the body.
}

const (
	maxEnded  = 256 // ended sources that are remembered
	maxRecent = 32  // chunks of a source whose bodies are recognised behind its end
)

// remember notes that a source has ended at a chunk. Of more than maxEnded, those that ended first are forgotten.
func (f *fold) remember(key string, s *session, sequence uint64) {
	if f.ended == nil {
		f.ended = map[string]*ended{}
	}
	f.ended[key] = &ended{FirstID: s.FirstID, Next: s.Next, Missing: s.Missing, Recent: s.Recent, Early: s.Early, Sequence: sequence}
	f.gone = append(f.gone, key)
	for len(f.ended) > maxEnded {
		first := slices.MinFunc(slices.Sorted(maps.Keys(f.ended)), func(a, b string) int {
			return cmp.Compare(f.ended[a].Sequence, f.ended[b].Sequence)
		})
		delete(f.ended, first)
		f.gone = append(f.gone, first)
	}
}

// afterEnd says what becomes of a chunk of a source that is not in progress: it is refused where the source has ended, is
// nothing new, or begins a session.
func (f *fold) afterEnd(c *chunk, key string) (done bool, err error) {
	e := f.ended[key]
	if e == nil {
		return false, nil
	}
	never := c.number == 0 && slices.ContainsFunc(e.Missing, func(m span) bool { return m.From == 0 }) // 0 was never there.
	switch {
	case c.number == 0 && c.id != e.FirstID && !never:
		return false, nil // The source begins again.
	case c.number == 0 && c.id == e.FirstID, c.number > 0 && slices.Contains(e.Recent, used{c.number, c.sum}):
		f.counts.Repeated++
		return true, nil
	case c.clip.Frames() == 0:
		return true, nil // An end without samples.
	case never: // Another 0 begins the source again.
		e.FirstID, e.Missing = c.id, slices.Clone(e.Missing)
		e.Missing[0].From = 1
		f.gone = append(f.gone, key)
	}
	f.counts.Late++
	return true, fmt.Errorf("chunk %d of %s arrived after the source had ended with chunk %d (header %s); its samples are in no clip: begin the next audio of the source with chunk 0, or give it another name",
		c.number, shortened(c.source), e.Next-1, header.Last)
}

// aheadOf returns the chunks behind a place in the stream that the source has taken before their turn.
func (f *fold) aheadOf(key string, sequence uint64) (early []uint64) {
	if s := f.sessions[key]; s != nil {
		early = s.Early
	} else if e := f.ended[key]; e != nil {
		early = e.Early
	}
	return slices.DeleteFunc(slices.Clone(early), func(n uint64) bool { return n < sequence })
}
