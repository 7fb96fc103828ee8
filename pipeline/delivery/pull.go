package delivery

import (
	"encoding/json"
	"errors"
	"fmt"
	"strconv"
	"strings"
	"sync"
	"time"

	"github.com/nats-io/nats.go"
	"github.com/nats-io/nats.go/jetstream"

	"wavemill/pipeline/reader"
)

const (
	// pullExpiry is how long the server keeps a request for messages that it cannot fulfil. A stop may have to wait for it.
	pullExpiry = 5 * time.Second
	// pullHeartbeat is how often the server tells that it has a request while it has no message for it.
	pullHeartbeat = time.Second
	// pullSilence is after how long without a message or a heartbeat requests are taken to be lost.
	pullSilence = 3 * pullHeartbeat
)

// errSilent is the error of requests that the server does not know any more, or of a server that does not answer.
var errSilent = errors.New("the server has sent neither messages nor heartbeats")

// pull asks the server for messages, several requests at a time, and counts what they may still bring. It receives on one
// subscription for as long as the stream exists, so that what arrives late is not lost until its lease has run out. It is safe for
// concurrent use.
type pull struct {
	conn    *nats.Conn
	js      jetstream.JetStream
	subject string          // Where requests are sent, without the prefix of the API.
	accept  func(*nats.Msg) // Takes a message; of the goroutine of the subscription.
	wake    func()          // Tells the goroutine that sends requests that something has changed.

	mu    sync.Mutex
	sub   *nats.Subscription
	inbox string
	last  uint64    // last is the number of the latest request, and the last token of its reply subject.
	first uint64    // first is the number of the first request that counts: earlier ones are taken to be lost.
	asked int       // asked is how many messages the requests may still bring.
	bytes int       // bytes is how large these may be, of the requests that have a limit.
	heard time.Time // heard is when something came, or was asked for while nothing was.
	large int       // large is the limit that the next message was too large for; 0: it is not known to be too large.
	fault error     // fault is why the consumer must be looked at.
}

// listen begins to receive, if it has not begun.
func (p *pull) listen() error {
	p.mu.Lock()
	defer p.mu.Unlock()
	if p.sub != nil && p.sub.IsValid() {
		return nil
	}
	inbox := p.conn.NewInbox()
	sub, err := p.conn.Subscribe(inbox+".*", p.receive)
	if err != nil {
		return fmt.Errorf("subscribe to messages: %w", err)
	}
	if err := sub.SetPendingLimits(-1, -1); err != nil { // The requests limit it.
		return fmt.Errorf("subscribe to messages: %w", err)
	}
	p.sub, p.inbox = sub, inbox
	return nil
}

// drop ends the subscription: what it would bring is of a stream that does not exist any more.
func (p *pull) drop() {
	p.mu.Lock()
	defer p.mu.Unlock()
	if p.sub != nil {
		_ = p.sub.Unsubscribe() // The connection may be closed.
	}
	p.sub = nil
}

// begin forgets all requests. Messages that they bring all the same are taken.
func (p *pull) begin() {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.first, p.asked, p.bytes, p.large, p.fault = p.last+1, 0, 0, 0, nil
}

// state is what the requests may still bring, the limit that the next message was too large for, and why the consumer must be
// looked at.
func (p *pull) state() (asked, bytes, large int, fault error) {
	p.mu.Lock()
	defer p.mu.Unlock()
	if p.fault == nil && p.asked > 0 && time.Since(p.heard) > pullSilence {
		p.fault = errSilent
	}
	return p.asked, p.bytes, p.large, p.fault
}

// request asks for so many messages, together of at most so many bytes; 0: of any size.
func (p *pull) request(messages, bytes int) error {
	body, err := json.Marshal(struct {
		Expires   time.Duration `json:"expires"`
		Batch     int           `json:"batch"`
		MaxBytes  int           `json:"max_bytes,omitempty"`
		Heartbeat time.Duration `json:"idle_heartbeat"`
	}{pullExpiry, messages, bytes, pullHeartbeat})
	if err != nil {
		return err
	}
	p.mu.Lock()
	defer p.mu.Unlock()
	p.last++
	if p.asked == 0 {
		p.heard = time.Now()
	}
	p.asked += messages
	p.bytes += bytes
	err = p.conn.PublishRequest(reader.Prefix(p.js.Options())+p.subject, p.inbox+"."+strconv.FormatUint(p.last, 10), body)
	if err != nil {
		return fmt.Errorf("ask for messages: %w", err)
	}
	return nil
}

// receive takes what the server sends to the inbox: messages, heartbeats, and the ends of requests.
func (p *pull) receive(msg *nats.Msg) {
	defer p.wake()
	if msg.Reply != "" { // Where it is acknowledged.
		p.mu.Lock()
		p.heard = time.Now()
		p.asked, p.bytes, p.large = max(p.asked-1, 0), max(p.bytes-msg.Size(), 0), 0
		p.mu.Unlock()
		p.accept(msg)
		return
	}
	p.mu.Lock()
	defer p.mu.Unlock()
	number, err := strconv.ParseUint(msg.Subject[strings.LastIndexByte(msg.Subject, '.')+1:], 10, 64)
	if err != nil || number < p.first {
		return // Of a request that was taken to be lost.
	}
	p.heard = time.Now()
	status := msg.Header.Get("Status")
	if status == "100" {
		return
	}
	description := msg.Header.Get("Description")
	messages, err := strconv.Atoi(msg.Header.Get("Nats-Pending-Messages"))
	left, bytesErr := strconv.Atoi(msg.Header.Get("Nats-Pending-Bytes"))
	if err != nil || bytesErr != nil || status != "408" && status != "409" || description == "Server Shutdown" {
		// A deleted consumer, one with another leader, or none at all: the other requests are lost too.
		p.fault = fmt.Errorf("the server has ended a request: %s %s", status, description)
		return
	}
	p.asked, p.bytes = max(p.asked-messages, 0), max(p.bytes-left, 0)
	if description == "Message Size Exceeds MaxBytes" {
		p.large = max(p.large, left)
	}
}

// end stops asking and receives what is on its way. On a single server that is quick: it sends nothing more to a subscription that
// has ended, and delivers to others what it could not send. In a cluster, a message may be between two servers, and would not be
// delivered again before its lease runs out, so that end waits until the requests have expired.
func (p *pull) end() {
	p.mu.Lock()
	sub := p.sub
	p.mu.Unlock()
	if sub == nil {
		return
	}
	if p.conn.ConnectedClusterName() != "" || reader.Prefix(p.js.Options()) != jetstream.DefaultAPIPrefix {
		p.expire()
	}
	closed := make(chan struct{})
	sub.SetClosedHandler(func(string) { close(closed) })
	if err := sub.Drain(); err != nil {
		return // The connection is closed.
	}
	select {
	case <-closed:
	case <-time.After(pullExpiry): // The server is away.
		_ = sub.Unsubscribe()
	}
}

// expire waits until the requests have ended, or the server must have ended them.
func (p *pull) expire() {
	ticker := time.NewTicker(20 * time.Millisecond)
	defer ticker.Stop()
	for deadline := time.Now().Add(pullExpiry + pullHeartbeat); time.Now().Before(deadline) && p.conn.IsConnected(); <-ticker.C {
		if asked, _, _, fault := p.state(); asked == 0 || fault != nil {
			return
		}
	}
}
