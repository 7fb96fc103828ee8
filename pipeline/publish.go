package pipeline

import (
	"context"
	"crypto/sha256"
	"encoding/hex"
	"fmt"

	"wavemill/pipeline/header"
)

// Ack is a stream's confirmation of a published message.
type Ack struct {
	Stream    string
	Sequence  uint64
	Duplicate bool // Duplicate: a message with this id was there, and Sequence is its place.
}

// Publish stores one message in the stream of its type. It waits for the stream's confirmation as [Emit] does: while the
// stream is full or the server unreachable, until ctx ends. A message without ID gets one made of its content (type,
// label, source and body), so publishing a file twice within the duplicate window stores it once. A TypeModel message is
// only announced: Ack is then empty.
func (b *Bus) Publish(ctx context.Context, m *Message) (Ack, error) {
	return b.PublishTo(ctx, m.Type, m)
}

// PublishTo is Publish to a stream that is not the one of the message's type. The spec must name the stream.
func (b *Bus) PublishTo(ctx context.Context, stream string, m *Message) (Ack, error) {
	if m.ID == "" {
		m.ID = contentID(m)
	}
	if stream != TypeModel {
		if err := b.checkOutput(stream); err != nil {
			return Ack{}, err
		}
	}
	return b.store(ctx, stream, m)
}

// store publishes a message that has an id to a stream of the pipeline, or announces a model.
func (b *Bus) store(ctx context.Context, stream string, m *Message) (Ack, error) {
	msg, err := b.spec.encode(stream, m)
	if err != nil {
		return Ack{}, err
	}
	if stream == TypeModel {
		return Ack{}, b.conn.PublishMsg(msg)
	}
	ctx, end := b.observe(ctx, stream, m, msg)
	ack, err := b.publish(ctx, msg, stream)
	end(err)
	return ack, err
}

func contentID(m *Message) string {
	h := sha256.New()
	for _, part := range []string{m.Type, m.Label, m.Header[header.Source]} {
		fmt.Fprintf(h, "%d:%s\n", len(part), part)
	}
	h.Write(m.Body)
	return "content/" + hex.EncodeToString(h.Sum(nil))
}
