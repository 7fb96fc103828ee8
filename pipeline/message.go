package pipeline

import (
	"maps"
	"time"
)

// The message types of a pipeline. A type is the second token of a subject, <pipeline>.<type>.<label>, and names
// the stream <PIPELINE>_<TYPE> (TypeModel has none: model events are announcements, the models are kept elsewhere).
const (
	TypeAudio       = "audio"
	TypeSpectrogram = "spectrogram"
	TypeQuarantine  = "quarantine"
	TypeClip        = "clip"
	TypeModel       = "model"
	TypeDLQ         = "dlq" // Dead letters; its last token is the operator's name, not a label.
)

// A Message is one thing on the bus. It belongs to whoever holds it: Process may change the message it is given,
// and must not touch a message once it has emitted it. A Message is not safe for concurrent use.
type Message struct {
	// ID is stable across redelivery and unique in its stream. The runtime derives the ids of emitted messages
	// from the sequence of the input, and replaces whatever an operator writes here; only messages published
	// outside Process carry an id of their publisher's choice.
	ID string
	// Type is one of the Type constants: it decides the subject and the stream.
	Type string
	// Label is the true label, any string. Its [Slug] is the last token of the subject. An emitted message with
	// no label inherits its input's.
	Label string
	// Header holds the other headers, decoded, by exact name; Nats-* headers and the label are not among them.
	// Nil means none. An emitted message inherits Wavemill-Source and traceparent where it has none of its own.
	Header map[string]string
	// Body is the value. A body above the server's max payload travels as a stored object; operators do not
	// notice.
	Body []byte

	// Sequence, Stream, Attempt and Time describe a received message and are ignored in an emitted one: where it
	// is kept, how many times it has been delivered (from 1), and when the stream stored it.
	Sequence uint64
	Stream   string
	Attempt  int
	Time     time.Time
}

// Clone returns a deep copy of m.
func (m *Message) Clone() *Message {
	c := *m
	c.Header = maps.Clone(m.Header)
	c.Body = append([]byte(nil), m.Body...)
	return &c
}

// SetHeader sets one header, making the map when there is none.
func (m *Message) SetHeader(name, value string) {
	if m.Header == nil {
		m.Header = make(map[string]string)
	}
	m.Header[name] = value
}
