package delivery

import (
	"context"
	"errors"
	"fmt"
	"sync"
	"time"

	"github.com/nats-io/nats.go"
	"github.com/nats-io/nats.go/jetstream"
)

// Run works until ctx is done, and then drains: it fetches no more, lets handlers finish what is held for at most
// DrainTimeout, cancels the rest, and returns when every handler has returned. Faults of the server are waited out.
// It returns an error only for a consumer that can never work as configured.
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

	err := l.supervise(ctx, working)

	timer := time.AfterFunc(l.config.DrainTimeout, func() { stopWorking(ErrDraining) })
	defer timer.Stop()
	close(l.queue)
	workers.Wait()
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
		// Asking for half the slots at a time keeps the workers busy and the requests few.
		room := l.inFlight.room(ctx, l.config.Workers)
		if room == 0 {
			return nil
		}
		asked := time.Now()
		batch, err := consumer.Fetch(room, jetstream.FetchMaxWait(pullExpiry))
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
			// Not even the end of the pull was answered: the server or the consumer is gone.
			return errors.New("fetch: the server does not answer")
		}
		if time.Since(l.infoAt) > infoEvery {
			if err := l.refresh(ctx, consumer); err != nil {
				return err
			}
		}
	}
}

// accept takes a message in and hands it to the workers. There is a free slot for it.
func (l *Loop) accept(working context.Context, msg jetstream.Msg) {
	meta, err := msg.Metadata()
	if err != nil {
		l.log.Error("a message without JetStream metadata is ignored", "subject", msg.Subject(), "error", err)
		return
	}
	l.pending.waiting.Store(meta.NumPending)
	e := &entry{msg: msg, seq: meta.Sequence.Stream, reply: msg.Reply(), lease: time.Now()}
	e.ctx, e.cancel = context.WithCancelCause(working)
	if !l.inFlight.add(e) {
		// The server thinks we have lost it. We have not.
		e.cancel(nil)
		l.log.Debug("a copy of a message in work is dropped", "consumer", l.config.Durable, "sequence", e.seq)
		return
	}
	l.queue <- e
}

// work handles queued messages until the queue is closed and empty.
func (l *Loop) work(worker int) {
	for e := range l.queue {
		outcome := Outcome{Verdict: Retry}
		if e.ctx.Err() == nil {
			outcome = l.handle(e.ctx, worker, e.msg)
		}
		l.settle(e, outcome)
		l.inFlight.remove(e)
	}
}

// settle tells the server what became of a message. A failure is logged and otherwise harmless: the message comes
// again, and its outputs are recognised as duplicates.
func (l *Loop) settle(e *entry, o Outcome) {
	if errors.Is(context.Cause(e.ctx), ErrLeaseLost) && o.Verdict != Ack {
		return // It is somebody else's now.
	}
	var err error
	switch o.Verdict {
	case Ack:
		err = l.confirm(e, "+ACK")
	case Drop:
		err = l.confirm(e, "+TERM "+o.Reason)
	case Retry:
		err = l.conn.Publish(l.inFlight.replyOf(e), fmt.Appendf(nil, `-NAK {"delay": %d}`, o.Delay.Nanoseconds()))
	case Abandon:
	}
	if err != nil {
		l.log.Warn("the server does not know what became of a message; it will come again", "consumer", l.config.Durable, "sequence", e.seq, "error", err)
	}
}

// confirm sends an acknowledgement and waits until the server has taken it, trying again for as long as the lease
// could last.
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

// errForgotten: a server that was killed may have lost its latest notes on what it has delivered. It does not answer
// acknowledgements of such messages, and delivers them anew.
var errForgotten = errors.New("the server does not remember having delivered it")

// forgotten reports whether the consumer has, by its own account, not come to e yet.
func (l *Loop) forgotten(ctx context.Context, e *entry) bool {
	if !l.conn.IsConnected() {
		return false
	}
	ctx, cancel := context.WithTimeout(ctx, 2*time.Second)
	defer cancel()
	consumer, err := l.js.Consumer(ctx, l.config.Stream, l.config.Durable)
	return errors.Is(err, jetstream.ErrConsumerNotFound) || err == nil && consumer.CachedInfo().Delivered.Stream < e.seq
}

// heartbeat renews the lease of everything held, every third of AckWait, until ctx is done.
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
			l.log.Warn("the server could not be reached in time; messages in work are given up", "consumer", l.config.Durable, "messages", n)
		}
	}
}
