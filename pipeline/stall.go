package pipeline

import (
	"context"
	"errors"
	"fmt"
	"sync"
	"time"

	"github.com/nats-io/nats.go"
	"github.com/nats-io/nats.go/jetstream"
)

// An operator is not ready while one of its output streams has confirmed none of its publications in attempts of more than
// stalledAfter, as long as it tries: a message that was given up comes again within stalledMemory.
const (
	stalledAfter  = 10 * time.Second
	stalledMemory = unstoredMemory + time.Minute
)

// output is a stream that a stage writes.
type output struct{ operator, stream string }

// stalls knows by output for how long nothing was confirmed.
type stalls struct{ byOutput sync.Map } // Of *stall.

func (s *stalls) of(o output) *stall {
	if found, ok := s.byOutput.Load(o); ok {
		return found.(*stall)
	}
	made, _ := s.byOutput.LoadOrStore(o, new(stall))
	return made.(*stall)
}

// fault returns why outputs of an operator are not stored, where that lasts, or nil.
func (s *stalls) fault(operator string, now time.Time) error {
	var faults []error
	s.byOutput.Range(func(key, of any) bool {
		if key.(output).operator == operator {
			faults = append(faults, of.(*stall).fault(now))
		}
		return true
	})
	return errors.Join(faults...)
}

// A stall is the time since which a stream has confirmed nothing.
type stall struct {
	mu          sync.Mutex
	name        string    // Of the stream on the server.
	first, last time.Time // Of the failures since a confirmation.
	told        time.Time // When it was last logged.
	err         error
}

// fail records that an attempt at a publication was refused or not answered.
func (s *stall) fail(now time.Time, name string, err error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.first.IsZero() || now.Sub(s.last) > stalledMemory {
		s.first = now
	}
	s.name, s.last, s.err = name, now, err
}

// clear records a confirmation.
func (s *stall) clear() {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.first, s.last, s.err = time.Time{}, time.Time{}, nil
}

// tell reports whether the wait is to be logged: once in logAgainEvery, however many publications wait.
func (s *stall) tell(now time.Time) bool {
	s.mu.Lock()
	defer s.mu.Unlock()
	if !s.told.IsZero() && now.Sub(s.told) < logAgainEvery {
		return false
	}
	s.told = now
	return true
}

func (s *stall) fault(now time.Time) error {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.first.IsZero() || s.last.Sub(s.first) < stalledAfter || now.Sub(s.last) > stalledMemory {
		return nil
	}
	return fmt.Errorf("the stream %s has confirmed none of its messages since %s: %w", s.name, s.first.UTC().Format(time.RFC3339), s.err)
}

// stalled records that a stream has refused or not answered a publication. A lost connection is none of the stream's faults, and the
// end of ctx neither.
func (b *Bus) stalled(ctx context.Context, stream string, err error) {
	if ctx.Err() == nil && (isAPIError(err) || unanswered(err) || errors.Is(err, jetstream.ErrNoStreamResponse) || errors.Is(err, nats.ErrNoResponders)) {
		b.stalls.of(output{b.operator, stream}).fail(time.Now(), b.spec.StreamName(stream), b.silence(err))
	}
}

// confirmed records that a stream has confirmed a publication.
func (b *Bus) confirmed(stream string) { b.stalls.of(output{b.operator, stream}).clear() }

// silence says what a missing answer means. A server whose disk is full does not answer publications.
func (b *Bus) silence(err error) error {
	if b.server != nil {
		if full := b.server.Fault(); full != nil {
			return full
		}
	}
	if unanswered(err) {
		return fmt.Errorf("the server does not answer: %w; look at its log and at the free space on its disk", err)
	}
	return err
}
