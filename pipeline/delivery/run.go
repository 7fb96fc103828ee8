package delivery

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"sync"
	"time"

	"github.com/nats-io/nats.go"
	"github.com/nats-io/nats.go/jetstream"

	"wavemill/pipeline/header"
)

// Run fetches and handles messages until ctx is done, and then drains: it stops fetching, lets handlers finish the messages
// in flight for at most DrainTimeout, cancels the rest, and returns when every handler has returned. When the server is
// unreachable, Run tries again until it answers. It returns an error only for a consumer that can never work as configured.
func (l *Loop) Run(ctx context.Context) error {
	working, stopWorking := context.WithCancelCause(context.WithoutCancel(ctx))
	defer stopWorking(nil)

	var workers, beats sync.WaitGroup
	for i := range l.config.Workers {
		workers.Go(func() { l.work(i) })
	}
	beat, stopBeat := context.WithCancel(context.WithoutCancel(ctx))
	defer stopBeat()
	beats.Go(func() { l.heartbeat(beat) })
	beats.Go(func() { l.poll(beat) })

	err := l.supervise(ctx, working)

	timer := time.AfterFunc(l.config.DrainTimeout, func() { stopWorking(ErrDraining) })
	defer timer.Stop()
	close(l.queue)
	workers.Wait()
	l.acks.runs.Wait()
	stopBeat()
	beats.Wait()
	return err
}

// supervise opens the consumer and fetches, again and again, until ctx is done.
func (l *Loop) supervise(ctx, working context.Context) error {
	const first, longest = 100 * time.Millisecond, 5 * time.Second
	wait := first
	for ctx.Err() == nil {
		consumer, err := l.open(ctx)
		if err == nil {
			wait = first
			err = l.fetch(ctx, working, consumer)
		} else {
			l.backlog.failed(err) // A fetch that fails, for example on a server with much to do, is not known to fail again.
		}
		if ctx.Err() != nil {
			break
		}
		if permanent(err) {
			return fmt.Errorf("consumer %s of stream %s: %w", l.config.Durable, l.config.Stream, err)
		}
		l.log.Warn("the consumer is not available, trying again", "consumer", l.config.Durable, "error", err, "wait", wait)
		select {
		case <-ctx.Done():
		case <-time.After(wait):
		}
		wait = min(2*wait, longest)
	}
	return nil
}

// permanent reports whether opening a consumer can never succeed: the server refuses its configuration.
func permanent(err error) bool {
	var api *jetstream.APIError
	if !errors.As(err, &api) {
		return errors.Is(err, errSettings)
	}
	return api.Code == 400 && !errors.Is(err, jetstream.ErrConsumerDoesNotExist) && api.ErrorCode != jetstream.JSErrCodeConsumerExists
}

// fetch pulls messages into free slots until ctx is done or the consumer fails.
func (l *Loop) fetch(ctx, working context.Context, consumer jetstream.Consumer) error {
	for {
		// Asking for half at a time keeps the workers busy and the requests few.
		room := l.inFlight.room(ctx, max(l.config.Workers, l.lookahead()/2))
		if room == 0 {
			return nil
		}
		room = min(room, max(l.lookahead()-len(l.queue), l.config.Workers))
		room, options := l.limit(room)
		asked := time.Now()
		batch, err := consumer.Fetch(room, options...)
		if err != nil {
			return fmt.Errorf("fetch: %w", err)
		}
		n := 0
		for msg := range batch.Messages() {
			l.accept(working, msg)
			n++
		}
		if err := batch.Error(); err != nil && !errors.Is(err, nats.ErrTimeout) && !errors.Is(err, jetstream.ErrNoMessages) {
			return fmt.Errorf("fetch: %w", err)
		}
		if n == 0 && time.Since(asked) > pullExpiry+900*time.Millisecond {
			// Not even the end of the pull was answered: the server or the consumer does not exist any more.
			return errors.New("fetch: the server does not answer")
		}
		if n == 0 && len(options) > 1 && time.Since(asked) < pullExpiry {
			// The next message is larger than what may come: it has to wait for the end of another one.
			if held, _ := l.inFlight.held(); held > 0 && l.inFlight.room(ctx, l.inFlight.slots-held+1) == 0 {
				return nil
			}
		}
		if l.backlog.due(l.config.InfoEvery) {
			if err := l.refresh(ctx, consumer); err != nil {
				return err
			}
		}
	}
}

// limit bounds a fetch of so many messages by the size of what is in flight, where workers work ahead. While nothing is in flight,
// a message of any size must be able to come, and then only as many as the workers handle at once.
func (l *Loop) limit(room int) (messages int, options []jetstream.FetchOpt) {
	options = []jetstream.FetchOpt{jetstream.FetchMaxWait(pullExpiry)}
	if l.config.Ahead == 0 {
		return room, options
	}
	held, bytes := l.inFlight.held()
	if held == 0 {
		return min(room, prefetch*l.config.Workers), options
	}
	return room, append(options, jetstream.FetchMaxBytes(max(l.config.AheadBytes-bytes, 1)))
}

// lookahead is how many messages may wait for a worker: two per worker, or as many as the workers handle in a tenth of a second,
// if they may work ahead. More would wait here while other replicas have nothing to do.
func (l *Loop) lookahead() int {
	least, most := prefetch*l.config.Workers, (prefetch+l.config.Ahead)*l.config.Workers
	pace := time.Duration(l.pace.Load())
	if pace == 0 {
		return least
	}
	return min(max(int(100*time.Millisecond/pace)*l.config.Workers, least), most)
}

// accept queues a fetched message for the workers. There is a free slot for it.
func (l *Loop) accept(working context.Context, msg jetstream.Msg) {
	meta, err := msg.Metadata()
	if err != nil {
		l.log.Error("a message without JetStream metadata is ignored", "subject", msg.Subject(), "error", err)
		return
	}
	l.backlog.waiting.Store(meta.NumPending)
	e := &entry{msg: msg, seq: meta.Sequence.Stream, size: len(msg.Data()), reply: msg.Reply(), lease: time.Now()}
	e.ctx, e.cancel = context.WithCancelCause(working)
	if !l.inFlight.add(e) {
		// The server has delivered the message again although it is still in flight here.
		e.cancel(nil)
		l.logOf(e).Debug("a copy of a message in flight is dropped", "consumer", l.config.Durable)
		return
	}
	l.queue <- e
}

// logOf returns the log for lines about one message.
func (l *Loop) logOf(e *entry) *slog.Logger {
	h := e.msg.Headers()
	return l.log.With("stream", l.config.Stream, "seq", e.seq, "msg_id", header.DecodeValue(h.Get(jetstream.MsgIDHeader)),
		"trace_id", header.TraceID(h.Get(header.Traceparent)))
}

// work handles queued messages until the queue is closed and empty.
func (l *Loop) work(worker int) {
	var finishing sync.WaitGroup
	defer finishing.Wait()
	for e := range l.queue {
		outcome := Outcome{Verdict: Retry}
		if e.ctx.Err() == nil {
			began := time.Now()
			outcome = l.handle(e.ctx, worker, e.msg)
			l.pace.Store((7*l.pace.Load() + int64(time.Since(began))) / 8) // Another worker's may get lost: it is an estimate.
		}
		if outcome.Finish == nil {
			l.settle(e, outcome)
			l.inFlight.remove(e)
			continue
		}
		finishing.Go(func() { // As many as there are slots.
			l.settle(e, outcome.Finish())
			l.inFlight.remove(e)
		})
	}
}

// settle reports the outcome of a message to the server. A failure to do so is logged and otherwise harmless: the message
// is delivered again, and its outputs are recognised as duplicates.
func (l *Loop) settle(e *entry, o Outcome) {
	if errors.Is(context.Cause(e.ctx), ErrLeaseLost) && o.Verdict != Ack {
		return // The server has delivered it again; the other delivery settles it.
	}
	var err error
	switch o.Verdict {
	case Ack:
		err = l.acks.confirm(e)
	case Drop:
		err = l.confirm(e, "+TERM "+o.Reason)
	case Retry:
		err = l.conn.Publish(l.inFlight.replyOf(e), fmt.Appendf(nil, `-NAK {"delay": %d}`, o.Delay.Nanoseconds()))
	case Abandon:
	}
	if err == nil && o.Verdict != Abandon && l.config.Settled != nil {
		l.config.Settled(o.Verdict)
	}
	if err != nil {
		l.logOf(e).Warn("the outcome of a message could not be reported; the server will deliver it again", "consumer", l.config.Durable, "error", err)
	}
}

// confirm sends an acknowledgement and waits until the server has confirmed it. It tries again for at most AckWait.
func (l *Loop) confirm(e *entry, verb string) error {
	ctx, cancel := context.WithTimeout(context.WithoutCancel(e.ctx), l.config.AckWait)
	defer cancel()
	for {
		attempt, done := context.WithTimeout(ctx, min(max(l.config.AckWait/4, time.Second/4), 2*time.Second))
		_, err := l.conn.RequestWithContext(attempt, l.inFlight.replyOf(e), []byte(verb))
		done()
		if err == nil || ctx.Err() != nil {
			return err
		}
		if l.forgotten(ctx, e) {
			return errForgotten
		}
		select {
		case <-ctx.Done():
		case <-time.After(50 * time.Millisecond):
		}
	}
}

// errForgotten is the error of a message that the server has no record of having delivered. A server that was killed may
// have lost its latest records; it does not answer acknowledgements of such messages, and delivers them again.
var errForgotten = errors.New("the server has no record of the delivery")

// forgotten reports whether the consumer's own records end before e.
func (l *Loop) forgotten(ctx context.Context, e *entry) bool {
	if !l.conn.IsConnected() {
		return false
	}
	ctx, cancel := context.WithTimeout(ctx, 2*time.Second)
	defer cancel()
	consumer, err := l.js.Consumer(ctx, l.config.Stream, l.config.Durable)
	return errors.Is(err, jetstream.ErrConsumerNotFound) || err == nil && consumer.CachedInfo().Delivered.Stream < e.seq
}

// heartbeat renews the leases of all messages in flight, every third of AckWait, until ctx is done.
func (l *Loop) heartbeat(ctx context.Context) {
	every := l.config.AckWait / 3
	ticker := time.NewTicker(every)
	defer ticker.Stop()
	for {
		select {
		case <-ctx.Done():
			return
		case <-ticker.C:
		}
		entries := l.inFlight.all()
		at := time.Now()
		renewed := len(entries) > 0 && l.conn.IsConnected()
		for _, e := range entries {
			if err := l.conn.Publish(l.inFlight.replyOf(e), []byte("+WPI")); err != nil {
				renewed = false
			}
		}
		// The answer to a ping means that the server has read what was sent before it.
		if renewed && l.conn.FlushTimeout(every) == nil {
			l.inFlight.renew(entries, at)
		}
		if n := l.inFlight.expire(l.config.AckWait, time.Now()); n > 0 {
			l.log.Warn("leases could not be renewed in time; work on these messages is cancelled", "consumer", l.config.Durable, "messages", n)
		}
	}
}
