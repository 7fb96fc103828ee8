package pipeline

import (
	"strings"
	"testing"

	"github.com/nats-io/nats.go"
	"github.com/nats-io/nats.go/jetstream"

	"wavemill/internal/allocation"
	"wavemill/pipeline/header"
)

// delivered is a message as a consumer hands it over.
type delivered struct {
	jetstream.Msg
	subject string
	body    []byte
	headers nats.Header
}

func (d delivered) Subject() string      { return d.subject }
func (d delivered) Data() []byte         { return d.body }
func (d delivered) Headers() nats.Header { return d.headers }
func (d delivered) Metadata() (*jetstream.MsgMetadata, error) {
	return &jetstream.MsgMetadata{Stream: "WAVEMILL_AUDIO", Sequence: jetstream.SequencePair{Stream: 7}, NumDelivered: 1}, nil
}

// FuzzMessage shows any subject and any headers to what reads a message of a stream, and to what reads its id.
func FuzzMessage(f *testing.F) {
	f.Add("wavemill.audio.kick", header.Label, "kick drum", header.Traceparent, "00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01")
	f.Add("wavemill.audio.=6b", jetstream.MsgIDHeader, "wavemill/work@0a/WAVEMILL_AUDIO/7/0", header.Type, "model")
	f.Add("a.b", "", "", "traceParent", "=?utf-8?q?=00?=")
	f.Fuzz(func(t *testing.T, subject, name, value, other, text string) {
		d := delivered{subject: subject, headers: nats.Header{name: {value}, other: {text, "second"}, "empty": nil}}
		var m *Message
		var err error
		size := len(subject) + len(name) + len(value) + len(other) + len(text)
		allocation.Check(t, size, 100, func() { m, err = decode(d) })
		if err != nil {
			if strings.Count(subject, ".") >= 2 {
				t.Errorf("%q: %v", subject, err)
			}
			return
		}
		if m.ID == "" || m.Stream != "WAVEMILL_AUDIO" || m.Sequence != 7 {
			t.Errorf("%+v", m)
		}
		var o Origin
		var ok bool
		allocation.Check(t, len(m.ID), 100, func() { o, ok = ParseOrigin(m.ID) })
		if ok && o.String() != m.ID {
			t.Errorf("%q was read as %+v", m.ID, o)
		}
	})
}
