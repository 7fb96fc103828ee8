package deadletter

import (
	"context"
	"errors"
	"fmt"
	"iter"
	"maps"
	"slices"
	"strings"
	"time"

	"github.com/nats-io/nats.go"
	"github.com/nats-io/nats.go/jetstream"

	"wavemill/pipeline/header"
)

// ErrNotFound means that there is no letter of that number.
var ErrNotFound = errors.New("there is no such dead letter")

// A Store is the dead-letter stream of a pipeline; [wavemill/pipeline.Bus.DeadLetters] returns it. It is safe for
// concurrent use.
type Store struct {
	JetStream jetstream.JetStream
	Stream    string // Stream is <PIPELINE>_DLQ.
}

// Filter chooses letters; the zero Filter chooses all.
type Filter struct {
	Operator string
	Label    string
	Kind     string
	Reason   string    // Reason is a part of the letter's reason.
	Since    time.Time // Since and Until bound Letter.Died, from Since (included) to Until (excluded); zero: unbounded.
	Until    time.Time
	Numbers  []uint64 // Numbers chooses by number; empty: any.
}

// matches reports whether f chooses l.
func (f Filter) matches(l Letter) bool {
	return (f.Operator == "" || f.Operator == l.Operator) &&
		(f.Label == "" || f.Label == l.Label) &&
		(f.Kind == "" || f.Kind == l.Kind) &&
		strings.Contains(l.Reason, f.Reason) &&
		(f.Since.IsZero() || !l.Died.Before(f.Since)) &&
		(f.Until.IsZero() || l.Died.Before(f.Until)) &&
		(len(f.Numbers) == 0 || slices.Contains(f.Numbers, l.Number))
}

// List yields the letters that f chooses and that exist when List begins, oldest first, with their bodies. A message in
// the stream that is not a dead letter is yielded as an error, and the iteration goes on; an error of the server ends it.
func (s Store) List(ctx context.Context, f Filter) iter.Seq2[Letter, error] {
	return func(yield func(Letter, error) bool) {
		stream, err := s.JetStream.Stream(ctx, s.Stream)
		if err != nil {
			yield(Letter{}, fmt.Errorf("stream %s: %w", s.Stream, err))
			return
		}
		state := stream.CachedInfo().State
		for number := state.FirstSeq; number <= state.LastSeq && number > 0; number++ {
			msg, err := stream.GetMsg(ctx, number, jetstream.WithGetMsgSubject(">"))
			if errors.Is(err, jetstream.ErrMsgNotFound) {
				return
			}
			if err != nil {
				yield(Letter{}, fmt.Errorf("stream %s: %w", s.Stream, err))
				return
			}
			if number = msg.Sequence; number > state.LastSeq { // The letters in between have been deleted.
				return
			}
			l, err := Parse(msg)
			if (err != nil || f.matches(l)) && !yield(l, err) {
				return
			}
		}
	}
}

// Get returns one letter.
func (s Store) Get(ctx context.Context, number uint64) (Letter, error) {
	stream, err := s.JetStream.Stream(ctx, s.Stream)
	if err != nil {
		return Letter{}, fmt.Errorf("stream %s: %w", s.Stream, err)
	}
	msg, err := stream.GetMsg(ctx, number)
	if errors.Is(err, jetstream.ErrMsgNotFound) {
		return Letter{}, fmt.Errorf("%d in %s: %w", number, s.Stream, ErrNotFound)
	}
	if err != nil {
		return Letter{}, fmt.Errorf("dead letter %d: %w", number, err)
	}
	return Parse(msg)
}

// Same reports whether the letter of the given number is about the same message and operator as l. Letters of different
// messages can have one [ID]: a stream that was deleted and created again counts its sequences anew, and two operators
// can fail on one message.
func (s Store) Same(ctx context.Context, number uint64, l Letter) (bool, error) {
	old, err := s.Get(ctx, number)
	if err != nil {
		return false, err
	}
	return old.Operator == l.Operator && old.MessageID == l.MessageID && old.Subject == l.Subject, nil
}

// Replay publishes the message of a letter on its original subject and then removes the letter. The message gets a new
// id, replay/<number>/<old id>, because the stream may still remember the old one; replaying a letter twice stores the
// message once. Every operator that reads the stream receives it.
func (s Store) Replay(ctx context.Context, l Letter) (*jetstream.PubAck, error) {
	if l.Subject == "" {
		return nil, fmt.Errorf("dead letter %d has no %s header: its original subject is not known", l.Number, header.DeadSubject)
	}
	msg := nats.NewMsg(l.Subject)
	msg.Data = l.Body
	maps.Copy(msg.Header, l.Header)
	id := fmt.Sprintf("replay/%d/%s", l.Number, l.MessageID)
	msg.Header.Set(jetstream.MsgIDHeader, header.EncodeValue(id))
	ack, err := s.JetStream.PublishMsg(ctx, msg)
	if err != nil {
		return nil, fmt.Errorf("replay dead letter %d on %s: %w", l.Number, l.Subject, err)
	}
	return ack, s.Remove(ctx, l.Number)
}

// Remove deletes a letter. Deleting one that does not exist is no error.
func (s Store) Remove(ctx context.Context, number uint64) error {
	stream, err := s.JetStream.Stream(ctx, s.Stream)
	if err != nil {
		return fmt.Errorf("stream %s: %w", s.Stream, err)
	}
	if err := stream.DeleteMsg(ctx, number); err != nil && !errors.Is(err, jetstream.ErrMsgDeleteUnsuccessful) && !errors.Is(err, jetstream.ErrMsgNotFound) {
		return fmt.Errorf("remove dead letter %d: %w", number, err)
	}
	return nil
}

// Purge removes the letters that f chooses and returns how many.
func (s Store) Purge(ctx context.Context, f Filter) (int, error) {
	n := 0
	for l, err := range s.List(ctx, f) {
		if err != nil {
			return n, err
		}
		if err := s.Remove(ctx, l.Number); err != nil {
			return n, err
		}
		n++
	}
	return n, nil
}
