package verify

import (
	"context"
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"fmt"
	"slices"
	"strings"
	"time"

	"github.com/nats-io/nats.go/jetstream"

	"wavemill/pipeline"
	"wavemill/pipeline/deadletter"
)

// An Output is one output of one message.
type Output struct {
	K        int    `json:"k"` // K counts the outputs of the message, from 0.
	Stream   string `json:"stream"`
	Sequence uint64 `json:"sequence"`
	Type     string `json:"type"`
	Label    string `json:"label"`
	Size     int    `json:"size"`
	Digest   string `json:"digest"` // Digest is the SHA-256 of the body in hexadecimal digits.
}

// Outputs returns the outputs that a stage has made from one message, in their order. The stream is its name on the server.
func Outputs(ctx context.Context, bus *pipeline.Bus, stage, stream string, sequence uint64) ([]Output, error) {
	var all []Output
	for _, name := range bus.Spec().StreamNames() {
		var at []uint64
		for m, err := range bus.Messages(ctx, pipeline.Subscription{Stream: name, From: 1, Last: true, HeadersOnly: true}) {
			if errors.Is(err, jetstream.ErrStreamNotFound) {
				break
			}
			if m == nil {
				if err = broken(ctx, err); err != nil {
					return nil, err
				}
				continue
			}
			if o, ok := pipeline.ParseOrigin(m.ID); ok && o.Operator == stage && o.Stream == stream && o.Sequence == sequence {
				at = append(at, m.Sequence)
			}
		}
		for _, place := range at {
			o, err := output(ctx, bus, name, place)
			if err != nil {
				return nil, err
			}
			all = append(all, o)
		}
	}
	slices.SortFunc(all, func(a, b Output) int { return a.K - b.K })
	return all, ctx.Err()
}

// output reads one output whole.
func output(ctx context.Context, bus *pipeline.Bus, stream string, sequence uint64) (Output, error) {
	for m, err := range bus.Messages(ctx, pipeline.Subscription{Stream: stream, From: sequence, Last: true}) {
		if err != nil {
			return Output{}, err
		}
		sum := sha256.Sum256(m.Body)
		o, _ := pipeline.ParseOrigin(m.ID)
		return Output{K: o.K, Stream: m.Stream, Sequence: m.Sequence, Type: m.Type, Label: m.Label, Size: len(m.Body), Digest: hex.EncodeToString(sum[:])}, nil
	}
	return Output{}, fmt.Errorf("message %d of stream %s does not exist any more", sequence, stream)
}

// A Diff is what a replay has changed.
type Diff struct {
	Before []Output           `json:"before"` // Before are the outputs of the message that failed: those that it had emitted before its error.
	After  []Output           `json:"after"`  // After are the outputs of the replayed message.
	Letter *deadletter.Letter `json:"letter"` // Letter is the replayed message's dead letter, where it failed again.
}

// String has a line for each output: kept, changed, new or gone.
func (d Diff) String() string {
	var b strings.Builder
	before := map[int]Output{}
	for _, o := range d.Before {
		before[o.K] = o
	}
	put := func(mark string, o Output) {
		fmt.Fprintf(&b, "\n    %s output %d: %s %d, %s %q, %d bytes, sha256 %.12s", mark, o.K, o.Stream, o.Sequence, o.Type, o.Label, o.Size, o.Digest)
	}
	for _, o := range d.After {
		old, had := before[o.K]
		delete(before, o.K)
		switch {
		case !had:
			put("+", o)
		case old.Digest == o.Digest:
			put("=", o)
		default:
			put("-", old)
			put("+", o)
		}
	}
	for _, o := range d.Before {
		if _, gone := before[o.K]; gone {
			put("-", o)
		}
	}
	if len(d.Before)+len(d.After) == 0 {
		b.WriteString("\n    no output, before or after")
	}
	return b.String()
}

// Before returns the outputs of the message of a letter.
func Before(ctx context.Context, bus *pipeline.Bus, l deadletter.Letter) ([]Output, error) {
	return Outputs(ctx, bus, l.Operator, l.Stream, l.Sequence)
}

// After waits until the operator has settled a replayed message, at most for the given time, and returns its outputs and the
// letter about it, if it failed again.
func After(ctx context.Context, bus *pipeline.Bus, l deadletter.Letter, ack *jetstream.PubAck, most time.Duration) ([]Output, *deadletter.Letter, error) {
	settled := false
	for deadline := time.Now().Add(most); !settled && time.Now().Before(deadline); {
		consumer, err := bus.JetStream().Consumer(ctx, ack.Stream, bus.Spec().ConsumerName(l.Operator))
		if err != nil {
			return nil, nil, fmt.Errorf("consumer of stage %s: %w", l.Operator, err)
		}
		settled = consumer.CachedInfo().AckFloor.Stream >= ack.Sequence
		if again, err := letterAbout(ctx, bus, l.Operator, ack); again != nil || err != nil {
			return nil, again, err
		}
		select {
		case <-time.After(50 * time.Millisecond):
		case <-ctx.Done():
			return nil, nil, ctx.Err()
		}
	}
	outputs, err := Outputs(ctx, bus, l.Operator, ack.Stream, ack.Sequence)
	if err == nil && !settled && len(outputs) == 0 {
		err = fmt.Errorf("message %d of %s is not settled after %v: operator %s does not run, or is busy", ack.Sequence, ack.Stream, most, l.Operator)
	}
	return outputs, nil, err
}

// letterAbout returns the dead letter about a replayed message, or nil.
func letterAbout(ctx context.Context, bus *pipeline.Bus, operator string, ack *jetstream.PubAck) (*deadletter.Letter, error) {
	for l, err := range bus.DeadLetters().List(ctx, deadletter.Filter{Operator: operator, Sequences: []uint64{ack.Sequence}}) {
		if ctx.Err() != nil {
			return nil, err
		}
		if err == nil && l.Stream == ack.Stream {
			return &l, nil
		}
	}
	return nil, nil
}
