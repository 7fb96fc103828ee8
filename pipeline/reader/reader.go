// Package reader reads stored messages of streams without acknowledging them, and never confuses them with status messages of the
// server.
//
// The server ends a request, or reports that a message is missing, by a message with the header Status and no body. A client can
// store a message that looks the same, and in a read of headers alone every message with a header Status does. The readers of
// nats.go drop such a message, take it for lost, and ask for it again without end. This package tells them apart by the stream
// sequence in the reply subject, which status messages lack. A read that makes no progress ends with an error.
package reader

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"strconv"
	"strings"
	"time"

	"github.com/nats-io/nats.go"
	"github.com/nats-io/nats.go/jetstream"
	"github.com/nats-io/nuid"
)

const (
	// batch is how many messages are asked for at once, and batchBytes how large they may be together.
	batch      = 500
	batchBytes = 32 << 20
	// expiry is how long the server keeps a request for messages that are yet to come, with a sign of life every heartbeat.
	expiry    = 30 * time.Second
	heartbeat = 2 * time.Second
	// silence is after how long without an answer a request is taken to be lost.
	silence = 10 * time.Second
	// inactive is after how long the server removes a consumer that nobody asks for messages.
	inactive = 5 * time.Minute
	// Patience is how long a read goes on that gets no further, while the server is connected.
	Patience = time.Minute
)

// A Request says which messages to read.
type Request struct {
	Stream      string        // Stream is its name on the server.
	Filter      string        // Filter is a subject filter; empty: the whole stream.
	From        uint64        // From is the first stream sequence; 0: new messages only.
	Last        bool          // Last ends with what was there at the start.
	HeadersOnly bool          // HeadersOnly leaves out the bodies.
	Patience    time.Duration // Patience is how long to go on without progress; 0: Patience.
}

// Read calls f for every message, in the order of the stream, until it returns false, ctx ends or, with Last, the stream is read.
// It waits for a server that is away. The error of a read that gets no further names the stream and the sequence.
func Read(ctx context.Context, js jetstream.JetStream, r Request, f func(*Message) bool) error {
	stream, err := js.Stream(ctx, r.Stream)
	if err != nil {
		return fmt.Errorf("stream %s: %w", r.Stream, err)
	}
	if r.Patience == 0 {
		r.Patience = Patience
	}
	info := stream.CachedInfo()
	c := &cursor{conn: js.Conn(), js: js, request: r, f: f, next: r.From, end: info.State.LastSeq, created: info.Created}
	if r.From == 0 {
		c.next = c.end + 1
	}
	if r.Last && c.next > c.end {
		return nil
	}
	return c.run(ctx)
}

// cursor is how far a read has come.
type cursor struct {
	conn    *nats.Conn
	js      jetstream.JetStream
	request Request
	f       func(*Message) bool
	created time.Time // created is the creation time of the stream.
	next    uint64    // next is the lowest stream sequence that is still wanted.
	end     uint64    // end is the last one, with Request.Last.
	alive   bool      // alive is set when the server has sent what was wanted, or that there is nothing yet.
}

// errSilent is the error of a request that the server has not answered.
var errSilent = errors.New("the server does not answer requests for messages")

// errGap is the error of messages that did not arrive.
var errGap = errors.New("messages were lost on their way")

// errAgain is the error of a connection that was lost and is there again.
var errAgain = errors.New("reconnected")

// run reads with one consumer after the other, until a read succeeds, or there is no progress.
func (c *cursor) run(ctx context.Context) error {
	const first, longest = 50 * time.Millisecond, 2 * time.Second
	var since time.Time // Since when there is no progress.
	for wait, opened := first, false; ; {
		c.alive = false
		ended, err := c.session(ctx, &opened)
		switch {
		case ended:
			return nil
		case ctx.Err() != nil:
			return fmt.Errorf("read stream %s: %w", c.request.Stream, ctx.Err())
		case !opened:
			return fmt.Errorf("read stream %s: %w", c.request.Stream, err)
		case c.conn.IsClosed():
			return fmt.Errorf("read stream %s: %w", c.request.Stream, nats.ErrConnectionClosed)
		case c.alive:
			wait, since = first, time.Time{}
		case since.IsZero() || !c.conn.IsConnected():
			since = time.Now()
		case time.Since(since) > c.request.Patience:
			return fmt.Errorf("read stream %s: no progress at sequence %d for %v: %w; look at the message with `nats stream get %s %d`",
				c.request.Stream, c.next, c.request.Patience, err, c.request.Stream, c.next)
		}
		select {
		case <-ctx.Done():
		case <-time.After(wait):
		}
		wait = min(2*wait, longest)
	}
}

// session reads with one consumer. It reports whether the read has ended.
func (c *cursor) session(ctx context.Context, opened *bool) (ended bool, err error) {
	connected := c.conn.StatusChanged(nats.CONNECTED)
	defer c.conn.RemoveStatusListener(connected)
	if *opened { // The stream may be another one.
		stream, err := c.js.Stream(ctx, c.request.Stream)
		if err != nil {
			return false, err
		}
		if created := stream.CachedInfo().Created; !created.Equal(c.created) {
			if c.request.Last {
				return true, nil // What was to be read does not exist any more.
			}
			c.created, c.next = created, 1
		}
	}
	consumer, err := c.js.CreateConsumer(ctx, c.request.Stream, jetstream.ConsumerConfig{
		Name: nuid.Next(), FilterSubject: c.request.Filter, HeadersOnly: c.request.HeadersOnly,
		DeliverPolicy: jetstream.DeliverByStartSequencePolicy, OptStartSeq: max(c.next, 1), AckPolicy: jetstream.AckNonePolicy,
		InactiveThreshold: inactive, Replicas: 1, MemoryStorage: true,
	})
	if err != nil {
		return false, err
	}
	*opened = true
	name := consumer.CachedInfo().Name
	api := Prefix(c.js.Options())
	defer func() { // Nobody waits for the answer: the server removes a consumer that is not used, too.
		_ = c.conn.PublishRequest(api+"CONSUMER.DELETE."+c.request.Stream+"."+name, c.conn.NewInbox(), nil)
	}()
	if c.request.Last && consumer.CachedInfo().NumPending == 0 {
		return true, nil
	}
	p := puller{conn: c.conn, subject: api + "CONSUMER.MSG.NEXT." + c.request.Stream + "." + name, inbox: c.conn.NewInbox(), received: make(chan *nats.Msg, batch+64)}
	sub, err := c.conn.ChanSubscribe(p.inbox+".*", p.received)
	if err != nil {
		return false, err
	}
	defer func() { _ = sub.Unsubscribe() }() // The connection may be closed.
	return c.pull(ctx, &p, connected)
}

// puller sends requests to a consumer, one at a time.
type puller struct {
	conn     *nats.Conn
	subject  string
	inbox    string
	received chan *nats.Msg
	number   uint64 // number is that of the last request, and the last token of its reply subject.
	left     int    // left is how many messages it may still bring.
	got      int    // got is how many it has brought.
	single   bool   // single asks for one message of any size.
	last     uint64 // last is the consumer sequence of the latest message.
}

// ask sends a request. One for what is there already ends when that is used up; another one waits.
func (p *puller) ask(r Request) error {
	body := map[string]any{"batch": batch}
	switch {
	case p.single:
		body["batch"] = 1
	case !r.HeadersOnly:
		body["max_bytes"] = batchBytes
	}
	if r.Last {
		body["no_wait"] = true
	} else {
		body["expires"], body["idle_heartbeat"] = expiry, heartbeat
	}
	data, err := json.Marshal(body)
	if err != nil {
		return err
	}
	p.number, p.left, p.got, p.single = p.number+1, body["batch"].(int), 0, false
	return p.conn.PublishRequest(p.subject, p.inbox+"."+strconv.FormatUint(p.number, 10), data)
}

// pull asks for messages and hands them out until the read has ended or the consumer does not answer as it should.
func (c *cursor) pull(ctx context.Context, p *puller, connected <-chan nats.Status) (ended bool, err error) {
	silence := min(silence, c.request.Patience)
	quiet := time.NewTimer(silence)
	defer quiet.Stop()
	for {
		if p.left == 0 {
			if err := p.ask(c.request); err != nil {
				return false, err
			}
		}
		quiet.Reset(silence)
		select {
		case <-ctx.Done():
			return false, ctx.Err()
		case <-connected:
			return false, errAgain // The server has forgotten the request.
		case <-quiet.C:
			return false, errSilent
		case received := <-p.received:
			if m, ok := newMessage(received); ok {
				ended, err = c.message(p, m)
			} else {
				ended, err = c.status(p, received)
			}
			if ended || err != nil {
				return ended, err
			}
		}
	}
}

// message hands out a message. It reports whether it was the last.
func (c *cursor) message(p *puller, m *Message) (ended bool, err error) {
	p.last++
	if m.meta.Sequence.Consumer != p.last {
		return false, fmt.Errorf("%w after sequence %d", errGap, c.next-1)
	}
	p.left, p.got, c.alive = max(p.left-1, 0), p.got+1, true
	at := m.meta.Sequence.Stream
	if c.request.Last && at > c.end {
		return true, nil
	}
	c.next = at + 1
	return !c.f(m) || c.request.Last && (m.meta.NumPending == 0 || at == c.end), nil
}

// status takes what the server says about a request. It reports whether there are no more messages.
func (c *cursor) status(p *puller, msg *nats.Msg) (ended bool, err error) {
	if msg.Subject != p.inbox+"."+strconv.FormatUint(p.number, 10) {
		return false, nil // Of an earlier request.
	}
	status, description := msg.Header.Get("Status"), msg.Header.Get("Description")
	switch {
	case status == "100":
		c.alive = true
	case status == "404" && c.request.Last:
		return true, nil // The rest has been removed meanwhile.
	case status == "404", status == "408":
		c.alive, p.left = true, 0
	case status == "409" && description == "Message Size Exceeds MaxBytes":
		p.left, p.single = 0, p.got == 0
	case status == "409" && description == "Batch Completed":
		p.left = 0
	default: // The consumer was deleted, or has moved to another server.
		return false, fmt.Errorf("the server has ended a request: %s %s", status, description)
	}
	return false, nil
}

// Prefix is where the JetStream API is, in subjects.
func Prefix(o jetstream.JetStreamOptions) string {
	switch {
	case o.Domain != "":
		return "$JS." + o.Domain + ".API."
	case o.APIPrefix != "":
		return strings.TrimSuffix(o.APIPrefix, ".") + "."
	}
	return jetstream.DefaultAPIPrefix
}
