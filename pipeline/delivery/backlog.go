package delivery

import (
	"context"
	"errors"
	"sync/atomic"
	"time"

	"github.com/nats-io/nats.go/jetstream"
)

// backlog is the consumer's state as last reported by the server. It is safe for concurrent use.
type backlog struct {
	waiting, unacknowledged atomic.Uint64

	at       atomic.Int64 // When it was asked for last, in Unix nanoseconds.
	consumer atomic.Pointer[jetstream.Consumer]
	fault    atomic.Pointer[error] // Why there is no consumer to fetch from; nil: there is one.
}

// store takes what the server says.
func (b *backlog) store(info *jetstream.ConsumerInfo) {
	b.waiting.Store(info.NumPending)
	b.unacknowledged.Store(uint64(max(info.NumAckPending, 0)))
}

// opened records a consumer that works.
func (b *backlog) opened(c jetstream.Consumer) {
	b.at.Store(time.Now().UnixNano())
	b.consumer.Store(&c)
	b.fault.Store(nil)
}

// failed records that the consumer does not work.
func (b *backlog) failed(err error) { b.fault.Store(&err) }

// due reports whether the last request is older than every.
func (b *backlog) due(every time.Duration) bool {
	return time.Since(time.Unix(0, b.at.Load())) > every
}

// Pending returns how many messages wait in the stream for this consumer and how many are delivered but not yet
// acknowledged, as the server last reported. While [Loop.Fault] is not nil they are out of date.
func (l *Loop) Pending() (waiting, unacknowledged uint64) {
	return l.backlog.waiting.Load(), l.backlog.unacknowledged.Load()
}

// Known reports whether the server has told the consumer's state, and nothing has failed since.
func (l *Loop) Known() bool { return l.backlog.consumer.Load() != nil && l.Fault() == nil }

// Fault returns why nothing can be fetched, such as a deleted consumer, or nil.
func (l *Loop) Fault() error {
	if err := l.backlog.fault.Load(); err != nil {
		return *err
	}
	return nil
}

// poll asks for the consumer's state every InfoEvery, until ctx is done.
func (l *Loop) poll(ctx context.Context) {
	ticker := time.NewTicker(l.config.InfoEvery)
	defer ticker.Stop()
	for {
		select {
		case <-ctx.Done():
			return
		case <-ticker.C:
		}
		if consumer := l.backlog.consumer.Load(); consumer != nil && l.backlog.due(l.config.InfoEvery/2) {
			l.ask(ctx, *consumer)
		}
	}
}

// ask reads the consumer's state once.
func (l *Loop) ask(ctx context.Context, consumer jetstream.Consumer) {
	ctx, cancel := context.WithTimeout(ctx, 2*time.Second)
	defer cancel()
	l.backlog.at.Store(time.Now().UnixNano())
	created, _ := l.position.get()
	switch info, err := consumer.Info(ctx); {
	case err == nil:
		l.told(created, info)
	case errors.Is(err, jetstream.ErrConsumerNotFound), errors.Is(err, jetstream.ErrStreamNotFound):
		l.backlog.failed(err)
	}
}
