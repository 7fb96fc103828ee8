package delivery

import (
	"context"
	"sync"
	"sync/atomic"
	"time"

	"github.com/nats-io/nats.go/jetstream"
)

// entry is one message this process holds.
type entry struct {
	msg    jetstream.Msg
	seq    uint64
	ctx    context.Context
	cancel context.CancelCauseFunc
	reply  string    // reply is where the latest delivery is acknowledged; guarded by held.mu.
	lease  time.Time // lease is when the server last heard of it; guarded by held.mu.
}

// held is the set of messages this process holds, by stream sequence, and the count of free slots.
type held struct {
	mu    sync.Mutex
	freed sync.Cond
	slots int
	bySeq map[uint64]*entry
}

func (h *held) init(slots int) {
	h.freed.L = &h.mu
	h.slots = slots
	h.bySeq = make(map[uint64]*entry, slots)
}

func (h *held) len() int {
	h.mu.Lock()
	defer h.mu.Unlock()
	return len(h.bySeq)
}

// add takes a message in. It returns false for a copy of one that is held already, which is then acknowledged in the
// copy's place.
func (h *held) add(e *entry) bool {
	h.mu.Lock()
	defer h.mu.Unlock()
	if first, copied := h.bySeq[e.seq]; copied {
		first.reply, first.lease = e.reply, e.lease
		return false
	}
	h.bySeq[e.seq] = e
	return true
}

// remove lets a message go and frees its slot.
func (h *held) remove(e *entry) {
	e.cancel(context.Canceled)
	h.mu.Lock()
	defer h.mu.Unlock()
	delete(h.bySeq, e.seq)
	h.freed.Broadcast()
}

// room waits until at least want slots are free and returns how many are; 0 when ctx is done.
func (h *held) room(ctx context.Context, want int) int {
	stop := context.AfterFunc(ctx, func() {
		h.mu.Lock()
		defer h.mu.Unlock()
		h.freed.Broadcast()
	})
	defer stop()
	h.mu.Lock()
	defer h.mu.Unlock()
	for h.slots-len(h.bySeq) < want && ctx.Err() == nil {
		h.freed.Wait()
	}
	if ctx.Err() != nil {
		return 0
	}
	return h.slots - len(h.bySeq)
}

// replyOf returns where e is acknowledged now.
func (h *held) replyOf(e *entry) string {
	h.mu.Lock()
	defer h.mu.Unlock()
	return e.reply
}

// all returns the messages held now.
func (h *held) all() []*entry {
	h.mu.Lock()
	defer h.mu.Unlock()
	entries := make([]*entry, 0, len(h.bySeq))
	for _, e := range h.bySeq {
		entries = append(entries, e)
	}
	return entries
}

// renew records that the server heard of the entries at the given time.
func (h *held) renew(entries []*entry, at time.Time) {
	h.mu.Lock()
	defer h.mu.Unlock()
	for _, e := range entries {
		if e.lease.Before(at) {
			e.lease = at
		}
	}
}

// expire cancels the entries whose lease is older than wait and returns how many it cancelled.
func (h *held) expire(wait time.Duration, now time.Time) int {
	h.mu.Lock()
	defer h.mu.Unlock()
	n := 0
	for _, e := range h.bySeq {
		if now.Sub(e.lease) > wait && e.ctx.Err() == nil {
			e.cancel(ErrLeaseLost)
			n++
		}
	}
	return n
}

// atomicPending is the consumer's backlog as the server last told it.
type atomicPending struct {
	waiting, unacknowledged atomic.Uint64
}

func (p *atomicPending) store(info *jetstream.ConsumerInfo) {
	p.waiting.Store(info.NumPending)
	p.unacknowledged.Store(uint64(max(info.NumAckPending, 0)))
}

func (p *atomicPending) load() (waiting, unacknowledged uint64) {
	return p.waiting.Load(), p.unacknowledged.Load()
}
