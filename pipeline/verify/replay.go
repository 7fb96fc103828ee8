package verify

import (
	"context"
	"errors"
	"fmt"
	"strconv"
	"time"

	"github.com/nats-io/nats.go"
	"github.com/nats-io/nats.go/jetstream"

	"wavemill/pipeline"
	"wavemill/pipeline/deadletter"
	"wavemill/pipeline/header"
	"wavemill/pipeline/reader"
)

// Replay puts the missing messages of a report on their streams again, under new ids and for the stage that lacks them only. It
// returns how many, and how many the streams do not have any more. The occasion, lower-case letters and digits, is part of the new
// ids: with the same one, a message is stored once.
func Replay(ctx context.Context, bus *pipeline.Bus, r Report, occasion string) (replayed, gone int, err error) {
	for _, s := range r.Stages {
		for _, sequence := range s.Sequences() {
			switch err := replay(ctx, bus, s, sequence, occasion); {
			case errors.Is(err, jetstream.ErrMsgNotFound):
				gone++
			case err != nil:
				return replayed, gone, fmt.Errorf("replay message %d of %s: %w", sequence, s.From, err)
			default:
				replayed++
			}
		}
	}
	return replayed, gone, nil
}

// Occasion is a word for [Replay] that no other moment has.
func Occasion(now time.Time) string { return "v" + strconv.FormatInt(now.UnixMilli(), 36) }

func replay(ctx context.Context, bus *pipeline.Bus, s Stage, sequence uint64, occasion string) error {
	stream, err := bus.JetStream().Stream(ctx, s.From)
	if err != nil {
		return err
	}
	old, err := reader.Get(ctx, bus.JetStream(), stream, sequence)
	if err != nil {
		return err
	}
	msg := nats.NewMsg(old.Subject)
	msg.Data = old.Data
	for name, values := range old.Header {
		if !header.Reserved(name) && header.Sendable(name) { // They belong to the publication: a batch, an expectation, a lifetime.
			msg.Header[name] = values
		}
	}
	id := header.DecodeValue(old.Header.Get(jetstream.MsgIDHeader))
	if id == "" {
		id = fmt.Sprintf("%s/%d", s.From, sequence)
	}
	msg.Header.Set(jetstream.MsgIDHeader, header.EncodeValue(deadletter.ReplayID(occasion, id)))
	msg.Header.Set(header.Only, s.Name)
	_, err = bus.JetStream().PublishMsg(ctx, msg)
	return err
}
