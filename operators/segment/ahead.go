package segment

import (
	"cmp"
	"context"
	"fmt"
	"maps"
	"slices"
	"time"

	"wavemill/pipeline"
	"wavemill/pipeline/header"
)

// grace is how long after the last chunk of a source the stream may store earlier ones that are still taken: as long as a
// publisher takes to send again what was not acknowledged. Times are those of the stream, so that every process that reads it
// finds the same.
const grace = 2 * time.Second

// poll is how often the stream is asked for chunks that may still come.
const poll = 20 * time.Millisecond

// A gap is the numbers of chunks that the last chunk of a source comes before: from, to, without those that wait.
type gap struct {
	key      string
	from, to int64
	waits    []*chunk
	missing  int64 // How many they are.
}

// gapBefore returns the gap before the last chunk of a source; false where there is none, or more is missing than may wait.
func (f *fold) gapBefore(c *chunk) (g gap, ok bool) {
	g = gap{key: sourceKey(c.source, c.label), to: c.number}
	s, reorder := f.sessions[g.key], int64(f.config.Reorder)
	switch {
	case c.sequence <= f.included[g.key]:
		return g, false
	case s != nil:
		g.from, g.waits = s.Next, s.waits
	case f.ended[g.key] != nil || c.number > reorder:
		return g, false
	}
	g.missing = g.to - g.from
	for _, w := range g.waits {
		if w.number < g.to {
			g.missing--
		}
	}
	return g, g.missing > 0 && g.missing <= reorder
}

// early returns the chunks that are missing before m, the last chunk of a source, and that the stream stores within grace after
// it. Where they may still come, it waits for them. They are fed before m, so that it depends on the stream alone which chunk
// completes which clip.
func (o *operator) early(ctx context.Context, m *pipeline.Message) ([]*pipeline.Message, error) {
	if m.Header[header.Last] != "true" {
		return nil, nil
	}
	c, err := parse(ctx, m, o.config.Label)
	if err != nil {
		return nil, ctx.Err() // feed says what is wrong with it.
	}
	g, ok := o.fold.gapBefore(c)
	if !ok {
		return nil, nil
	}
	found := map[int64]*pipeline.Message{}
	until, began, next := m.Time.Add(grace), time.Now(), m.Sequence+1
	for {
		now, last, err := o.newestOf(ctx)
		if err != nil {
			return nil, err
		}
		if next, err = o.collect(ctx, g, next, last, until, found); err != nil {
			return nil, err
		}
		// Neither a server whose clock was set back nor a message that cannot be read keeps all sources waiting.
		if int64(len(found)) == g.missing || now.After(until) && next > last || time.Since(began) > 2*grace {
			break
		}
		select {
		case <-ctx.Done():
			return nil, ctx.Err()
		case <-time.After(poll):
		}
	}
	return slices.SortedFunc(maps.Values(found), func(a, b *pipeline.Message) int { return cmp.Compare(a.Sequence, b.Sequence) }), nil
}

// newestOf returns the time of the server, and the sequence of the newest message at that time.
func (o *operator) newestOf(ctx context.Context) (now time.Time, last uint64, err error) {
	s, err := o.env.Bus.JetStream().Stream(ctx, o.env.Bus.Spec().StreamName(o.env.From))
	if err != nil {
		return now, 0, fmt.Errorf("stream %s: %w", o.env.From, err)
	}
	return s.CachedInfo().TimeStamp, s.CachedInfo().State.LastSeq, nil
}

// collect adds to found the chunks of a gap from one stream sequence to another, and returns the sequence to go on from. After a
// failed read, which may be temporary, that is the sequence behind the last message that was read.
func (o *operator) collect(ctx context.Context, g gap, from, to uint64, until time.Time, found map[int64]*pipeline.Message) (next uint64, err error) {
	if from > to {
		return from, nil
	}
	next, failed := from, false
	for m, err := range o.env.Bus.Messages(ctx, pipeline.Subscription{Stream: o.env.From, From: from, Last: true, HeadersOnly: true}) {
		if failed = err != nil; failed {
			continue // It becomes a dead letter when it is delivered.
		}
		if m.Sequence > to || m.Time.After(until) {
			break
		}
		if g.has(m, o.config.Label) && found[numberOf(m)] == nil {
			whole := o.whole(ctx, m.Sequence)
			if whole == nil {
				return next, ctx.Err()
			}
			if _, err := parse(ctx, whole, o.config.Label); err == nil {
				found[numberOf(m)] = whole // What is no good is a dead letter when it is delivered.
			}
		}
		next = m.Sequence + 1
	}
	if failed || ctx.Err() != nil {
		return next, ctx.Err()
	}
	return to + 1, nil
}

// has reports whether a message without its body is a chunk of the gap.
func (g gap) has(m *pipeline.Message, label string) bool {
	if !isChunk(m) {
		return false
	}
	if label == "" {
		label = m.Label
	}
	n := numberOf(m)
	return g.key == sourceKey(m.Header[header.Source], label) && n >= g.from && n < g.to &&
		!slices.ContainsFunc(g.waits, func(w *chunk) bool { return w.number == n })
}

// whole reads a message with its body; nil where it cannot be read.
func (o *operator) whole(ctx context.Context, sequence uint64) *pipeline.Message {
	for m, err := range o.env.Bus.Messages(ctx, pipeline.Subscription{Stream: o.env.From, From: sequence, Last: true}) {
		if err == nil && m.Sequence == sequence {
			return m
		}
		break
	}
	return nil
}
