package pipeline

import (
	"context"
	"fmt"
	"iter"
)

// A Subscription says which messages [Bus.Messages] yields.
type Subscription struct {
	// Stream is a message type, or the name of another stream of the pipeline as from and to have it.
	Stream string
	Label  string // Label; empty: all of them.
	// From is the first stream sequence; 0: only what is published from now on, 1: everything that is kept.
	From uint64
	// Last ends the iteration once the messages that were there at the start have been yielded.
	Last bool
	// HeadersOnly leaves out the bodies, which makes counting and looking for something fast. Stored bodies are not fetched,
	// and the header Wavemill-Object stays.
	HeadersOnly bool
}

// Messages yields the messages of a subscription in stream order until ctx ends, with stored bodies fetched. It
// acknowledges nothing and leaves no consumer behind. A message that cannot be decoded is yielded as an error, and
// the iteration goes on.
func (b *Bus) Messages(ctx context.Context, s Subscription) iter.Seq2[*Message, error] {
	return func(yield func(*Message, error) bool) { b.messages(ctx, s, yield) }
}

// LastSequence is the sequence of the newest message of a stream, 0 for an empty one. Messages published later have
// higher ones, so From: LastSequence+1 subscribes without a gap.
func (b *Bus) LastSequence(ctx context.Context, stream string) (uint64, error) {
	info, err := b.js.Stream(ctx, b.spec.StreamName(stream))
	if err != nil {
		return 0, fmt.Errorf("stream %s: %w", b.spec.StreamName(stream), err)
	}
	return info.CachedInfo().State.LastSeq, nil
}
