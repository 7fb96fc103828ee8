// Package quarantine lists the messages that a guard has refused, and lets them pass, under their own label or another one,
// or removes them. It knows the headers of quarantine, not what the messages carry.
//
// A message that is let pass is first published on the stream that it would have passed to, and then removed from quarantine.
// Its id is made of its number in quarantine and of its former id. A process that is killed between the two steps leaves the
// message in both streams; when the step is repeated, however late, the message is found in the stream and not published
// again.
package quarantine

import (
	"context"
	"errors"
	"fmt"
	"iter"
	"maps"
	"strings"

	"github.com/nats-io/nats.go"
	"github.com/nats-io/nats.go/jetstream"

	"wavemill/pipeline"
	"wavemill/pipeline/header"
	"wavemill/pipeline/reader"
)

// ErrNotFound means that there is no message of that number.
var ErrNotFound = errors.New("there is no such message in quarantine")

// ErrIncomplete means that a message lacks a header without which it cannot be let pass.
var ErrIncomplete = errors.New("the message does not say where it would have passed to")

// A Store is the quarantine of a pipeline. It is not safe for concurrent use.
type Store struct {
	JetStream jetstream.JetStream
	Spec      pipeline.Spec

	published map[string]map[string]uint64 // by stream: the sequences of ids that Accept has given
}

// Of returns the quarantine of a pipeline.
func Of(bus *pipeline.Bus) *Store { return &Store{JetStream: bus.JetStream(), Spec: bus.Spec()} }

// List yields the messages that f chooses and that exist when List begins, oldest first. One that cannot be read is yielded as
// an error, and the iteration goes on; an error of the server ends it. A pipeline without the stream has none.
func (s *Store) List(ctx context.Context, f Filter) iter.Seq2[Message, error] {
	return func(yield func(Message, error) bool) {
		name := s.Spec.StreamName(pipeline.TypeQuarantine)
		err := reader.Read(ctx, s.JetStream, reader.Request{Stream: name, From: 1, Last: true}, func(msg *reader.Message) bool {
			m, err := parse(msg.Raw())
			return err == nil && !f.matches(m) || yield(m, err)
		})
		if err != nil && !errors.Is(err, jetstream.ErrStreamNotFound) {
			yield(Message{}, err)
		}
	}
}

// Get returns one message.
func (s *Store) Get(ctx context.Context, number uint64) (Message, error) {
	name := s.Spec.StreamName(pipeline.TypeQuarantine)
	stream, err := s.JetStream.Stream(ctx, name)
	if errors.Is(err, jetstream.ErrStreamNotFound) {
		return Message{}, fmt.Errorf("%d in %s: %w", number, name, ErrNotFound)
	}
	if err != nil {
		return Message{}, fmt.Errorf("stream %s: %w", name, err)
	}
	raw, err := reader.Get(ctx, s.JetStream, stream, number)
	if errors.Is(err, jetstream.ErrMsgNotFound) {
		return Message{}, fmt.Errorf("%d in %s: %w", number, name, ErrNotFound)
	}
	if err != nil {
		return Message{}, fmt.Errorf("message %d of %s: %w", number, name, err)
	}
	return parse(raw)
}

// A Placed says where a message is after it has been let pass.
type Placed struct {
	Stream    string `json:"stream"`
	Subject   string `json:"subject"`
	Sequence  uint64 `json:"sequence"`
	ID        string `json:"id"`
	Duplicate bool   `json:"duplicate,omitempty"` // Duplicate: an earlier attempt had published it.
}

// Accept lets a message pass, under the given label; empty: its own. It is published on the stream after the guard, with a
// header that says that a person has accepted it, and removed from quarantine.
func (s *Store) Accept(ctx context.Context, m Message, label string) (Placed, error) {
	msg, placed, err := s.letPass(m, label)
	if err != nil {
		return Placed{}, err
	}
	known, err := s.before(ctx, m.To)
	if err != nil {
		return Placed{}, err
	}
	if seq, ok := known[placed.ID]; ok {
		placed.Sequence, placed.Duplicate = seq, true
	} else {
		ack, err := s.JetStream.PublishMsg(ctx, msg)
		if err != nil {
			return Placed{}, fmt.Errorf("message %d in quarantine: publish on %s: %w", m.Number, msg.Subject, err)
		}
		placed.Sequence, placed.Duplicate = ack.Sequence, ack.Duplicate
		known[placed.ID] = ack.Sequence
	}
	return placed, s.Remove(ctx, m.Number)
}

// Where returns where Accept would place a message, without doing it.
func (s *Store) Where(m Message, label string) (Placed, error) {
	_, placed, err := s.letPass(m, label)
	return placed, err
}

// idPrefix begins the ids that Accept gives.
const idPrefix = "quarantine/"

// letPass makes the message that passes.
func (s *Store) letPass(m Message, label string) (*nats.Msg, Placed, error) {
	if m.To == "" || m.Type == "" || m.To == pipeline.TypeQuarantine {
		return nil, Placed{}, fmt.Errorf("message %d in quarantine: %w (headers %s and %s)", m.Number, ErrIncomplete, header.QuarantineTo, header.QuarantineType)
	}
	to := label
	if to == "" {
		to = m.Label
	}
	msg := nats.NewMsg(s.Spec.Subject(m.To, to))
	msg.Data = m.body
	maps.Copy(msg.Header, m.header)
	for name := range msg.Header {
		if header.Reserved(name) || !header.Sendable(name) || strings.HasPrefix(name, "Wavemill-Quarantine-") {
			delete(msg.Header, name)
		}
	}
	msg.Header.Del(header.Type)
	if m.Type != m.To {
		msg.Header.Set(header.Type, m.Type)
	}
	msg.Header.Set(header.Guard, header.Accepted)
	msg.Header.Set(header.Label, header.EncodeValue(to))
	if to != m.Label {
		msg.Header.Set(header.GuardLabel, header.EncodeValue(m.Label))
	}
	id := fmt.Sprintf("%s%d/%s", idPrefix, m.Number, m.ID)
	msg.Header.Set(jetstream.MsgIDHeader, header.EncodeValue(id))
	return msg, Placed{Stream: s.Spec.StreamName(m.To), Subject: msg.Subject, ID: id}, nil
}

// before returns what Accept has published on a stream, by id. It reads the headers of the stream once.
func (s *Store) before(ctx context.Context, to string) (map[string]uint64, error) {
	if known, ok := s.published[to]; ok {
		return known, nil
	}
	name := s.Spec.StreamName(to)
	known := map[string]uint64{}
	err := reader.Read(ctx, s.JetStream, reader.Request{Stream: name, From: 1, Last: true, HeadersOnly: true}, func(msg *reader.Message) bool {
		if id := header.DecodeValue(msg.Headers().Get(jetstream.MsgIDHeader)); strings.HasPrefix(id, idPrefix) {
			known[id] = msg.Sequence()
		}
		return true
	})
	if err != nil {
		return nil, fmt.Errorf("stream %s, which the guard writes: %w", name, err)
	}
	if s.published == nil {
		s.published = map[string]map[string]uint64{}
	}
	s.published[to] = known
	return known, nil
}

// Remove deletes a message. Deleting one that does not exist is no error.
func (s *Store) Remove(ctx context.Context, number uint64) error {
	name := s.Spec.StreamName(pipeline.TypeQuarantine)
	stream, err := s.JetStream.Stream(ctx, name)
	if errors.Is(err, jetstream.ErrStreamNotFound) {
		return nil
	}
	if err != nil {
		return fmt.Errorf("stream %s: %w", name, err)
	}
	if err := stream.DeleteMsg(ctx, number); err != nil && !errors.Is(err, jetstream.ErrMsgDeleteUnsuccessful) && !errors.Is(err, jetstream.ErrMsgNotFound) {
		return fmt.Errorf("remove message %d of %s: %w", number, name, err)
	}
	return nil
}

// Content returns the body of a message, fetched from the object store where it is there.
func (s *Store) Content(ctx context.Context, bus *pipeline.Bus, m Message) ([]byte, error) {
	if m.Object() == "" {
		return m.body, nil
	}
	for full, err := range bus.Messages(ctx, pipeline.Subscription{Stream: pipeline.TypeQuarantine, From: m.Number, Last: true}) {
		switch {
		case err != nil:
			return nil, err
		case full.Sequence == m.Number:
			return full.Body, nil
		}
		break
	}
	return nil, fmt.Errorf("%d in %s: %w", m.Number, s.Spec.StreamName(pipeline.TypeQuarantine), ErrNotFound)
}
