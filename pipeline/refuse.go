package pipeline

import (
	"context"
	"encoding/json"
	"fmt"
	"time"

	"github.com/nats-io/nats.go/jetstream"

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
		letter, err := b.letterOf(operator, stream, m, reason)
		if err == nil {
			err = b.deadLetter(ctx, letter)
		}
		if err != nil {
			return fmt.Errorf("refuse message %d of %s: %w", m.Sequence, m.Stream, err)
		}
		b.refused.of(operator).Add(1)
	}
	return ctx.Err()
}

// letterOf writes a dead letter about a message that was read from a stream.
func (b *Bus) letterOf(operator, stream string, m *Message, reason error) (deadletter.Letter, error) {
	msg, err := b.spec.encode(stream, m)
	if err != nil {
		return deadletter.Letter{}, err
	}
	msg.Header.Del(jetstream.MsgIDHeader)
	letter := deadletter.Letter{
		Operator: operator, Reason: oneLine(reason.Error()), Kind: Invalid.String(), Attempts: max(m.Attempt, 1),
		Subject: msg.Subject, Stream: m.Stream, Sequence: m.Sequence, MessageID: m.ID,
		Label: m.Label, Source: m.Header[header.Source], Died: time.Now(), Header: msg.Header, Body: msg.Data,
	}
	if data, err := json.Marshal(&Error{Operator: operator, Kind: Invalid, Err: reason}); err == nil {
		letter.Error = data
	}
	return letter, nil
}
