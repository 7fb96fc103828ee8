package deadletter

import (
	"context"
	"errors"
	"fmt"
	"iter"

	"github.com/nats-io/nats.go/jetstream"

	"wavemill/pipeline/objectstore"
	"wavemill/pipeline/reader"
)

// ErrNotFound means that there is no letter of that number.
var ErrNotFound = errors.New("there is no such dead letter")

// A Store is the dead-letter stream of a pipeline; [wavemill/pipeline.Bus.DeadLetters] returns it. It is safe for
// concurrent use.
type Store struct {
	JetStream jetstream.JetStream
	Stream    string // Stream is <PIPELINE>_DLQ.
	// Objects has the bodies that letters refer to; nil: the store does not look after them.
	Objects *objectstore.Store
}

// List yields the letters that f chooses and that exist when List begins, oldest first, with their bodies. A message in
// the stream that is not a dead letter is yielded as an error, and the iteration goes on; an error of the server ends it.
func (s Store) List(ctx context.Context, f Filter) iter.Seq2[Letter, error] {
	return func(yield func(Letter, error) bool) {
		err := reader.Read(ctx, s.JetStream, reader.Request{Stream: s.Stream, Filter: ">", From: 1, Last: true}, func(msg *reader.Message) bool {
			l, err := Parse(msg.Raw())
			return err == nil && !f.matches(l) || yield(l, err)
		})
		if err != nil {
			yield(Letter{}, err)
		}
	}
}

// Get returns one letter.
func (s Store) Get(ctx context.Context, number uint64) (Letter, error) {
	stream, err := s.JetStream.Stream(ctx, s.Stream)
	if err != nil {
		return Letter{}, fmt.Errorf("stream %s: %w", s.Stream, err)
	}
	msg, err := reader.Get(ctx, s.JetStream, stream, number)
	if errors.Is(err, jetstream.ErrMsgNotFound) {
		return Letter{}, fmt.Errorf("%d in %s: %w", number, s.Stream, ErrNotFound)
	}
	if err != nil {
		return Letter{}, fmt.Errorf("dead letter %d: %w", number, err)
	}
	l, err := Parse(msg)
	if err == nil && l.Settled != "" {
		return Letter{}, fmt.Errorf("%d in %s is a note that a letter was %s: %w", number, s.Stream, l.Settled, ErrNotFound)
	}
	return l, err
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
