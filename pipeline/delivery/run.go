package delivery

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"runtime"
	"sync"
	"time"

	"github.com/nats-io/nats.go"
	"github.com/nats-io/nats.go/jetstream"

	"wavemill/pipeline/header"
)

// Run fetches and handles messages until ctx is done, and then drains: it stops fetching, gives the messages back that no handler
// has begun with, so that others take them, lets handlers finish theirs for at most DrainTimeout, cancels the rest, and returns when
// every handler has returned. When the server is
// unreachable, Run tries again until it answers. It returns an error only for a consumer that can never work as configured.
func (l *Loop) Run(ctx context.Context) error {
	working, stopWorking := context.WithCancelCause(context.WithoutCancel(ctx))
	defer stopWorking(nil)
	l.working = working

	var workers, beats sync.WaitGroup
	for i := range l.config.Workers {
		workers.Go(func() { l.work(i) })
	}
	beat, stopBeat := context.WithCancel(context.WithoutCancel(ctx))
	defer stopBeat()
	beats.Go(func() { l.heartbeat(beat) })
	beats.Go(func() { l.poll(beat) })

	err := l.supervise(ctx)

	timer := time.AfterFunc(l.config.DrainTimeout, func() { stopWorking(ErrDraining) })
	defer timer.Stop()
	l.pull.end()
	l.leaving.Store(true) // Not before: what is given back must not come again here.
	l.accepting.Lock()
	l.closed = true
	close(l.queue)
	l.accepting.Unlock()
	for e := range l.queue { // While the workers finish.
		l.settle(e, Outcome{Verdict: Retry})
		l.inFlight.remove(e)
	}
	workers.Wait()
	l.acks.runs.Wait()
	stopBeat()
	beats.Wait()
	return err
}

// supervise opens the consumer and fetches, again and again, until ctx is done.
func (l *Loop) supervise(ctx context.Context) error {
	const first, longest = 100 * time.Millisecond, 5 * time.Second
	wait := first
	for ctx.Err() == nil {
		err := l.whileConnected(ctx, l.open)
		if err == nil {
			wait = first
			err = l.fetch(ctx)
		} else {
			l.backlog.failed(err) // A fetch that fails, for example on a server with much to do, is not known to fail again.
		}
		if errors.Is(err, errReconnected) {
			continue
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

// whileConnected calls f with a context that ends when the connection is lost, and with it the answers that f waits for.
func (l *Loop) whileConnected(ctx context.Context, f func(context.Context) error) error {
	ctx, cancel := context.WithCancelCause(ctx)
	lost := l.conn.StatusChanged(nats.RECONNECTING, nats.CLOSED)
	var watching sync.WaitGroup
	watching.Go(func() {
		defer l.conn.RemoveStatusListener(lost)
		select {
		case <-lost:
			cancel(nats.ErrDisconnected)
		case <-ctx.Done():
		}
	})
	defer watching.Wait()
	defer cancel(nil)
	err := f(ctx)
	if err != nil && ctx.Err() != nil {
		return context.Cause(ctx)
	}
	return err
}

// permanent reports whether opening a consumer can never succeed: the server refuses its configuration.
func permanent(err error) bool {
	var api *jetstream.APIError
	if !errors.As(err, &api) {
		return errors.Is(err, errSettings)
	}
	return api.Code == 400 && !errors.Is(err, jetstream.ErrConsumerDoesNotExist) && api.ErrorCode != jetstream.JSErrCodeConsumerExists
}

// fetch asks for messages until ctx is done or the consumer must be looked at.
func (l *Loop) fetch(ctx context.Context) error {
	if err := l.pull.listen(); err != nil {
		return err
	}
	connected := l.conn.StatusChanged(nats.CONNECTED)
	defer l.conn.RemoveStatusListener(connected)
	ticker := time.NewTicker(pullHeartbeat / 2) // Silence makes no noise.
	defer ticker.Stop()
	l.pull.begin()
	for {
		asked, bytes, large, fault := l.pull.state()
		if fault != nil {
			return fmt.Errorf("fetch: %w", fault)
		}
		if messages, limit := l.wanted(asked, bytes, large); messages > 0 {
			if err := l.pull.request(messages, limit); err != nil {
				return err
			}
			continue
		}
		select {
		case <-ctx.Done():
			return nil
		case <-connected:
			return errReconnected
		case <-l.changed:
		case <-ticker.C:
		}
	}
}

// errReconnected is the error of requests to a server that the connection was lost to.
var errReconnected = errors.New("reconnected")

// wake makes fetch look whether to ask for more.
func (l *Loop) wake() {
	select {
	case l.changed <- struct{}{}:
	default: // It will look.
	}
}

// wanted is how many messages to ask for now, together of at most so many bytes; 0: of any size. Asked and bytes are what earlier
// requests may still bring, and large is the limit that the next message was too large for.
//
// Asking when half is left keeps the workers busy and the requests few. Where workers work ahead, what is in flight is bounded by
// its size too. While nothing is in flight, a message of any size must be able to come, and then only as many as the workers handle
// at once.
func (l *Loop) wanted(asked, bytes, large int) (messages, limit int) {
	held, heldBytes := l.inFlight.held()
	ahead := l.lookahead()
	messages = min(l.inFlight.slots-held-asked, ahead-len(l.queue)-asked)
	if messages < max(ahead/2, 1) {
		return 0, 0
	}
	if l.config.Ahead == 0 {
		return messages, 0
	}
	if held == 0 && asked == 0 {
		return min(messages, prefetch*l.config.Workers), 0
	}
	room := l.config.AheadBytes - heldBytes - bytes
	limit = min(room, l.config.AheadBytes/4) // There are others beside it.
	if large > 0 {
		limit = room // The next message has to wait for the end of others.
	}
	if limit <= large {
		return 0, 0
	}
	return messages, limit
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

// accept queues a message for the workers, or gives it back where it has no place.
func (l *Loop) accept(received *nats.Msg) {
	msg, err := newMessage(received)
	if err != nil {
		l.log.Error("a message without JetStream metadata is ignored", "subject", received.Subject, "error", err)
		return
	}
	l.backlog.waiting.Store(msg.meta.NumPending)
	e := &entry{msg: msg, seq: msg.meta.Sequence.Stream, size: len(msg.Data()), reply: received.Reply, lease: time.Now()}
	l.accepting.Lock()
	defer l.accepting.Unlock()
	if l.closed {
		l.giveBack(e, 0)
		return
	}
	e.ctx, e.cancel = context.WithCancelCause(l.working)
	switch l.inFlight.add(e) {
	case added:
		l.queue <- e
	case copied:
		// The server has delivered the message again although it is still in flight here.
		e.cancel(nil)
		l.logOf(e).Debug("a copy of a message in flight is dropped", "consumer", l.config.Durable)
	case full:
		// Requests that were taken to be lost have brought it. Without a delay it could come again at once, each time as another
		// attempt.
		e.cancel(nil)
		l.giveBack(e, time.Second)
	}
}

// giveBack makes the server deliver a message again, after a delay. If that fails it does so when the lease has run out.
func (l *Loop) giveBack(e *entry, delay time.Duration) {
	if err := l.conn.Publish(e.reply, nak(delay)); err != nil {
		l.logOf(e).Debug("a message could not be given back; the server will deliver it again", "consumer", l.config.Durable, "error", err)
	}
}

func nak(delay time.Duration) []byte {
	return fmt.Appendf(nil, `-NAK {"delay": %d}`, delay.Nanoseconds())
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
		l.wake()
		// Handlers that compute on all processors would delay each step of the connection by ten milliseconds. On two cores this is 1 to
		// 19 % faster with a server of its own and 6 to 10 % slower with an embedded one (docs/benchmarks.md).
		runtime.Gosched()
		outcome := Outcome{Verdict: Retry}
		if e.ctx.Err() == nil && !l.leaving.Load() {
			began := time.Now()
			outcome = l.handle(e.ctx, worker, e.msg)
			l.pace.Store((7*l.pace.Load() + int64(time.Since(began))) / 8) // Another worker's may get lost: it is an estimate.
		}
		if outcome.Finish == nil {
			l.settle(e, outcome)
			l.inFlight.remove(e)
			l.wake()
			continue
		}
		finishing.Go(func() { // As many as there are slots.
			l.settle(e, outcome.Finish())
			l.inFlight.remove(e)
			l.wake()
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
		err = l.conn.Publish(l.inFlight.replyOf(e), nak(o.Delay))
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
