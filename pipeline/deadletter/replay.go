package deadletter

import (
	"context"
	"fmt"
	"maps"
	"regexp"
	"strconv"
	"time"

	"github.com/nats-io/nats.go"
	"github.com/nats-io/nats.go/jetstream"

	"wavemill/pipeline/header"
)

// replayID matches the ids of replayed messages.
var replayID = regexp.MustCompile(`^replay/[0-9a-z]+/(.*)$`)

// ReplayID is the id of a message when it is replayed: replay/<occasion>/<id>, where the occasion is the number of a dead letter,
// or another word of lower-case letters and digits. The id itself cannot be used again: the stream may still remember it.
func ReplayID(occasion, id string) string { return "replay/" + occasion + "/" + OriginalID(id) }

// OriginalID is the id that a message had before it was replayed, once or more often; that of a message that was not is its own.
func OriginalID(id string) string {
	for {
		m := replayID.FindStringSubmatch(id)
		if m == nil {
			return id
		}
		id = m[1]
	}
}

// Replay publishes the message of a letter on its original subject and then removes the letter. The message gets a new id, see
// [ReplayID]; replaying a letter twice stores the message once. The header Wavemill-Only names the operator that failed: other
// operators that read the stream, and have done their work, pass the message over.
//
// The error of a letter whose stored body has expired wraps [wavemill/pipeline/objectstore.ErrGone]; the letter stays. A stored
// body that lives is stored anew, so that it lives until the operator needs it.
func (s Store) Replay(ctx context.Context, l Letter) (*jetstream.PubAck, error) {
	if l.Subject == "" {
		return nil, fmt.Errorf("dead letter %d has no %s header: its original subject is not known", l.Number, header.DeadSubject)
	}
	if l.Object != "" && s.Objects != nil {
		if err := s.Objects.Renew(ctx, l.Object); err != nil {
			return nil, fmt.Errorf("dead letter %d cannot be replayed, and stays: its body, %w", l.Number, err)
		}
	}
	msg := nats.NewMsg(l.Subject)
	msg.Data = l.Body
	maps.Copy(msg.Header, l.Header)
	msg.Header.Set(jetstream.MsgIDHeader, header.EncodeValue(ReplayID(strconv.FormatUint(l.Number, 10), l.MessageID)))
	msg.Header.Set(header.Only, l.Operator)
	ack, err := s.JetStream.PublishMsg(ctx, msg)
	if err != nil {
		return nil, fmt.Errorf("replay dead letter %d on %s: %w", l.Number, l.Subject, err)
	}
	return ack, s.settle(ctx, l, Replayed)
}

// Expiry returns when the stored body of a letter expires; zero for a letter that has its body in itself. The error of a body
// that does not exist any more wraps [wavemill/pipeline/objectstore.ErrGone].
func (s Store) Expiry(ctx context.Context, l Letter) (time.Time, error) {
	if l.Object == "" || s.Objects == nil {
		return time.Time{}, nil
	}
	return s.Objects.Expiry(ctx, l.Object)
}

// Body returns the body of the message of a letter, fetched where it is stored apart.
func (s Store) Body(ctx context.Context, l Letter) ([]byte, error) {
	if l.Object == "" || s.Objects == nil {
		return l.Body, nil
	}
	return s.Objects.Get(ctx, l.Object)
}

// Purge removes the letters that f chooses, leaves a note about each, and returns how many.
func (s Store) Purge(ctx context.Context, f Filter) (int, error) {
	n := 0
	for l, err := range s.List(ctx, f) {
		if err != nil {
			return n, err
		}
		if err := s.PurgeOne(ctx, l); err != nil {
			return n, err
		}
		n++
	}
	return n, nil
}

// PurgeOne removes one letter and leaves a note about it.
func (s Store) PurgeOne(ctx context.Context, l Letter) error { return s.settle(ctx, l, Purged) }

// settle stores a note about a letter and removes it.
func (s Store) settle(ctx context.Context, l Letter, how string) error {
	if _, err := s.JetStream.PublishMsg(ctx, l.note(how)); err != nil {
		return fmt.Errorf("note that dead letter %d was %s: %w", l.Number, how, err)
	}
	return s.Remove(ctx, l.Number)
}
