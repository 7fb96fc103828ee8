package quarantine

import (
	"fmt"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/nats-io/nats.go"
	"github.com/nats-io/nats.go/jetstream"

	"wavemill/pipeline/header"
)

// A Message is a message in quarantine.
type Message struct {
	Number  uint64    `json:"number"` // Number is its sequence in the quarantine stream.
	Time    time.Time `json:"time"`   // Time is when it was stored there.
	Label   string    `json:"label"`
	Source  string    `json:"source,omitempty"`
	Rules   []string  `json:"rules"`  // Rules are the names of those that it breaks.
	Reason  string    `json:"reason"` // Reason says the same for a person.
	Scores  string    `json:"scores,omitempty"`
	Basis   string    `json:"basis,omitempty"`
	Type    string    `json:"type"`     // Type is that of the message that was refused.
	To      string    `json:"to"`       // To is the stream that it would have passed to.
	Stage   string    `json:"operator"` // Stage is the operator that refused it.
	Stream  string    `json:"stream"`   // Stream and Sequence are the place of the original.
	From    uint64    `json:"sequence"`
	ID      string    `json:"id"`    // ID is the original's.
	Size    int       `json:"bytes"` // Size of the body; of one in the object store 0.
	Subject string    `json:"subject"`

	header nats.Header
	body   []byte
}

// Body returns the body; empty where it is in the object store, and [Message.Object] names it. The caller must not change it.
func (m Message) Body() []byte { return m.body }

// Object names the body in the object store; empty where the message has it.
func (m Message) Object() string { return m.header.Get(header.Object) }

// Header returns a header of the message, such as that which says how a spectrogram was made; empty: it has none.
func (m Message) Header(name string) string { return header.DecodeValue(m.header.Get(name)) }

// String describes the message in several lines, without a final newline.
func (m Message) String() string {
	return fmt.Sprintf("number:   %d\ntime:     %s\nlabel:    %s\nsource:   %s\nrules:    %s\nreason:   %s\nscores:   %s\nbasis:    %s\nrefused:  message %d of %s (%s), by %s\nid:       %s\npasses to: %s, as %s",
		m.Number, m.Time.UTC().Format(time.RFC3339), m.Label, m.Source, strings.Join(m.Rules, ", "), m.Reason, m.Scores, m.Basis,
		m.From, m.Stream, m.Type, m.Stage, m.ID, m.To, m.Type)
}

// parse reads a stored message.
func parse(raw *jetstream.RawStreamMsg) (Message, error) {
	get := func(name string) string { return header.DecodeValue(raw.Header.Get(name)) }
	m := Message{
		Number: raw.Sequence, Time: raw.Time, Subject: raw.Subject, Label: get(header.Label), Source: get(header.Source),
		Reason: get(header.GuardReason), Scores: get(header.GuardScores), Basis: get(header.GuardBasis),
		Type: get(header.QuarantineType), To: get(header.QuarantineTo), Stage: get(header.QuarantineOperator),
		Stream: get(header.QuarantineStream), ID: get(header.QuarantineMessageID), Size: len(raw.Data),
		Rules: []string{}, header: raw.Header, body: raw.Data,
	}
	if names := get(header.GuardRules); names != "" {
		m.Rules = strings.Split(names, ",")
	}
	if text := get(header.QuarantineSequence); text != "" {
		n, err := strconv.ParseUint(text, 10, 64)
		if err != nil {
			return m, fmt.Errorf("message %d in quarantine: header %s is %q, not a number", m.Number, header.QuarantineSequence, text)
		}
		m.From = n
	}
	if m.Label == "" {
		m.Label = raw.Subject[strings.LastIndex(raw.Subject, ".")+1:]
	}
	return m, nil
}

// Filter chooses messages; the zero Filter chooses all.
type Filter struct {
	Label   string
	Rule    string    // Rule is one of those that the message breaks.
	Reason  string    // Reason is a part of the reason.
	Since   time.Time // Since and Until bound Message.Time, from Since (included) to Until (excluded); zero: unbounded.
	Until   time.Time
	Numbers []uint64 // Numbers chooses by number; empty: any.
}

func (f Filter) matches(m Message) bool {
	return (f.Label == "" || f.Label == m.Label) &&
		(f.Rule == "" || slices.Contains(m.Rules, f.Rule)) &&
		strings.Contains(m.Reason, f.Reason) &&
		(f.Since.IsZero() || !m.Time.Before(f.Since)) &&
		(f.Until.IsZero() || m.Time.Before(f.Until)) &&
		(len(f.Numbers) == 0 || slices.Contains(f.Numbers, m.Number))
}
