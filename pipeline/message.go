package pipeline

import (
	"maps"
	"time"
)

// The message types of a pipeline. A type says what a body is. Messages of a type travel on the stream of the same name,
// with subjects <pipeline>.<type>.<label>, unless the field to of an [OperatorSpec] names another stream. TypeModel has
// no stream: model events are announcements, and the models are kept in [Bus.Models].
const (
	TypeAudio       = "audio"
	TypeSpectrogram = "spectrogram"
	TypeQuarantine  = "quarantine" // What an operator refused; its stream is created by the first stage that writes it.
	TypeClip        = "clip"
	TypeModel       = "model"
	TypeDLQ         = "dlq" // Dead letters; its last token is the operator's name, not a label.
)

// A Message is one message on the bus. Process owns the message it is given and may change it; it must not read or
// change a message after emitting it. A Message is not safe for concurrent use.
type Message struct {
	// ID is stable across redelivery and unique in its stream. The runtime derives the ids of emitted messages
	// from the sequence of the input and overwrites this field; only messages published outside Process have an id
	// of their publisher's choice.
	ID string
	// Type says what the body is: one of the Type constants, or a name of the same form for a type of your own. It is
	// not always the name of the stream: a spectrogram that an operator with `to: guarded` has passed on is still of
	// TypeSpectrogram and travels on the stream guarded, with the header Wavemill-Type.
	Type string
	// Label is the true label, any string. Its [Slug] is the last token of the subject. An emitted message with
	// no label inherits its input's.
	Label string
	// Header holds the other headers, decoded, by exact name; those of NATS itself (Nats-*, Status and Description), the type
	// and the label are not among them. Nil means none. An emitted message inherits Wavemill-Source, -Recording, -Fingerprint, -Group,
	// traceparent and tracestate from its input where it has none of its own.
	Header map[string]string
	// Body is the value. A body above the server's max payload travels as a stored object; operators do not
	// notice.
	Body []byte

	// Sequence, Stream, Attempt and Time describe a received message and are ignored in an emitted one: its place in
	// the stream, the stream's name on the server (<PIPELINE>_<STREAM>), how many times the message has been delivered
	// (from 1), and when the stream stored it.
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
