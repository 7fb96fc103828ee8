package pipeline

import (
	"context"
	"fmt"
	"strings"

	"github.com/nats-io/nats.go"
	"github.com/nats-io/nats.go/jetstream"

	"wavemill/pipeline/header"
)

// maxHeader is the largest header block JetStream stores.
const maxHeader = 64<<10 - 1

// encode writes m as a NATS message for a stream; the body is not copied.
func (s Spec) encode(stream string, m *Message) (*nats.Msg, error) {
	if err := checkType(m.Type); err != nil {
		return nil, err
	}
	msg := nats.NewMsg(s.Subject(stream, m.Label))
	msg.Data = m.Body
	for name, value := range m.Header {
		if !headerName(name) {
			return nil, Errorf(Invalid, "header name %q: use letters, digits, - and _, and neither Nats-, Status nor Description, which NATS uses itself", name)
		}
		msg.Header.Set(name, header.EncodeValue(value))
	}
	msg.Header.Del(header.Type)
	if m.Type != stream {
		msg.Header.Set(header.Type, m.Type)
	}
	msg.Header.Set(header.Label, header.EncodeValue(m.Label))
	if m.ID != "" {
		msg.Header.Set(jetstream.MsgIDHeader, header.EncodeValue(m.ID))
	}
	if n := msg.Size() - len(msg.Data) - len(msg.Subject); n > maxHeader {
		return nil, Errorf(Invalid, "the headers take %d bytes; a stream stores at most %d", n, maxHeader)
	}
	return msg, nil
}

// checkType reports a message type that cannot be written.
func checkType(t string) error {
	if !operatorName.MatchString(t) {
		return Errorf(Invalid, "message type %q: use 1 to %d lower-case letters, digits, - and _", t, maxStreamName)
	}
	return nil
}

func headerName(name string) bool {
	return name != "" && !header.Reserved(name) && strings.IndexFunc(name, unsafeInToken) < 0
}

// stored is a message of a stream, delivered to a stage or read by [Bus.Messages].
type stored interface {
	Metadata() (*jetstream.MsgMetadata, error)
	Subject() string
	Headers() nats.Header
	Data() []byte
}

// decode reads a stream message. The label is the Wavemill-Label header, or else the subject's last token. The type is
// the Wavemill-Type header, or else the name of the stream, which is the subject's second token; dead letters are of
// TypeDLQ, whatever died.
func decode(msg stored) (*Message, error) {
	meta, err := msg.Metadata()
	if err != nil {
		return nil, fmt.Errorf("metadata of a message on %s: %w", msg.Subject(), err)
	}
	m := &Message{
		Body: msg.Data(), Sequence: meta.Sequence.Stream, Stream: meta.Stream,
		Attempt: int(meta.NumDelivered), Time: meta.Timestamp,
	}
	tokens := strings.SplitN(msg.Subject(), ".", 3)
	if len(tokens) != 3 {
		return nil, Errorf(Invalid, "subject %q: expected <pipeline>.<stream>.<label>", msg.Subject())
	}
	m.Type, m.Label = tokens[1], labelOfToken(tokens[2])
	for name, values := range msg.Headers() {
		if len(values) == 0 {
			continue
		}
		value := header.DecodeValue(values[0])
		switch {
		case name == jetstream.MsgIDHeader:
			m.ID = value
		case name == header.Label:
			m.Label = value
		case name == header.Type && tokens[1] != TypeDLQ:
			m.Type = value
		case strings.EqualFold(name, header.Traceparent):
			m.SetHeader(header.Traceparent, value)
		case strings.EqualFold(name, header.Tracestate):
			m.SetHeader(header.Tracestate, value)
		case header.Reserved(name):
		default:
			m.SetHeader(name, value)
		}
	}
	if m.ID == "" {
		m.ID = fmt.Sprintf("%s/%d", m.Stream, m.Sequence)
	}
	return m, nil
}

// resolve fetches a stored body.
func (b *Bus) resolve(ctx context.Context, m *Message) error {
	ref := m.Header[header.Object]
	if ref == "" {
		return nil
	}
	body, err := b.objects.Get(ctx, ref)
	if err != nil {
		return fmt.Errorf("%s: %w", header.Object, err)
	}
	m.Body = body
	delete(m.Header, header.Object)
	return nil
}
