package reader

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"strconv"
	"time"

	"github.com/nats-io/nats.go"
	"github.com/nats-io/nats.go/jetstream"
)

// A Message is a message as its stream has it.
type Message struct {
	msg  *nats.Msg
	meta jetstream.MsgMetadata
}

// newMessage returns false for what is no message of a stream: the server names the place of one in the reply subject.
func newMessage(msg *nats.Msg) (*Message, bool) {
	m, err := msg.Metadata()
	if err != nil {
		return nil, false
	}
	return &Message{msg, jetstream.MsgMetadata{
		Sequence:     jetstream.SequencePair{Consumer: m.Sequence.Consumer, Stream: m.Sequence.Stream},
		NumDelivered: m.NumDelivered, NumPending: m.NumPending, Timestamp: m.Timestamp,
		Stream: m.Stream, Consumer: m.Consumer, Domain: m.Domain,
	}}, true
}

// Metadata returns the place of the message in its stream and its time; the error is always nil.
func (m *Message) Metadata() (*jetstream.MsgMetadata, error) { return &m.meta, nil }

// Sequence returns the place of the message in its stream.
func (m *Message) Sequence() uint64 { return m.meta.Sequence.Stream }

// Subject returns the subject that the message was published on.
func (m *Message) Subject() string { return m.msg.Subject }

// Headers returns the headers; the message keeps them. They are nil where the header block is not well-formed.
func (m *Message) Headers() nats.Header { return m.msg.Header }

// Data returns the body; the message keeps it.
func (m *Message) Data() []byte { return m.msg.Data }

// Raw returns the message as [Get] does.
func (m *Message) Raw() *jetstream.RawStreamMsg {
	return &jetstream.RawStreamMsg{Subject: m.msg.Subject, Sequence: m.Sequence(), Header: m.msg.Header, Data: m.msg.Data, Time: m.meta.Timestamp}
}

// getWait is how long Get waits for an answer where ctx has no deadline.
const getWait = 5 * time.Second

// Get returns one message of a stream. The error of one that does not exist wraps [jetstream.ErrMsgNotFound].
func Get(ctx context.Context, js jetstream.JetStream, stream jetstream.Stream, sequence uint64) (*jetstream.RawStreamMsg, error) {
	info := stream.CachedInfo()
	if !info.Config.AllowDirect {
		return stream.GetMsg(ctx, sequence) // It answers with JSON, which no stored message is.
	}
	if _, limited := ctx.Deadline(); !limited {
		var cancel context.CancelFunc
		ctx, cancel = context.WithTimeout(ctx, getWait)
		defer cancel()
	}
	body, err := json.Marshal(map[string]uint64{"seq": sequence})
	if err != nil {
		return nil, err
	}
	conn := js.Conn()
	inbox, received := conn.NewInbox(), make(chan *nats.Msg, 1)
	sub, err := conn.ChanSubscribe(inbox, received)
	if err != nil {
		return nil, err
	}
	defer func() { _ = sub.Unsubscribe() }() // The connection may be closed.
	if err := conn.PublishRequest(Prefix(js.Options())+"DIRECT.GET."+info.Config.Name, inbox, body); err != nil {
		return nil, err
	}
	select {
	case msg := <-received:
		return direct(msg, info.Config.Name, sequence)
	case <-ctx.Done():
		return nil, ctx.Err()
	}
}

// direct reads the answer to a direct get. The server writes the place of the message behind the headers that it was stored with,
// which may say the same of another one.
func direct(msg *nats.Msg, stream string, sequence uint64) (*jetstream.RawStreamMsg, error) {
	last := func(name string) string {
		if values := msg.Header.Values(name); len(values) > 0 {
			return values[len(values)-1]
		}
		return ""
	}
	if msg.Header == nil {
		return nil, fmt.Errorf("message %d of stream %s: its headers are not well-formed", sequence, stream)
	}
	if last(jetstream.SequenceHeader) != strconv.FormatUint(sequence, 10) {
		switch status := msg.Header.Get("Status"); status {
		case "404":
			return nil, jetstream.ErrMsgNotFound
		case "503":
			return nil, nats.ErrNoResponders
		default:
			return nil, fmt.Errorf("message %d of stream %s: the server answers %s %s", sequence, stream, status, msg.Header.Get("Description"))
		}
	}
	at, err := time.Parse(time.RFC3339Nano, last(jetstream.TimeStampHeaer))
	if err != nil {
		return nil, errors.Join(fmt.Errorf("message %d of stream %s: its time", sequence, stream), err)
	}
	return &jetstream.RawStreamMsg{Subject: last(jetstream.SubjectHeader), Sequence: sequence, Header: msg.Header, Data: msg.Data, Time: at}, nil
}
