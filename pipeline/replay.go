package pipeline

import (
	"context"
	"crypto/sha256"
	"errors"
	"fmt"
	"sync"

	"github.com/nats-io/nats.go/jetstream"

	"wavemill/pipeline/header"
)

// replayRequest reads a stream in order without a durable consumer.
type replayRequest struct {
	stream, filter string
	from           uint64 // First stream sequence; 0: new messages only.
	last           bool   // End with what was there at the start.
	headersOnly    bool
}

// replay calls f for every message until it returns false, ctx ends, or, with last, the stream is read.
func (b *Bus) replay(ctx context.Context, r replayRequest, f func(jetstream.Msg) bool) error {
	stream, err := b.js.Stream(ctx, r.stream)
	if err != nil {
		return fmt.Errorf("stream %s: %w", r.stream, err)
	}
	config := jetstream.OrderedConsumerConfig{FilterSubjects: []string{r.filter}, HeadersOnly: r.headersOnly, DeliverPolicy: jetstream.DeliverNewPolicy}
	if r.from > 0 {
		config.DeliverPolicy, config.OptStartSeq = jetstream.DeliverByStartSequencePolicy, r.from
	}
	consumer, err := stream.OrderedConsumer(ctx, config)
	if err != nil {
		return fmt.Errorf("read stream %s: %w", r.stream, err)
	}
	if r.last && (r.from == 0 || consumer.CachedInfo().NumPending == 0) {
		return nil
	}
	end := stream.CachedInfo().State.LastSeq
	messages, err := consumer.Messages()
	if err != nil {
		return fmt.Errorf("read stream %s: %w", r.stream, err)
	}
	defer messages.Stop()
	for {
		msg, err := messages.Next(jetstream.NextContext(ctx))
		if err != nil {
			return fmt.Errorf("read stream %s: %w", r.stream, err)
		}
		meta, err := msg.Metadata()
		if err != nil {
			return fmt.Errorf("read stream %s: %w", r.stream, err)
		}
		if r.last && meta.Sequence.Stream > end {
			return nil
		}
		if !f(msg) || (r.last && (meta.NumPending == 0 || meta.Sequence.Stream == end)) {
			return nil
		}
	}
}

// messages is the body of [Bus.Messages].
func (b *Bus) messages(ctx context.Context, s Subscription, yield func(*Message, error) bool) {
	if err := checkStreamName(s.Stream); err != nil {
		yield(nil, err)
		return
	}
	r := replayRequest{stream: b.spec.StreamName(s.Stream), filter: b.spec.subjects(s.Stream), from: s.From, last: s.Last, headersOnly: s.HeadersOnly}
	if s.Label != "" {
		r.filter = b.spec.Subject(s.Stream, s.Label)
	}
	err := b.replay(ctx, r, func(msg jetstream.Msg) bool {
		m, err := decode(msg)
		if err == nil && !s.HeadersOnly {
			err = b.resolve(ctx, m)
		}
		if err != nil {
			return yield(nil, fmt.Errorf("message on %s: %w", msg.Subject(), err))
		}
		return yield(m, nil)
	})
	if err != nil && !errors.Is(err, context.Canceled) {
		yield(nil, err)
	}
}

// published finds out which outputs of a stage are stored, however long ago: it reads the ids in the output streams.
// Duplicate windows are cheaper and cover everything that is repeated soon; this covers what is repeated later.
type published struct {
	bus      *Bus
	mu       sync.Mutex
	byStream map[string]*scan
}

// scan is how far a stream has been read, and the ids found, hashed because there may be millions.
type scan struct {
	next uint64
	ids  map[[16]byte]struct{}
}

func (p *published) has(ctx context.Context, stream, id string) (bool, error) {
	p.mu.Lock()
	defer p.mu.Unlock()
	if p.byStream == nil {
		p.byStream = make(map[string]*scan)
	}
	sc := p.byStream[stream]
	if sc == nil {
		sc = &scan{next: 1, ids: make(map[[16]byte]struct{})}
		p.byStream[stream] = sc
	}
	spec := p.bus.spec
	err := p.bus.replay(ctx, replayRequest{
		stream: spec.StreamName(stream), filter: spec.subjects(stream),
		from: sc.next, last: true, headersOnly: true,
	}, func(msg jetstream.Msg) bool {
		if meta, err := msg.Metadata(); err == nil {
			sc.next = meta.Sequence.Stream + 1
		}
		sc.ids[idHash(header.DecodeValue(msg.Headers().Get(jetstream.MsgIDHeader)))] = struct{}{}
		return true
	})
	if err != nil {
		return false, fmt.Errorf("look for an earlier output: %w", err)
	}
	_, ok := sc.ids[idHash(id)]
	return ok, nil
}

func idHash(id string) [16]byte {
	sum := sha256.Sum256([]byte(id))
	return [16]byte(sum[:16])
}
