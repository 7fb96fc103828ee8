// Package deadletter reads and writes dead letters: messages that an operator failed to process, kept with the reason in
// the stream <PIPELINE>_DLQ.
//
// A dead letter has the body and the headers of the failed message and, beside them, the Wavemill-Dead-* headers: the
// stream and subject of the message, the operator, the error, and the number of attempts. The original is complete, so
// it can be replayed. The runtime writes letters; [Store] lists, replays and removes them.
package deadletter

import (
	"encoding/json"
	"errors"
	"fmt"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/nats-io/nats.go"
	"github.com/nats-io/nats.go/jetstream"

	"wavemill/pipeline/header"
)

// maxReason keeps reasons readable and headers small, in bytes.
const maxReason = 2000

// A Letter is a failed message and the reason.
type Letter struct {
	Operator  string          `json:"operator"`
	Reason    string          `json:"reason"`
	Kind      string          `json:"kind"`
	Error     json.RawMessage `json:"error,omitempty"` // Error is the error as the operator's runtime wrote it.
	Attempts  int             `json:"attempts"`
	Subject   string          `json:"subject"` // Subject is where the message was published.
	Stream    string          `json:"stream"`
	Sequence  uint64          `json:"sequence"`
	MessageID string          `json:"message_id,omitempty"`
	Label     string          `json:"label"`
	Source    string          `json:"source,omitempty"`
	Died      time.Time       `json:"died"`             // Died is when the operator gave up.
	Size      int             `json:"size"`             // Size of the body in bytes; of a stored body 0.
	Object    string          `json:"object,omitempty"` // Object is the reference of a stored body; [Store.Expiry] says how long it lives.
	// Settled is empty for a letter. [Replayed] or [Purged] mark a note about a letter that has been removed.
	Settled string `json:"settled,omitempty"`
	// LeftOut names the headers of the failed message that the letter does not have, with commas, because no message can have
	// them or they are too large together.
	LeftOut string `json:"left_out,omitempty"`

	Number uint64      `json:"number"` // Number is the letter's own sequence in the dead-letter stream.
	Header nats.Header `json:"-"`      // Header holds the headers of the failed message.
	Body   []byte      `json:"-"`

	subject string // Where the letter itself was published.
}

// How a letter that was removed has been settled.
const (
	Replayed = "replayed"
	Purged   = "purged"
)

// ID returns the Nats-Msg-Id of the letter about a message, so that a message that fails twice has one letter.
func ID(stream string, sequence uint64) string {
	return "dlq-" + stream + "-" + strconv.FormatUint(sequence, 10)
}

// Message writes a letter as a message for the given subject, <pipeline>.dlq.<operator>.
func (l Letter) Message(subject string) *nats.Msg {
	msg := nats.NewMsg(subject)
	msg.Data = l.Body
	var leftOut []string
	for name, values := range l.Header {
		switch {
		case strings.HasPrefix(name, "Nats-"), strings.HasPrefix(name, "Wavemill-Dead-"): // Of the message that failed alone.
		case header.Reserved(name), !header.Sendable(name):
			leftOut = append(leftOut, name)
		default:
			msg.Header[name] = values
		}
	}
	set := func(name, value string) {
		if value != "" {
			msg.Header.Set(name, header.EncodeValue(value))
		}
	}
	set(jetstream.MsgIDHeader, ID(l.Stream, l.Sequence))
	set(header.Label, l.Label) // A message without the header has its label in its subject, which a letter does not share.
	set(header.DeadOperator, l.Operator)
	set(header.DeadReason, clip(l.Reason, maxReason))
	set(header.DeadKind, l.Kind)
	if len(l.Error) <= 4*maxReason { // Truncated JSON would be useless; the reason stays.
		set(header.DeadError, string(l.Error))
	}
	set(header.DeadAttempts, strconv.Itoa(l.Attempts))
	set(header.DeadSubject, l.Subject)
	set(header.DeadStream, l.Stream)
	set(header.DeadSequence, strconv.FormatUint(l.Sequence, 10))
	set(header.DeadMessageID, l.MessageID)
	set(header.DeadTime, l.Died.UTC().Format(time.RFC3339Nano))
	set(header.DeadLeftOut, names(append(leftOut, shrink(msg)...)))
	return msg
}

// maxHeaders is how large the headers of a letter may be, in bytes. A stream stores 64 KiB; the rest is for what is added when the
// letter is published, and for the names of what is left out.
const maxHeaders = 60 << 10

// shrink removes the largest headers that a letter can do without until the others can be stored, and returns their names.
func shrink(msg *nats.Msg) (removed []string) {
	for {
		total, largest, size := 0, "", 0
		for name, values := range msg.Header {
			n := 0
			for _, value := range values {
				n += len(name) + len(value) + len(": \r\n")
			}
			total += n
			if n > size && !needed(name) {
				largest, size = name, n
			}
		}
		if total <= maxHeaders || largest == "" {
			return removed
		}
		delete(msg.Header, largest)
		removed = append(removed, largest)
	}
}

// needed reports whether a letter is none without the header.
func needed(name string) bool {
	switch name {
	case jetstream.MsgIDHeader, header.DeadOperator, header.DeadReason, header.DeadKind, header.DeadAttempts, header.DeadSubject,
		header.DeadStream, header.DeadSequence, header.DeadTime, header.Object:
		return true
	}
	return false
}

// names lists names of headers on one line, those that no message can have in quotes.
func names(all []string) string {
	slices.Sort(all)
	for i, name := range all {
		if !header.Sendable(name) {
			all[i] = strconv.QuoteToASCII(name)
		}
	}
	return clip(strings.Join(all, ", "), maxReason/2)
}

// note writes what remains of a letter that is removed, without its body and its own headers, so that `wavemill verify` knows
// what has become of the message.
func (l Letter) note(how string) *nats.Msg {
	rest := l
	rest.Body, rest.Header, rest.Error = nil, nil, nil
	msg := rest.Message(l.subject)
	msg.Header.Set(header.DeadSettled, how)
	msg.Header.Set(jetstream.MsgIDHeader, fmt.Sprintf("settled-%d-%s", l.Number, ID(l.Stream, l.Sequence)))
	return msg
}

// clip shortens s to at most n bytes at a character boundary.
func clip(s string, n int) string {
	if len(s) <= n {
		return s
	}
	return strings.ToValidUTF8(s[:n], "") + " ..."
}

// ErrNotLetter means that a message in the dead-letter stream is none: any client may publish there.
var ErrNotLetter = errors.New("not a dead letter")

// Parse reads a dead letter as the stream holds it.
func Parse(msg *jetstream.RawStreamMsg) (Letter, error) {
	get := func(name string) string { return header.DecodeValue(msg.Header.Get(name)) }
	if get(header.DeadOperator) == "" {
		return Letter{}, fmt.Errorf("message %d on %s: %w: it has no %s", msg.Sequence, msg.Subject, ErrNotLetter, header.DeadOperator)
	}
	l := Letter{
		Operator: get(header.DeadOperator), Reason: get(header.DeadReason), Kind: get(header.DeadKind),
		Subject: get(header.DeadSubject), Stream: get(header.DeadStream), MessageID: get(header.DeadMessageID),
		Label: get(header.Label), Source: get(header.Source),
		Number: msg.Sequence, Size: len(msg.Data), Body: msg.Data, Header: make(nats.Header),
		Object: get(header.Object), Settled: get(header.DeadSettled), LeftOut: get(header.DeadLeftOut), subject: msg.Subject,
	}
	if text := get(header.DeadError); json.Valid([]byte(text)) {
		l.Error = json.RawMessage(text)
	}
	var err error
	if l.Attempts, err = strconv.Atoi(get(header.DeadAttempts)); err != nil {
		return Letter{}, fmt.Errorf("message %d on %s: %w: %s: %w", msg.Sequence, msg.Subject, ErrNotLetter, header.DeadAttempts, err)
	}
	if l.Sequence, err = strconv.ParseUint(get(header.DeadSequence), 10, 64); err != nil {
		return Letter{}, fmt.Errorf("message %d on %s: %w: %s: %w", msg.Sequence, msg.Subject, ErrNotLetter, header.DeadSequence, err)
	}
	if l.Died, err = time.Parse(time.RFC3339Nano, get(header.DeadTime)); err != nil {
		l.Died = msg.Time
	}
	for name, values := range msg.Header {
		if !header.Reserved(name) && header.Sendable(name) && !strings.HasPrefix(name, "Wavemill-Dead-") {
			l.Header[name] = values
		}
	}
	return l, nil
}
