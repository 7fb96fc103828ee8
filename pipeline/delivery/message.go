package delivery

import (
	"github.com/nats-io/nats.go"
	"github.com/nats-io/nats.go/jetstream"
)

// A Message is one delivery of a message of the stream. The loop settles it, so it has no methods for that.
type Message struct {
	msg  *nats.Msg
	meta jetstream.MsgMetadata
}

// newMessage reads where a message is from. It returns an error for one that no consumer has delivered.
func newMessage(msg *nats.Msg) (*Message, error) {
	m, err := msg.Metadata()
	if err != nil {
		return nil, err
	}
	return &Message{msg, jetstream.MsgMetadata{
		Sequence:     jetstream.SequencePair{Consumer: m.Sequence.Consumer, Stream: m.Sequence.Stream},
		NumDelivered: m.NumDelivered, NumPending: m.NumPending, Timestamp: m.Timestamp,
		Stream: m.Stream, Consumer: m.Consumer, Domain: m.Domain,
	}}, nil
}

// Metadata returns sequences, attempts and times of the delivery; the error is always nil.
func (m *Message) Metadata() (*jetstream.MsgMetadata, error) { return &m.meta, nil }

// Subject returns the subject that the message was published on.
func (m *Message) Subject() string { return m.msg.Subject }

// Headers returns the headers; the message keeps them.
func (m *Message) Headers() nats.Header { return m.msg.Header }

// Data returns the body; the message keeps it.
func (m *Message) Data() []byte { return m.msg.Data }
