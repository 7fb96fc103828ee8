// Package delivery connects a durable JetStream pull consumer with a handler.
//
// A [Loop] asks the server for at most two messages per worker, or more where a worker need not wait for what it has published
// (Config.Ahead), and asks again before it has handled them. The requests stay at the server until there are messages; its
// heartbeats tell that it has them. While a message is in flight, that is fetched and not yet settled,
// the loop renews its lease on the server, however long the handler works; it cancels the handler when the lease could
// not be renewed. The loop confirms acknowledgements, drops copies of messages in flight, and creates a consumer again
// that was deleted. It does not look into messages: the handler returns an [Outcome], and the loop carries it out.
package delivery

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"sync"
	"sync/atomic"
	"time"

	"github.com/nats-io/nats.go"
	"github.com/nats-io/nats.go/jetstream"
)

// Causes of a handler's context, by [context.Cause].
var (
	// ErrLeaseLost means that the lease of the message could not be renewed for longer than AckWait. The server has
	// probably delivered the message again, so the work is not worth finishing.
	ErrLeaseLost = errors.New("the message's lease on the server has run out")
	// ErrDraining means that the loop is stopping and DrainTimeout has passed.
	ErrDraining = errors.New("stopping: the time to finish messages in flight has passed")
)

// Config describes one consumer and how its messages are handled.
type Config struct {
	Stream       string                          // Stream is the input stream.
	Durable      string                          // Durable is the consumer's name, shared by replicas.
	Description  string                          // Description is shown by `nats consumer info`.
	Filter       string                          // Filter is a subject filter; empty: the whole stream.
	Workers      int                             // Workers is how many handlers run at once, at least 1.
	Ahead        int                             // Ahead is how many messages of a worker may wait for Outcome.Finish while it handles others; 0: none.
	AheadBytes   int                             // AheadBytes is what the bodies of the messages in flight may take where Ahead is not 0; 0: DefaultAheadBytes.
	Replicas     int                             // Replicas is how many processes share the consumer; 0: 1.
	AckWait      time.Duration                   // AckWait is the lease: it is renewed every third of it.
	DrainTimeout time.Duration                   // DrainTimeout is how long handlers may continue after a stop; 0: DefaultDrainTimeout.
	InfoEvery    time.Duration                   // InfoEvery is the interval of consumer info requests, which are expensive for servers; 0: DefaultInfoEvery.
	Bind         bool                            // Bind uses an existing consumer and never creates or changes one.
	Configured   string                          // Configured identifies what the handlers do; it is kept with the consumer, see Loop.Mixed.
	Restore      func(ctx context.Context) error // Restore creates the stream when it does not exist; nil: Run waits for it.
	// Opened, if not nil, is called before the first message is asked for, and again when the stream or the consumer was created anew.
	// It gets the creation time of the stream, and the last sequence that a deleted consumer may have delivered: 0 when
	// the consumer existed, the stream's last sequence when it had to be created.
	Opened func(created time.Time, repeatedUpTo uint64)
	// Settled, if not nil, is called after an outcome was reported to the server; an acknowledgement has been confirmed then.
	Settled func(Verdict)
}

const (
	// DefaultDrainTimeout is below the thirty seconds that Kubernetes gives a pod.
	DefaultDrainTimeout = 20 * time.Second
	// DefaultAheadBytes is the size of the largest body that a server lets pass.
	DefaultAheadBytes = 64 << 20
	// prefetch is how many messages are in flight per worker: one being handled and one queued.
	prefetch = 2
	// AckPendingPerWorker times workers and replicas is the consumer's limit of unacknowledged messages: two per
	// worker, and room for messages that wait for their next attempt, so that a few failing ones do not block the rest.
	AckPendingPerWorker = 16
	// DefaultInfoEvery keeps the load of many consumers on a server low.
	DefaultInfoEvery = 10 * time.Second
)

// Verdict says how a message is settled.
type Verdict uint8

// The verdicts.
const (
	Abandon Verdict = iota // Abandon does nothing: the message is delivered again when its lease has run out.
	Ack                    // Ack acknowledges the message and waits for the server to confirm it.
	Retry                  // Retry asks the server to deliver the message again after Delay.
	Drop                   // Drop ends the message with a Reason, without another delivery.
)

// Outcome is a handler's decision about a message.
type Outcome struct {
	Verdict Verdict
	Delay   time.Duration
	Reason  string
	// Finish, if not nil, is called for the decision, in another goroutine, while the worker handles the next message: the
	// handler has started what is worth waiting for, and the other fields do not count. It needs Config.Ahead.
	Finish func() Outcome
}

// Handler handles one message. Worker is 0 to Workers-1; each worker handles one message at a time. Ctx ends when the
// lease is lost or the drain time has passed; [context.Cause] says which.
type Handler func(ctx context.Context, worker int, msg *Message) Outcome

// A Loop runs handlers for one consumer. Make it with [New]; Run it once.
type Loop struct {
	config Config
	conn   *nats.Conn
	js     jetstream.JetStream
	log    *slog.Logger
	handle Handler

	inFlight inFlight
	acks     acks
	pull     pull
	queue    chan *entry   // Capacity of all that may be in flight: accept never blocks.
	changed  chan struct{} // Capacity 1: there may be a reason to ask for more messages.
	pace     atomic.Int64  // How long handling a message takes, smoothed, in nanoseconds.

	working   context.Context // Of handlers; set by Run before the first message comes.
	accepting sync.Mutex
	closed    bool        // closed is set, with accepting held, when the queue takes nothing more.
	leaving   atomic.Bool // What is queued is given back to the server.

	position position
	repeated uint64 // repeated is the last sequence that an earlier consumer may have worked on.
	backlog  backlog
	mixed    atomic.Bool
}

// position is how far the consumer has come in its stream. It is safe for concurrent use.
type position struct {
	mu      sync.Mutex
	created time.Time // created is the creation time of the stream; a new stream counts its sequences from 1.
	floor   uint64    // floor is the highest stream sequence known to be acknowledged with all before it.
}

func (p *position) get() (created time.Time, floor uint64) {
	p.mu.Lock()
	defer p.mu.Unlock()
	return p.created, p.floor
}

// begin begins with another stream.
func (p *position) begin(created time.Time) {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.created, p.floor = created, 0
}

// advance records a floor that was asked for while the stream was the one created then.
func (p *position) advance(created time.Time, floor uint64) {
	p.mu.Lock()
	defer p.mu.Unlock()
	if p.created.Equal(created) {
		p.floor = max(p.floor, floor)
	}
}

// New returns a loop; log must not be nil.
func New(conn *nats.Conn, js jetstream.JetStream, c Config, log *slog.Logger, handle Handler) (*Loop, error) {
	switch {
	case c.Stream == "" || c.Durable == "":
		return nil, errors.New("delivery: stream and durable are required")
	case c.Workers < 1:
		return nil, fmt.Errorf("delivery: %d workers", c.Workers)
	case c.AckWait <= 0:
		return nil, fmt.Errorf("delivery: ack wait %v", c.AckWait)
	}
	if c.Replicas == 0 {
		c.Replicas = 1
	}
	if c.DrainTimeout == 0 {
		c.DrainTimeout = DefaultDrainTimeout
	}
	if c.AheadBytes == 0 {
		c.AheadBytes = DefaultAheadBytes
	}
	if c.InfoEvery == 0 {
		c.InfoEvery = DefaultInfoEvery
	}
	most := (AckPendingPerWorker + c.Ahead) * c.Workers
	l := &Loop{config: c, conn: conn, js: js, log: log, handle: handle, queue: make(chan *entry, most), changed: make(chan struct{}, 1)}
	l.inFlight.init((prefetch+c.Ahead)*c.Workers, most)
	l.acks.loop = l
	l.pull = pull{conn: conn, js: js, subject: "CONSUMER.MSG.NEXT." + c.Stream + "." + c.Durable, accept: l.accept, wake: l.wake}
	return l, nil
}

// Mixed reports whether another process handles messages of this consumer in another way: since this loop opened the
// consumer, a loop with another Config.Configured has opened it.
func (l *Loop) Mixed() bool { return l.mixed.Load() }

// InFlight returns how many received messages are not yet settled.
func (l *Loop) InFlight() int { return l.inFlight.len() }
