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

// A Store is the dead-letter stream of a pipeline. It is safe for concurrent use.
type Store struct {
	JetStream jetstream.JetStream
	Stream    string // Stream is <PIPELINE>_DLQ.
}

// Filter chooses letters; the zero Filter chooses all.
type Filter struct {
	Operator string
	Label    string
	Kind     string
	Reason   string    // Reason is a part of the reason.
	Since    time.Time // Since and Until bound the time of death; zero: unbounded.
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

// List yields the letters that f chooses and that are there now, oldest first, with their bodies. A message in the
// stream that is no dead letter is yielded as an error, and the iteration goes on; after an error of the server it ends.
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
			if number = msg.Sequence; number > state.LastSeq { // The ones between have been deleted.
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

// Replay publishes the message of a letter where it was published first, and then takes the letter out of the box. The
// message gets a new id, replay/<number>/<old id>, because the stream still remembers the old one; replaying a letter
// twice publishes it once. Every operator that reads the stream receives it.
func (s Store) Replay(ctx context.Context, l Letter) (*jetstream.PubAck, error) {
	if l.Subject == "" {
		return nil, fmt.Errorf("dead letter %d does not say where it was published", l.Number)
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

// Remove takes a letter out of the box; it is no error when it is gone.
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
