package segment

import (
	"cmp"
	"context"
	"fmt"
	"log/slog"
	"maps"
	"slices"

	"wavemill/audio/slice"
	"wavemill/pipeline"
)

// A fold turns chunks in the order of their stream into clips. What it makes of a chunk depends on the chunks before it alone,
// so that any process that reads the same stream makes the same clips at the same chunks.
type fold struct {
	config   Config
	cut      slice.Config
	log      *slog.Logger
	sessions map[string]*session // By sourceKey.
	ended    map[string]*ended   // By sourceKey: sources whose last chunk was used, see ended.go.
	gone     []string            // Sources that have ended, or been forgotten, since the last checkpoint.
	included map[string]uint64   // By sourceKey: chunks up to here are in the state that was stored.
	counts   chunkCounts
}

// chunkCounts are told in the status.
type chunkCounts struct {
	Chunks   uint64 `json:"chunks"`   // Chunks that were taken.
	Repeated uint64 `json:"repeated"` // Repeated counts those that had been taken before.
	Late     uint64 `json:"late"`     // Late counts those that came after their gap had been closed.
	Gaps     uint64 `json:"gaps"`     // Gaps counts chunks, or runs of them, that never came in time.
}

// An outcome is what one chunk leads to: clips that it completes, or the reason why it cannot be used.
type outcome struct {
	clips []clip
	err   error
}

// sourceKey identifies a source: chunks of one name with different labels are different sources.
func sourceKey(source, label string) string { return fmt.Sprintf("%q %q", source, label) }

// feed takes the next chunk of the stream, and before it those that it takes ahead, see operator.early.
func (f *fold) feed(ctx context.Context, m *pipeline.Message, early ...*pipeline.Message) (o outcome) {
	c, err := parse(ctx, m, f.config.Label)
	if err != nil {
		return outcome{err: err}
	}
	keep := func(made clip) { o.clips = append(o.clips, made) }
	key := sourceKey(c.source, c.label)
	ahead := f.aheadOf(key, c.sequence)
	if c.sequence <= f.included[key] || slices.Contains(ahead, c.sequence) {
		return outcome{}
	}
	for _, e := range early {
		if a, err := parse(ctx, e, f.config.Label); err == nil && f.use(a, key, true, keep) == nil {
			ahead = append(ahead, a.sequence)
		}
	}
	o.err = f.use(c, key, false, keep)
	if e := f.ended[key]; e != nil {
		e.Early = ahead
	}
	return o
}

// use takes a chunk. What is early waits, so that nothing is closed before the chunk that it comes before.
func (f *fold) use(c *chunk, key string, early bool, keep func(clip)) error {
	s, err := f.sessionOf(c, key, keep)
	if err != nil || s == nil {
		return err
	}
	s.Used, s.dirty = c.sequence, true
	switch {
	case s.repeated(c):
		f.counts.Repeated++
		return nil
	case c.number < s.Next:
		f.counts.Late++
		return fmt.Errorf("chunk %d of %s: %w", c.number, shortened(c.source), errLate)
	}
	f.counts.Chunks++
	s.wait(c)
	if early {
		return nil
	}
	if err = f.drain(s, c.last, keep); err != nil {
		f.forget(key)
		err = fmt.Errorf("chunk %d of %s: %w", c.number, shortened(c.source), err)
	}
	if c.last {
		f.remember(key, s, c.sequence)
	}
	return err
}

// sessionOf returns the session that a chunk belongs to; nil where there is nothing to do for it.
func (f *fold) sessionOf(c *chunk, key string, keep func(clip)) (*session, error) {
	s := f.sessions[key]
	empty := c.clip.Frames() == 0
	switch {
	case s == nil:
	case c.number == 0 && s.Next > 0 && c.id != s.FirstID:
		f.log.Info("a source begins again; its audio so far ends there", "source", shortened(c.source), "sequence", c.sequence, "chunks", s.Next)
	case !empty && (c.clip.Rate != s.Rate || c.clip.Channels != s.Channels):
		f.log.Warn("the format of a source changes; its audio so far ends there", "source", shortened(c.source), "sequence", c.sequence,
			"from", fmt.Sprintf("%d Hz, %d channels", s.Rate, s.Channels), "to", fmt.Sprintf("%d Hz, %d channels", c.clip.Rate, c.clip.Channels))
	default:
		return s, nil
	}
	early := f.aheadOf(key, c.sequence)
	if s != nil {
		if err := f.finish(key, keep); err != nil {
			return nil, err
		}
	} else if done, err := f.afterEnd(c, key); done {
		return nil, err
	}
	if empty {
		return nil, nil // An end without a beginning.
	}
	for len(f.sessions) >= f.config.MaxSources {
		quiet := slices.MinFunc(slices.Sorted(maps.Keys(f.sessions)), func(a, b string) int {
			return cmp.Compare(f.sessions[a].Used, f.sessions[b].Used)
		})
		f.log.Warn("too many sources at once (max_sources): the audio of the one that has been quiet the longest ends here", "source", shortened(f.sessions[quiet].Source), "max_sources", f.config.MaxSources)
		if err := f.finish(quiet, keep); err != nil {
			return nil, err
		}
	}
	n, err := newSession(c, f.cut, f.config.encoding(c.about))
	if err != nil {
		return nil, err
	}
	if s == nil && c.number <= int64(f.config.Reorder) {
		n.Next = 0 // The earlier ones may be on their way.
	}
	n.Early = early
	delete(f.ended, key)
	f.sessions[key] = n
	return n, nil
}

// drain writes the chunks that are there in order. Where too many wait for a missing one, or the last one is there and with it
// what it takes ahead, the gap is closed.
func (f *fold) drain(s *session, last bool, keep func(clip)) error {
	for len(s.waits) > 0 {
		c := s.ready()
		if c == nil {
			if !last && len(s.waits) <= f.config.Reorder {
				return nil
			}
			f.counts.Gaps++
			to := s.waits[0].number
			f.log.Warn("chunks are missing; the audio ends before the gap and begins again behind it", "source", shortened(s.Source), "from", s.Next, "to", to-1)
			if err := s.skip(to, f.cut, keep); err != nil {
				return err
			}
			continue
		}
		if err := s.write(c, keep); err != nil {
			return err
		}
		if c.last {
			return f.finish(sourceKey(s.Source, s.Label), keep)
		}
	}
	return nil
}

// finish ends a session: chunks that wait for missing ones are used, and the clip in progress is complete.
func (f *fold) finish(key string, keep func(clip)) error {
	s := f.sessions[key]
	f.forget(key)
	for len(s.waits) > 0 {
		c := s.ready()
		if c == nil {
			f.counts.Gaps++
			if err := s.skip(s.waits[0].number, f.cut, keep); err != nil {
				return err
			}
			continue
		}
		if err := s.write(c, keep); err != nil {
			return err
		}
	}
	return s.end(keep)
}

// forget removes a session.
func (f *fold) forget(key string) {
	delete(f.sessions, key)
	f.gone = append(f.gone, key)
}
