package pipeline

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"maps"
	"strconv"
	"sync"
	"time"

	"github.com/nats-io/nats.go"
	"github.com/nats-io/nats.go/jetstream"
	"github.com/nats-io/nuid"
)

// What is committed to a stream at once, at most. The server stores up to a thousand messages atomically; these are enough to
// share one sync to disk among many, and small in memory.
const (
	groupMessages = 512
	groupBytes    = 8 << 20
)

// A publication is a message on its way into a stream. Its first attempt is shared with others; whatever that does not settle is
// tried again for the publication alone.
type publication struct {
	ctx    context.Context
	msg    *nats.Msg
	stream string
	bus    *Bus
	done   chan struct{} // Closed after the first attempt; ack and err are then set.
	ack    *jetstream.PubAck
	err    error
}

// begin starts a publication. Publications on one stream are stored in the order in which they begin, except those that have to be
// repeated.
func (b *Bus) begin(ctx context.Context, msg *nats.Msg, stream string) (*publication, error) {
	if err := b.offload(ctx, msg); err != nil {
		return nil, err
	}
	p := &publication{ctx: ctx, msg: msg, stream: stream, bus: b, done: make(chan struct{})}
	g, _ := b.groups.LoadOrStore(stream, &group{bus: b, choice: choice{syncs: b.server != nil}})
	g.(*group).add(p)
	return p, nil
}

// wait returns the stream's confirmation. It repeats what fails temporarily, until the publication's context ends.
func (p *publication) wait() (Ack, error) {
	select {
	case <-p.done:
	case <-p.ctx.Done():
		return Ack{}, fmt.Errorf("publish on %s: %w", p.msg.Subject, context.Cause(p.ctx))
	}
	if p.err != nil {
		return p.bus.retryPublish(p.ctx, p.msg, p.stream, p.err)
	}
	p.bus.confirmed(p.stream)
	return ackOf(p.ack), nil
}

func ackOf(ack *jetstream.PubAck) Ack {
	return Ack{Stream: ack.Stream, Sequence: ack.Sequence, Duplicate: ack.Duplicate}
}

// settle ends the first attempt.
func (p *publication) settle(ack *jetstream.PubAck, err error) {
	if errors.Is(err, jetstream.ErrAsyncPublishTimeout) {
		err = nats.ErrTimeout
	}
	p.ack, p.err = ack, err
	if err == nil {
		p.bus.existing.LoadOrStore(p.stream, true)
	}
	close(p.done)
}

// A group commits publications on one stream: those that arrive while earlier ones are being stored go together.
type group struct {
	bus *Bus

	mu      sync.Mutex
	waiting []*publication
	running bool

	choice choice // Of the committing goroutine.
}

func (g *group) add(p *publication) {
	g.mu.Lock()
	defer g.mu.Unlock()
	g.waiting = append(g.waiting, p)
	if !g.running {
		g.running = true
		g.bus.committing.Go(g.run)
	}
}

// next takes publications to commit; nil when there are none, and then the group rests.
func (g *group) next() []*publication {
	g.mu.Lock()
	defer g.mu.Unlock()
	n, bytes := 0, 0
	for n < len(g.waiting) && n < groupMessages && (n == 0 || bytes+len(g.waiting[n].msg.Data) <= groupBytes) {
		bytes += len(g.waiting[n].msg.Data)
		n++
	}
	if n == 0 {
		g.waiting, g.running = nil, false
		return nil
	}
	batch := g.waiting[:n:n]
	g.waiting = g.waiting[n:]
	return batch
}

func (g *group) run() {
	for batch := g.next(); batch != nil; batch = g.next() {
		live := batch[:0]
		for _, p := range batch {
			if p.ctx.Err() != nil {
				p.settle(nil, p.ctx.Err())
			} else {
				live = append(live, p)
			}
		}
		g.commit(live)
	}
}

func (g *group) commit(batch []*publication) {
	switch len(batch) {
	case 0:
		return
	case 1:
		batch[0].settle(g.bus.publishOnce(batch[0].ctx, batch[0].msg))
		return
	}
	// A batch that the disk has no space for keeps what there was until the process ends.
	atomic := g.choice.atomic(len(batch)) && (g.bus.server == nil || g.bus.server.Fault() == nil)
	began := time.Now()
	if atomic {
		switch err := g.bus.commitAtomically(batch); {
		case err == nil:
		case errors.Is(err, errNotAtomic):
			g.choice.impossible = true
			g.bus.commitSingly(batch)
		case isAPIError(err): // Nothing is stored: one of them is a duplicate, or the stream is full. Each alone shows which.
			g.bus.commitSingly(batch)
		default: // It is not known what is stored: their repetitions will find out.
			for _, p := range batch {
				p.settle(nil, err)
			}
		}
	} else {
		g.bus.commitSingly(batch)
	}
	g.choice.observe(atomic, len(batch), time.Since(began))
}

func isAPIError(err error) bool {
	_, ok := errors.AsType[*jetstream.APIError](err)
	return ok
}

// A choice is between the two ways to commit: an atomic batch, which a server that syncs every write syncs a few times, and single
// messages, which are faster on one that does not. The embedded server is known to sync. Others do not say whether they do, so both
// ways are timed.
type choice struct {
	syncs      bool // The server is known to sync every write.
	impossible bool
	commits    int
	timed      [2]int           // How many commits were timed: singly, atomically.
	cost       [2]time.Duration // Of a message, likewise.
}

const (
	leastAtomic = 4  // Fewer messages are not worth the files that the server makes for a batch.
	leastTimed  = 16 // Fewer messages say little about what more of them would take.
	tryFirst    = 4  // So many commits go either way before one is preferred.
	tryOther    = 64 // Every so many commits the other way is tried.
	forget      = 16 // A commit that takes longer than the fastest ones raises the estimate by this part of the difference.
)

// atomic decides for the next commit, of so many messages.
func (c *choice) atomic(messages int) bool {
	switch {
	case c.impossible || messages < leastAtomic:
		return false
	case c.syncs:
		return true
	case messages < leastTimed:
		return c.cost[1] > 0 && c.cost[1] < c.cost[0]
	}
	c.commits++
	if min(c.timed[0], c.timed[1]) < tryFirst {
		return c.timed[1] < tryFirst
	}
	cheaper := c.cost[1] < c.cost[0]
	return cheaper != (c.commits%tryOther == 0)
}

// observe records what a commit has taken. A busy machine delays some commits a lot, whichever way they go: the estimate follows
// the fastest ones.
func (c *choice) observe(atomic bool, messages int, took time.Duration) {
	if messages < leastTimed {
		return
	}
	i := 0
	if atomic {
		i = 1
	}
	c.timed[i]++
	cost := max(took/time.Duration(messages), 1)
	if c.cost[i] == 0 || cost < c.cost[i] {
		c.cost[i] = cost
		return
	}
	c.cost[i] += (cost - c.cost[i]) / forget
}

// commitSingly publishes all and then waits for the confirmations.
func (b *Bus) commitSingly(batch []*publication) {
	futures := make([]jetstream.PubAckFuture, len(batch))
	for i, p := range batch {
		copied := *p.msg // PublishMsgAsync sets fields of it.
		var err error
		if futures[i], err = b.js.PublishMsgAsync(&copied, jetstream.WithRetryAttempts(0)); err != nil {
			p.settle(nil, err)
		}
	}
	lost := b.connection.Load().ctx
	for i, p := range batch {
		if futures[i] == nil {
			continue
		}
		select {
		case ack := <-futures[i].Ok():
			p.settle(ack, nil)
		case err := <-futures[i].Err():
			p.settle(nil, err)
		case <-lost.Done():
			p.settle(nil, nats.ErrDisconnected)
		}
	}
}

// Headers of atomic batches.
const (
	batchID       = "Nats-Batch-Id"
	batchSequence = "Nats-Batch-Sequence"
	batchCommit   = "Nats-Batch-Commit"
)

// errNotAtomic means that the stream, or its server, has no atomic batches.
var errNotAtomic = errors.New("the stream does not accept atomic batches")

// codeNotAtomic is the server's error for a stream without allow_atomic.
const codeNotAtomic jetstream.ErrorCode = 10174

// commitAtomically stores all or nothing. It settles the publications if all are stored.
func (b *Bus) commitAtomically(batch []*publication) error {
	ctx, cancel := context.WithTimeout(context.Background(), publishWait)
	defer cancel()
	defer context.AfterFunc(b.connection.Load().ctx, cancel)()
	id := nuid.Next()
	var reply *nats.Msg
	for i, p := range batch {
		msg := &nats.Msg{Subject: p.msg.Subject, Data: p.msg.Data, Header: maps.Clone(p.msg.Header)}
		msg.Header.Set(batchID, id)
		msg.Header.Set(batchSequence, strconv.Itoa(i+1))
		var err error
		if i == len(batch)-1 {
			msg.Header.Set(batchCommit, "1")
			reply, err = b.conn.RequestMsgWithContext(ctx, msg)
		} else {
			err = b.conn.PublishMsg(msg)
		}
		if err != nil {
			return err
		}
	}
	var answer struct {
		jetstream.PubAck
		Error *jetstream.APIError `json:"error"`
		Count int                 `json:"count"`
	}
	if err := json.Unmarshal(reply.Data, &answer); err != nil {
		return fmt.Errorf("%w: the answer to a batch is %q", errNotAtomic, reply.Data)
	}
	switch {
	case answer.Error != nil && answer.Error.ErrorCode == codeNotAtomic, answer.Error == nil && answer.Count != len(batch):
		return errNotAtomic // A server that does not know batches has stored each message, and recognises it.
	case answer.Error != nil:
		return answer.Error
	}
	for i, p := range batch {
		ack := jetstream.PubAck{Stream: answer.Stream, Sequence: answer.Sequence - uint64(len(batch)-1-i)}
		p.settle(&ack, nil)
	}
	return nil
}
