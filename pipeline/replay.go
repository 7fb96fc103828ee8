package pipeline

import (
	"context"
	"crypto/sha256"
	"errors"
	"fmt"
	"sync"

	"github.com/nats-io/nats.go/jetstream"

	"wavemill/pipeline/header"
	"wavemill/pipeline/reader"
)

// messages is the body of [Bus.Messages].
func (b *Bus) messages(ctx context.Context, s Subscription, yield func(*Message, error) bool) {
	if err := checkStreamName(s.Stream); err != nil {
		yield(nil, err)
		return
	}
	r := reader.Request{Stream: b.spec.StreamName(s.Stream), Filter: b.spec.subjects(s.Stream), From: s.From, Last: s.Last, HeadersOnly: s.HeadersOnly}
	if s.Label != "" {
		r.Filter = b.spec.Subject(s.Stream, s.Label)
	}
	err := reader.Read(ctx, b.js, r, func(msg *reader.Message) bool {
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
	err := reader.Read(ctx, p.bus.js, reader.Request{
		Stream: spec.StreamName(stream), Filter: spec.subjects(stream),
		From: sc.next, Last: true, HeadersOnly: true,
	}, func(msg *reader.Message) bool {
		sc.next = msg.Sequence() + 1
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
