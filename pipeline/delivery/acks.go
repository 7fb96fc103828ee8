package delivery

import (
	"context"
	"sync"
	"time"

	"github.com/nats-io/nats.go"
)

// mostAcks is how many acknowledgements share one confirmation.
const mostAcks = 256

// verbAck is the body of an acknowledgement.
const verbAck = "+ACK"

// acks acknowledges messages. The server handles the acknowledgements of a consumer from one connection in their order, so that
// those that come while it is being waited for go together: all but the last without an answer, and its answer is that of all.
type acks struct {
	loop *Loop
	runs sync.WaitGroup // The goroutine that confirms.

	mu      sync.Mutex
	waiting []*ack
	running bool
}

// ack is a message whose acknowledgement is to be confirmed.
type ack struct {
	entry *entry
	done  chan struct{} // Closed when err is set.
	err   error
}

// confirm acknowledges a message and waits until the server has confirmed that.
func (a *acks) confirm(e *entry) error {
	w := &ack{entry: e, done: make(chan struct{})}
	a.mu.Lock()
	a.waiting = append(a.waiting, w)
	if !a.running {
		a.running = true
		a.runs.Go(a.run)
	}
	a.mu.Unlock()
	<-w.done
	return w.err
}

// run confirms what waits, until nothing does.
func (a *acks) run() {
	for {
		a.mu.Lock()
		batch := a.waiting[:min(len(a.waiting), mostAcks)]
		a.waiting = a.waiting[len(batch):]
		a.running = len(batch) > 0
		a.mu.Unlock()
		if len(batch) == 0 {
			return
		}
		if len(batch) > 1 && a.together(batch) {
			for _, w := range batch {
				close(w.done)
			}
			continue
		}
		var each sync.WaitGroup
		for _, w := range batch {
			each.Go(func() {
				w.err = a.loop.confirm(w.entry, verbAck)
				close(w.done)
			})
		}
		each.Wait()
	}
}

// together acknowledges messages by one confirmation. It reports false if none came, or not over the connection that took the
// other acknowledgements: each message then needs one of its own.
func (a *acks) together(batch []*ack) bool {
	l := a.loop
	before := l.conn.Stats().Reconnects
	ctx, cancel := context.WithTimeout(context.Background(), min(max(l.config.AckWait/4, time.Second/4), 2*time.Second))
	defer cancel()
	for _, w := range batch[:len(batch)-1] {
		if err := l.conn.PublishMsg(&nats.Msg{Subject: l.inFlight.replyOf(w.entry), Data: []byte(verbAck)}); err != nil {
			return false
		}
	}
	_, err := l.conn.RequestWithContext(ctx, l.inFlight.replyOf(batch[len(batch)-1].entry), []byte(verbAck))
	return err == nil && l.conn.Stats().Reconnects == before
}
