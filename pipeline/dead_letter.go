package pipeline

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"math/rand/v2"
	"strings"
	"sync"
	"time"

	"github.com/nats-io/nats.go/jetstream"

	"wavemill/pipeline/deadletter"
	"wavemill/pipeline/delivery"
	"wavemill/pipeline/header"
)

// deadLetter stores a dead letter about msg and, once it is stored, ends the message.
func (s *stage) deadLetter(ctx context.Context, msg *delivery.Message, m *Message, err error) delivery.Outcome {
	letter := deadletter.Letter{
		Operator: s.spec.Name, Reason: oneLine(err.Error()), Kind: KindOf(err).String(), Attempts: m.Attempt,
		Subject: msg.Subject(), Stream: m.Stream, Sequence: m.Sequence, MessageID: m.ID,
		Label: m.Label, Source: m.Header[header.Source], Died: time.Now(),
		Header: msg.Headers(), Body: msg.Data(),
	}
	wire := &Error{Operator: s.spec.Name, Kind: KindOf(err), Err: err}
	if e, ok := errors.AsType[*Error](err); ok && e.Operator == "" && e.Message != "" {
		wire.Message, wire.Err = e.Message, e.Err
	}
	if data, err := json.Marshal(wire); err == nil {
		letter.Error = data
	}
	letter.Object = m.Header[header.Object]
	if err := s.bus.deadLetter(ctx, letter); err != nil {
		if ctx.Err() != nil { // The stage stops, or the server has delivered the message again.
			return delivery.Outcome{Verdict: delivery.Retry, Delay: firstDelay}
		}
		s.unstored.fail(time.Now(), err)
		delay := retryDelay(m.Attempt, rand.Float64())
		s.log.ErrorContext(ctx, "a dead letter could not be stored; the message will be delivered again", "label", m.Label, "attempt", m.Attempt, "delay", delay, "reason", letter.Reason, "error", err)
		return delivery.Outcome{Verdict: delivery.Retry, Delay: delay}
	}
	s.unstored.clear()
	s.logPanic(ctx, err)
	s.counters.died(reasonOf(err))
	s.counters.remember(DeadLetter{Label: m.Label, Source: letter.Source, ID: m.ID, Sequence: m.Sequence, Kind: KindOf(err), Reason: letter.Reason, Attempts: m.Attempt})
	s.event(EventDead, m, err)
	s.log.WarnContext(ctx, "dead letter", "label", m.Label, "source", letter.Source, "attempt", m.Attempt, "reason", letter.Reason)
	return delivery.Outcome{Verdict: delivery.Drop, Reason: clip(letter.Reason, maxTermReason)}
}

// unstored counts the dead letters that a stage could not store, and knows for how long it has stored none.
type unstored struct {
	mu          sync.Mutex
	count       uint64
	first, last time.Time // Of the failures since a letter was stored.
	err         error
}

// An operator is not ready while it has stored no dead letter for unstoredAfter, as long as it tries: the longest delay between two
// attempts at a message, with its jitter.
const (
	unstoredAfter  = 10 * time.Second
	unstoredMemory = longestDelay * 6 / 5
)

func (u *unstored) fail(now time.Time, err error) {
	u.mu.Lock()
	defer u.mu.Unlock()
	if u.first.IsZero() || now.Sub(u.last) > unstoredMemory+time.Minute {
		u.first = now
	}
	u.count, u.last, u.err = u.count+1, now, err
}

func (u *unstored) clear() {
	u.mu.Lock()
	defer u.mu.Unlock()
	u.first, u.last, u.err = time.Time{}, time.Time{}, nil
}

func (u *unstored) failures() uint64 {
	u.mu.Lock()
	defer u.mu.Unlock()
	return u.count
}

// fault returns why no dead letters are stored, where that lasts, or nil.
func (u *unstored) fault(now time.Time) error {
	u.mu.Lock()
	defer u.mu.Unlock()
	if u.first.IsZero() || now.Sub(u.first) < unstoredAfter || now.Sub(u.last) > unstoredMemory+time.Minute {
		return nil
	}
	return fmt.Errorf("it cannot store dead letters since %s, and their messages come again: %w", u.first.UTC().Format(time.RFC3339), u.err)
}

// deadLetter stores a letter. If another message's letter has the same id, it is stored under a longer id. A stored body of
// the message lives for a whole TTL from now on.
func (b *Bus) deadLetter(ctx context.Context, l deadletter.Letter) error {
	if l.Object != "" {
		if err := b.objects.Renew(ctx, l.Object); err != nil {
			b.log.Warn("the stored body of a dead letter could not be renewed; it expires with the original", "object", l.Object, "error", err)
		}
	}
	msg := l.Message(b.spec.Name + "." + TypeDLQ + "." + l.Operator)
	ack, err := b.publish(ctx, msg, TypeDLQ)
	if err != nil || !ack.Duplicate {
		return err
	}
	same, err := b.DeadLetters().Same(ctx, ack.Sequence, l)
	if errors.Is(err, deadletter.ErrNotFound) {
		same, err = false, nil // Purged meanwhile.
	}
	if err != nil || same {
		return err
	}
	msg = l.Message(msg.Subject)
	msg.Header.Set(jetstream.MsgIDHeader, fmt.Sprintf("%s-%s-%s", deadletter.ID(l.Stream, l.Sequence), l.Operator, shortHash(l.MessageID, l.Subject)))
	_, err = b.publish(ctx, msg, TypeDLQ)
	return err
}

// maxTermReason is the longest reason sent to the server, in bytes: the server repeats it in advisories.
const maxTermReason = 200

// oneLine joins the lines of an error, for headers and logs.
func oneLine(s string) string {
	return strings.Join(strings.FieldsFunc(s, func(r rune) bool { return r == '\n' || r == '\r' }), "; ")
}

// clip shortens s to at most n bytes at a character's border.
func clip(s string, n int) string {
	if len(s) <= n {
		return s
	}
	return strings.ToValidUTF8(s[:n], "")
}
