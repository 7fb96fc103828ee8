// Package delivery is the loop between a durable JetStream consumer and a handler.
//
// It fetches only what it has room for, keeps every message it holds alive on the server however long the handler
// works, gives up a message whose lease it could not renew, confirms acknowledgements, drops copies of messages
// that are still in work, and puts a consumer back that somebody deleted. It knows nothing of what messages mean:
// the handler returns an [Outcome].
package delivery

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"time"

	"github.com/nats-io/nats.go"
	"github.com/nats-io/nats.go/jetstream"
)

// Causes of a handler's context, by [context.Cause].
var (
	// ErrLeaseLost means that the server could not be told for longer than AckWait that the message is in work. It
	// has probably been given to somebody else, so the work is not worth finishing.
	ErrLeaseLost = errors.New("the message's lease on the server has run out")
	// ErrDraining means that the loop was asked to stop and the time for finishing has passed.
	ErrDraining = errors.New("stopping: the time for finishing the work in hand has passed")
)

// Config is one consumer and how it is worked on.
type Config struct {
	Stream       string                          // Stream is the input stream.
	Durable      string                          // Durable is the consumer's name, shared by replicas.
	Description  string                          // Description is shown by `nats consumer info`.
	Filter       string                          // Filter is a subject filter; empty: the whole stream.
	Workers      int                             // Workers is how many handlers run at once, at least 1.
	Replicas     int                             // Replicas is how many processes share the consumer; 0: 1.
	AckWait      time.Duration                   // AckWait is the lease: it is renewed every third of it.
	DrainTimeout time.Duration                   // DrainTimeout is how long handlers may go on after a stop; 0: DefaultDrainTimeout.
	Bind         bool                            // Bind uses a consumer that exists and never creates or changes one.
	Restore      func(ctx context.Context) error // Restore puts the stream back when it is gone; nil: it is waited for.
	// Opened is told, before messages come, when the stream was created and up to which sequence a consumer that no
	// longer exists may have worked: 0 when the consumer was found, the stream's last when it had to be made. Nil: nobody.
	Opened func(created time.Time, repeatedUpTo uint64)
}

const (
	// DefaultDrainTimeout is below the thirty seconds that Kubernetes gives a pod.
	DefaultDrainTimeout = 20 * time.Second
	// prefetch is how many messages are held per worker: one in work and one ready.
	prefetch = 2
	// ackPendingPerWorker times workers and replicas is the consumer's in-flight limit: the two messages a worker
	// holds, and room for those that wait for their next attempt, so that a few bad ones do not stop the rest.
	ackPendingPerWorker = 16
	// pullExpiry is how long a pull waits for messages. Stopping waits for it, because a pull that is abandoned
	// may take messages with it until their lease runs out.
	pullExpiry = 500 * time.Millisecond
	// infoEvery is the pace of consumer info requests, which servers dislike to answer often.
	infoEvery = 10 * time.Second
)

// Verdict is what becomes of a message.
type Verdict uint8

// The verdicts.
const (
	Abandon Verdict = iota // Abandon does nothing: the lease runs out and the message comes again.
	Ack                    // Ack means done, confirmed by the server.
	Retry                  // Retry asks for the message again after Delay.
	Drop                   // Drop ends the message with a Reason: it has been put elsewhere.
)

// Outcome is a handler's decision about a message.
type Outcome struct {
	Verdict Verdict
	Delay   time.Duration
	Reason  string
}

// Handler works on one message. Worker is 0 to Workers-1, and a worker has one message at a time. Ctx ends when the
// lease is lost or the drain time has passed.
type Handler func(ctx context.Context, worker int, msg jetstream.Msg) Outcome

// A Loop runs handlers for one consumer. Make it with [New]; Run it once.
type Loop struct {
	config Config
	conn   *nats.Conn
	js     jetstream.JetStream
	log    *slog.Logger
	handle Handler

	inFlight inFlight
	queue    chan *entry // Capacity prefetch x workers: a fetch never brings more than there is room for.

	floor    uint64    // floor is the highest stream sequence known to be acknowledged with all before it.
	created  time.Time // created is when the stream was made; a new stream starts its sequences over.
	repeated uint64    // repeated is the last sequence that an earlier consumer may have worked on.
	infoAt   time.Time
	pending  atomicPending
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
	slots := prefetch * c.Workers
	l := &Loop{config: c, conn: conn, js: js, log: log, handle: handle, queue: make(chan *entry, slots)}
	l.inFlight.init(slots)
	return l, nil
}

// Pending returns how many messages wait in the stream for this consumer and how many are delivered but not yet
// acknowledged, as the server last said.
func (l *Loop) Pending() (waiting, unacknowledged uint64) { return l.pending.load() }

// InFlight returns how many fetched messages are not yet settled.
func (l *Loop) InFlight() int { return l.inFlight.len() }
