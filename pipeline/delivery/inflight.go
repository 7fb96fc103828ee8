package delivery

import (
	"context"
	"sync"
	"time"
)

// entry is one message in flight.
type entry struct {
	msg    *Message
	seq    uint64
	size   int // size is the length of the body.
	ctx    context.Context
	cancel context.CancelCauseFunc
	reply  string    // reply is where the latest delivery is acknowledged; guarded by inFlight.mu.
	lease  time.Time // lease is when the server last got a sign of life for it; guarded by inFlight.mu.
}

// inFlight is the set of messages that this process has received and not yet settled, by stream sequence. It is safe for
// concurrent use.
type inFlight struct {
	mu    sync.Mutex
	freed sync.Cond
	slots int // slots is how many messages the loop asks for.
	most  int // most is how many there may be: requests that were taken to be lost may bring theirs later.
	bytes int // bytes is the size of the bodies of all messages in flight.
	bySeq map[uint64]*entry
}

func (f *inFlight) init(slots, most int) {
	f.freed.L = &f.mu
	f.slots, f.most = slots, most
	f.bySeq = make(map[uint64]*entry, slots)
}

func (f *inFlight) len() int {
	f.mu.Lock()
	defer f.mu.Unlock()
	return len(f.bySeq)
}

// What became of a message that is to be added.
type addition uint8

const (
	added  addition = iota
	copied          // It is in flight already; the message in flight is then acknowledged with the copy's reply subject.
	full            // There are too many.
)

// add adds a message.
func (f *inFlight) add(e *entry) addition {
	f.mu.Lock()
	defer f.mu.Unlock()
	if first, there := f.bySeq[e.seq]; there {
		first.reply, first.lease = e.reply, e.lease
		return copied
	}
	if len(f.bySeq) >= f.most {
		return full
	}
	f.bySeq[e.seq] = e
	f.bytes += e.size
	return added
}

// remove removes a settled message and frees its slot.
func (f *inFlight) remove(e *entry) {
	e.cancel(context.Canceled)
	f.mu.Lock()
	defer f.mu.Unlock()
	delete(f.bySeq, e.seq)
	f.bytes -= e.size
	f.freed.Broadcast()
}

// empty waits until nothing is in flight; it returns false when ctx is done before.
func (f *inFlight) empty(ctx context.Context) bool {
	stop := context.AfterFunc(ctx, func() {
		f.mu.Lock()
		defer f.mu.Unlock()
		f.freed.Broadcast()
	})
	defer stop()
	f.mu.Lock()
	defer f.mu.Unlock()
	for len(f.bySeq) > 0 && ctx.Err() == nil {
		f.freed.Wait()
	}
	return len(f.bySeq) == 0
}

// held returns how many messages are in flight, and the size of their bodies.
func (f *inFlight) held() (messages, bytes int) {
	f.mu.Lock()
	defer f.mu.Unlock()
	return len(f.bySeq), f.bytes
}

// replyOf returns the subject on which e is acknowledged now.
func (f *inFlight) replyOf(e *entry) string {
	f.mu.Lock()
	defer f.mu.Unlock()
	return e.reply
}

// all returns the messages in flight.
func (f *inFlight) all() []*entry {
	f.mu.Lock()
	defer f.mu.Unlock()
	entries := make([]*entry, 0, len(f.bySeq))
	for _, e := range f.bySeq {
		entries = append(entries, e)
	}
	return entries
}

// renew records that the server received a sign of life for the entries at the given time.
func (f *inFlight) renew(entries []*entry, at time.Time) {
	f.mu.Lock()
	defer f.mu.Unlock()
	for _, e := range entries {
		if e.lease.Before(at) {
			e.lease = at
		}
	}
}

// expire cancels the entries whose lease is older than wait and returns how many it cancelled.
func (f *inFlight) expire(wait time.Duration, now time.Time) int {
	f.mu.Lock()
	defer f.mu.Unlock()
	n := 0
	for _, e := range f.bySeq {
		if now.Sub(e.lease) > wait && e.ctx.Err() == nil {
			e.cancel(ErrLeaseLost)
			n++
		}
	}
	return n
}
