package pipeline

import (
	"context"
	"errors"
	"fmt"
	"io"
	"net"
	"sync"
	"sync/atomic"
	"time"

	"github.com/nats-io/nats.go"
	"github.com/nats-io/nats.go/jetstream"

	"wavemill/pipeline/header"
)

// publishWait is how long one attempt waits for the stream's confirmation. After it the stream is looked up: while anybody
// subscribes to its subjects, a stream that does not exist is a missing answer, and not an error.
const publishWait = 2 * time.Second

// longWait is after how long the wait for a confirmation is counted and logged, the latter once in logAgainEvery, however many wait.
const (
	longWait      = 5 * time.Second
	logAgainEvery = time.Minute
)

// waits counts by name, such as by stream the publications that had to wait for longWait.
type waits struct{ byStream sync.Map }

func (w *waits) of(stream string) *atomic.Uint64 {
	n, _ := w.byStream.LoadOrStore(stream, new(atomic.Uint64))
	return n.(*atomic.Uint64)
}

// count is the number for a stream, or for all of them where the stream is not known.
func (w *waits) count(stream string) (n uint64) {
	if stream != "" {
		return w.of(stream).Load()
	}
	w.byStream.Range(func(_, of any) bool {
		n += of.(*atomic.Uint64).Load()
		return true
	})
	return n
}

// publish stores msg in a stream and returns the confirmation. It repeats what fails temporarily, until ctx ends.
func (b *Bus) publish(ctx context.Context, msg *nats.Msg, stream string) (Ack, error) {
	p, err := b.begin(ctx, msg, stream)
	if err != nil {
		return Ack{}, err
	}
	return p.wait()
}

// retryPublish repeats a publication of which the first attempt has failed with err, as long as that may help.
func (b *Bus) retryPublish(ctx context.Context, msg *nats.Msg, stream string, err error) (Ack, error) {
	tell, told := time.Now().Add(longWait-publishWait), false // The first attempt may have taken that long.
	for attempt := 1; ; attempt++ {
		if attempt > 1 {
			ack, again := b.publishOnce(ctx, msg)
			if again == nil {
				b.existing.Store(stream, true)
				b.confirmed(stream)
				return ackOf(ack), nil
			}
			err = again
		}
		if now := time.Now(); now.After(tell) {
			if !told {
				b.waits.of(stream).Add(1)
			}
			if b.stalls.of(output{b.operator, stream}).tell(now) {
				b.log.WarnContext(ctx, "the stream does not confirm messages, waiting", "pipeline", b.spec.Name, "operator", b.operator, "output", b.spec.StreamName(stream), "subject", msg.Subject, "attempt", attempt, "error", b.silence(err))
			}
			tell, told = now.Add(logAgainEvery), true
		}
		if unanswered(err) && b.isDenied(msg.Subject) {
			b.stalled(ctx, stream, err)
			return Ack{}, &Error{Kind: Transient, Err: fmt.Errorf("publish on %s: %w", msg.Subject, b.explain(err))}
		}
		wait, ok := b.waitAfter(ctx, err, attempt, stream)
		if !ok {
			return Ack{}, fmt.Errorf("publish on %s: %w", msg.Subject, err)
		}
		b.stalled(ctx, stream, err)
		select {
		case <-time.After(wait):
		case <-ctx.Done():
			return Ack{}, fmt.Errorf("publish on %s: %w: %w", msg.Subject, context.Cause(ctx), err)
		}
	}
}

// publishOnce waits for one answer, at most publishWait, and not longer than the connection lasts.
func (b *Bus) publishOnce(ctx context.Context, msg *nats.Msg) (*jetstream.PubAck, error) {
	ctx, cancel := context.WithTimeout(ctx, publishWait)
	defer cancel()
	defer context.AfterFunc(b.connection.Load().ctx, cancel)()
	return b.js.PublishMsg(ctx, msg)
}

// offload moves a body that is too large for the server into the object store.
func (b *Bus) offload(ctx context.Context, msg *nats.Msg) error {
	if int64(msg.Size()-len(msg.Subject)) <= b.conn.MaxPayload() {
		return nil
	}
	bytes := len(msg.Data)
	late := time.AfterFunc(longWait, func() {
		b.log.WarnContext(ctx, "the object store does not confirm a body, waiting", "pipeline", b.spec.Name, "operator", b.operator, "bucket", b.spec.objectBucket(), "subject", msg.Subject, "bytes", bytes, "error", b.silence(nats.ErrTimeout))
	})
	ref, err := b.objects.Put(ctx, msg.Data)
	late.Stop()
	if err != nil {
		return err
	}
	msg.Header.Set(header.Object, ref)
	msg.Data = nil
	return nil
}

// Codes of temporary server errors that nats.go has no names for.
const (
	codeUnavailable  jetstream.ErrorCode = 10008 // JetStream is temporarily unavailable: an election, for example.
	codeNoResources  jetstream.ErrorCode = 10023 // The server's store has reached its limit.
	codeNoStorage    jetstream.ErrorCode = 10047 // As above, for a stream that reserves its space.
	codeStoreFailed  jetstream.ErrorCode = 10077 // The stream is full and discards new messages, or the disk is full.
	codeOffline      jetstream.ErrorCode = 10118 // The stream's server is away.
	codeInProcess    jetstream.ErrorCode = 10158 // A message with this id is being stored just now.
	codeManyRequests jetstream.ErrorCode = 10167 // Too many requests.
)

// waitAfter decides whether a failed publish is worth repeating, and when.
func (b *Bus) waitAfter(ctx context.Context, err error, attempt int, stream string) (time.Duration, bool) {
	const first, longest = 50 * time.Millisecond, 5 * time.Second
	wait := longest
	if attempt < 8 {
		wait = min(longest, first<<(attempt-1))
	}
	api, isAPI := errors.AsType[*jetstream.APIError](err)
	switch {
	case ctx.Err() != nil:
		return 0, false
	case isAPI:
		switch api.ErrorCode {
		case codeUnavailable, codeNoResources, codeNoStorage, codeStoreFailed, codeOffline, codeInProcess, codeManyRequests:
			return wait, true
		}
		return 0, false
	case errors.Is(err, jetstream.ErrNoStreamResponse), errors.Is(err, nats.ErrNoResponders):
		// The stream does not exist, or the server is still starting.
		b.restore(ctx, stream)
		return wait, true
	case unanswered(err):
		b.restore(ctx, stream)
		return wait, true
	case errors.Is(err, nats.ErrDisconnected), errors.Is(err, nats.ErrConnectionReconnecting),
		errors.Is(err, nats.ErrReconnectBufExceeded), errors.Is(err, context.Canceled),
		errors.Is(err, jetstream.ErrTooManyStalledMsgs), broken(err):
		return wait, true
	}
	return 0, false
}

// broken reports whether an error is one of the connection itself, such as a broken pipe: a write that met its end.
func broken(err error) bool {
	_, network := errors.AsType[*net.OpError](err)
	return network || errors.Is(err, net.ErrClosed) || errors.Is(err, io.ErrClosedPipe) || errors.Is(err, io.EOF)
}

// restore creates a stream if it does not exist any more. It does not wait long: the connection may be the reason.
func (b *Bus) restore(ctx context.Context, stream string) {
	ctx, cancel := context.WithTimeout(ctx, publishWait)
	defer cancel()
	defer context.AfterFunc(b.connection.Load().ctx, cancel)()
	_, existed := b.existing.Load(stream)
	_, err := b.js.Stream(ctx, b.spec.StreamName(stream))
	if !errors.Is(err, jetstream.ErrStreamNotFound) {
		return // It exists, or the server does not say.
	}
	if err := b.ensureStream(ctx, stream); err != nil {
		b.log.Warn("the stream does not exist and could not be created, trying again", "stream", b.spec.StreamName(stream), "error", err)
		return
	}
	if !existed {
		b.log.Info("the stream has been created", "stream", b.spec.StreamName(stream))
		return
	}
	b.log.Warn("the stream did not exist any more; it has been created again, without the messages it had", "stream", b.spec.StreamName(stream))
}
