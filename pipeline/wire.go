package pipeline

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"time"

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
			return nil, Errorf(Invalid, "header name %q: use letters, digits, - and _, and no Nats-", name)
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
	return name != "" && !strings.HasPrefix(name, "Nats-") && strings.IndexFunc(name, unsafeInToken) < 0
}

// decode reads a stream message. The label is the Wavemill-Label header, or else the subject's last token. The type is
// the Wavemill-Type header, or else the name of the stream, which is the subject's second token; dead letters are of
// TypeDLQ, whatever died.
func decode(msg jetstream.Msg) (*Message, error) {
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
		case strings.HasPrefix(name, "Nats-"):
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

// publishWait is how long one attempt waits for the stream's confirmation.
const publishWait = 5 * time.Second

// publish stores msg in a stream and returns the confirmation. It repeats what fails temporarily, until ctx ends.
func (b *Bus) publish(ctx context.Context, msg *nats.Msg, stream string) (Ack, error) {
	if err := b.offload(ctx, msg); err != nil {
		return Ack{}, err
	}
	for attempt := 1; ; attempt++ {
		ack, err := b.publishOnce(ctx, msg)
		if err == nil {
			return Ack{Stream: ack.Stream, Sequence: ack.Sequence, Duplicate: ack.Duplicate}, nil
		}
		wait, ok := b.waitAfter(ctx, err, attempt, stream)
		if !ok {
			return Ack{}, fmt.Errorf("publish on %s: %w", msg.Subject, err)
		}
		select {
		case <-time.After(wait):
		case <-ctx.Done():
			return Ack{}, fmt.Errorf("publish on %s: %w: %w", msg.Subject, context.Cause(ctx), err)
		}
	}
}

// publishOnce waits for one answer, at most publishWait, and not longer than the connection lasts.
func (b *Bus) publishOnce(ctx context.Context, msg *nats.Msg) (*jetstream.PubAck, error) {
	ctx, cancel := context.WithTimeout(ctx, publishWait)
	defer cancel()
	defer context.AfterFunc(b.connection.Load().ctx, cancel)()
	return b.js.PublishMsg(ctx, msg)
}

// offload moves a body that is too large for the server into the object store.
func (b *Bus) offload(ctx context.Context, msg *nats.Msg) error {
	if int64(msg.Size()-len(msg.Subject)) <= b.conn.MaxPayload() {
		return nil
	}
	ref, err := b.objects.Put(ctx, msg.Data)
	if err != nil {
		return err
	}
	msg.Header.Set(header.Object, ref)
	msg.Data = nil
	return nil
}

// Codes of temporary server errors that nats.go has no names for.
const (
	codeUnavailable  jetstream.ErrorCode = 10008 // JetStream is temporarily unavailable: an election, for example.
	codeNoResources  jetstream.ErrorCode = 10023 // The server's store has reached its limit.
	codeNoStorage    jetstream.ErrorCode = 10047 // As above, for a stream that reserves its space.
	codeStoreFailed  jetstream.ErrorCode = 10077 // The stream is full and discards new messages, or the disk is full.
	codeOffline      jetstream.ErrorCode = 10118 // The stream's server is away.
	codeInProcess    jetstream.ErrorCode = 10158 // A message with this id is being stored just now.
	codeManyRequests jetstream.ErrorCode = 10167 // Too many requests.
)

// waitAfter decides whether a failed publish is worth repeating, and when.
func (b *Bus) waitAfter(ctx context.Context, err error, attempt int, stream string) (time.Duration, bool) {
	const first, longest = 50 * time.Millisecond, 5 * time.Second
	wait := longest
	if attempt < 8 {
		wait = min(longest, first<<(attempt-1))
	}
	api, isAPI := errors.AsType[*jetstream.APIError](err)
	switch {
	case ctx.Err() != nil:
		return 0, false
	case isAPI:
		switch api.ErrorCode {
		case codeUnavailable, codeNoResources, codeNoStorage, codeStoreFailed, codeOffline, codeInProcess, codeManyRequests:
			if attempt == 6 || attempt%100 == 0 { // Not for what passes within seconds.
				b.log.Warn("the stream does not accept messages, waiting", "stream", b.spec.StreamName(stream), "error", err)
			}
			return wait, true
		}
		return 0, false
	case errors.Is(err, jetstream.ErrNoStreamResponse), errors.Is(err, nats.ErrNoResponders):
		// The stream does not exist, or the server is still starting: create it.
		if err := b.ensureStream(ctx, stream); err != nil {
			b.log.Warn("the stream could not be created, trying again", "stream", b.spec.StreamName(stream), "error", err)
		}
		return wait, true
	case errors.Is(err, nats.ErrTimeout), errors.Is(err, nats.ErrDisconnected), errors.Is(err, nats.ErrConnectionReconnecting),
		errors.Is(err, nats.ErrReconnectBufExceeded), errors.Is(err, context.DeadlineExceeded), errors.Is(err, context.Canceled):
		return wait, true
	}
	return 0, false
}
