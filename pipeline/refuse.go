package pipeline

import (
	"context"
	"encoding/json"
	"fmt"
	"time"

	"github.com/nats-io/nats.go"

	"wavemill/pipeline/deadletter"
	"wavemill/pipeline/header"
)

// Refuse makes dead letters of messages that an operator has acknowledged and cannot use after all: those of the stream with
// the given sequences. The reason is an error of kind invalid. A message that is gone, or has its letter already, is passed
// over, so that Refuse may be called again.
func (b *Bus) Refuse(ctx context.Context, operator, stream string, sequences []uint64, reason error) error {
	wanted, first := map[uint64]bool{}, uint64(0)
	for _, seq := range sequences {
		wanted[seq] = true
		if first == 0 || seq < first {
			first = seq
		}
	}
	if len(wanted) == 0 {
		return nil
	}
	for m, err := range b.Messages(ctx, Subscription{Stream: stream, From: first, Last: true}) {
		if m == nil && ctx.Err() != nil {
			return err
		}
		if m == nil || !wanted[m.Sequence] {
			continue
		}
		if err := b.deadLetter(ctx, b.letterOf(operator, stream, m, reason)); err != nil {
			return fmt.Errorf("refuse message %d of %s: %w", m.Sequence, m.Stream, err)
		}
		b.refused.of(operator).Add(1)
	}
	return ctx.Err()
}

// letterOf writes a dead letter about a message that was read from a stream. It keeps all headers, also those that an operator could
// not send: the letter says which of them it cannot have.
func (b *Bus) letterOf(operator, stream string, m *Message, reason error) deadletter.Letter {
	headers := nats.Header{}
	for name, value := range m.Header {
		headers.Set(name, header.EncodeValue(value))
	}
	if m.Type != stream {
		headers.Set(header.Type, header.EncodeValue(m.Type))
	}
	letter := deadletter.Letter{
		Operator: operator, Reason: oneLine(reason.Error()), Kind: Invalid.String(), Attempts: max(m.Attempt, 1),
		Subject: b.spec.Subject(stream, m.Label), Stream: m.Stream, Sequence: m.Sequence, MessageID: m.ID,
		Label: m.Label, Source: m.Header[header.Source], Died: time.Now(), Header: headers, Body: m.Body,
	}
	if data, err := json.Marshal(&Error{Operator: operator, Kind: Invalid, Err: reason}); err == nil {
		letter.Error = data
	}
	return letter
}
