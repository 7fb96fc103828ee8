// Package lease lets one of several processes hold a key of a key-value bucket; the others wait until it is free.
//
// The holder renews the key by compare-and-set. Another process takes it over, also by compare-and-set, when it has seen no
// renewal for the time to live: every process measures that by its own clock, so clocks need not agree. A holder that was
// suspended, or cut off from the server, learns at its next renewal that it has lost the lease. It must not write for others
// before [Lease.Check] has confirmed that it still holds it.
package lease

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"sync"
	"sync/atomic"
	"time"

	"github.com/nats-io/nats.go/jetstream"
)

// ErrLost means that another process has taken the lease over. It is the cause of [Lease.Context].
var ErrLost = errors.New("another process has taken over")

// Config describes a lease.
type Config struct {
	Bucket jetstream.KeyValue
	Key    string
	Holder string        // Holder names this process for people.
	TTL    time.Duration // TTL is how long the lease outlives the last renewal; it is renewed every third of it.
	// OnWait, when not nil, is called with the name of the holder when another process holds the lease, and again when that
	// changes.
	OnWait func(holder string)
	// OnStale, when not nil, is called with the error of the last renewal when none has succeeded for TTL, and with nil when one
	// succeeds after that. From then on another process may hold the lease.
	OnStale func(err error)
}

// record is the value of the key.
type record struct {
	Holder string        `json:"holder"`
	TTL    time.Duration `json:"ttl"` // In nanoseconds.
	Since  time.Time     `json:"since"`
}

// A Lease is held by this process. Its methods are safe for concurrent use.
type Lease struct {
	config Config
	value  []byte
	ctx    context.Context
	lose   context.CancelCauseFunc
	done   chan struct{} // Closed when nothing is renewed any more.

	mu       sync.Mutex
	revision uint64
	renewed  atomic.Pointer[time.Time] // When the last renewal that succeeded was sent.
}

// Acquire waits until it holds the lease, or until ctx is done. While the server is away it tries again. Release it.
func Acquire(ctx context.Context, c Config) (*Lease, error) {
	value, err := json.Marshal(record{c.Holder, c.TTL, time.Now().UTC()})
	if err != nil {
		return nil, fmt.Errorf("lease %s: %w", c.Key, err)
	}
	var seen struct {
		revision uint64
		at       time.Time
		holder   string
	}
	for {
		began := time.Now()
		revision, theirs, err := c.look(ctx)
		if revision != seen.revision {
			seen.revision, seen.at = revision, time.Now()
		}
		switch {
		case ctx.Err() != nil:
			return nil, fmt.Errorf("lease %s: %w", c.Key, ctx.Err())
		case err != nil:
		case revision == 0:
			revision, err = c.Bucket.Create(ctx, c.Key, value)
			if err == nil {
				return hold(ctx, c, value, revision, began), nil
			}
		case time.Since(seen.at) >= theirs.TTL:
			revision, err = c.Bucket.Update(ctx, c.Key, value, revision)
			if err == nil {
				return hold(ctx, c, value, revision, began), nil
			}
		case theirs.Holder != seen.holder:
			if seen.holder = theirs.Holder; c.OnWait != nil {
				c.OnWait(theirs.Holder)
			}
		}
		select {
		case <-ctx.Done():
		case <-time.After(min(c.TTL/5, time.Second)):
		}
	}
}

// look reads the key; the revision of a free one is 0.
func (c Config) look(ctx context.Context) (uint64, record, error) {
	entry, err := c.Bucket.Get(ctx, c.Key)
	if errors.Is(err, jetstream.ErrKeyNotFound) {
		return 0, record{}, nil
	}
	if err != nil {
		return 0, record{}, err
	}
	var r record
	if err := json.Unmarshal(entry.Value(), &r); err != nil || r.TTL <= 0 {
		r.TTL = c.TTL // Whatever it is, it is not renewed.
	}
	return entry.Revision(), r, nil
}

// hold begins to renew a lease.
func hold(ctx context.Context, c Config, value []byte, revision uint64, began time.Time) *Lease {
	l := &Lease{config: c, value: value, revision: revision, done: make(chan struct{})}
	l.ctx, l.lose = context.WithCancelCause(context.WithoutCancel(ctx))
	l.renewed.Store(&began)
	go l.renew()
	return l
}

// Context is done when the lease is lost or released.
func (l *Lease) Context() context.Context { return l.ctx }

// Held reports, without asking the server, whether the lease is held as far as this process knows: it was renewed within TTL, and
// neither lost nor released.
func (l *Lease) Held() bool { return l.ctx.Err() == nil && !l.stale() }

func (l *Lease) stale() bool { return time.Since(*l.renewed.Load()) >= l.config.TTL }

func (l *Lease) renew() {
	defer close(l.done)
	ticker := time.NewTicker(l.config.TTL / 3)
	defer ticker.Stop()
	told := false
	for {
		select {
		case <-l.ctx.Done():
			return
		case <-ticker.C:
		}
		err := l.Check(l.ctx) // An error but ErrLost means that the server or the bucket is away: it is tried again.
		if stale := err != nil && l.stale(); stale != told && l.ctx.Err() == nil {
			if told = stale; l.config.OnStale != nil {
				l.config.OnStale(err)
			}
		}
	}
}

// Check renews the lease now. Its error wraps ErrLost where another process has it, and is another one where the server does
// not answer.
func (l *Lease) Check(ctx context.Context) error {
	l.mu.Lock()
	defer l.mu.Unlock()
	if err := context.Cause(l.ctx); err != nil {
		return fmt.Errorf("lease %s: %w", l.config.Key, err)
	}
	ctx, cancel := context.WithTimeout(ctx, max(l.config.TTL, time.Second))
	defer cancel()
	began := time.Now()
	revision, err := l.config.Bucket.Update(ctx, l.config.Key, l.value, l.revision)
	if err == nil {
		l.revision = revision
		l.renewed.Store(&began)
		return nil
	}
	if !otherRevision(err) {
		return fmt.Errorf("lease %s: %w", l.config.Key, err)
	}
	// A renewal whose confirmation was lost leaves the own value at a later revision.
	if entry, errG := l.config.Bucket.Get(ctx, l.config.Key); errG == nil && string(entry.Value()) == string(l.value) {
		l.revision = entry.Revision()
		l.renewed.Store(&began)
		return nil
	} else if errG != nil && !errors.Is(errG, jetstream.ErrKeyNotFound) {
		return fmt.Errorf("lease %s: %w", l.config.Key, errG)
	}
	l.lose(ErrLost)
	return fmt.Errorf("lease %s: %w", l.config.Key, ErrLost)
}

// otherRevision reports whether a write failed because the key has another revision.
func otherRevision(err error) bool {
	api, ok := errors.AsType[*jetstream.APIError](err)
	return errors.Is(err, jetstream.ErrKeyExists) ||
		ok && (api.ErrorCode == jetstream.JSErrCodeStreamWrongLastSequence || api.ErrorCode == jetstream.JSErrCodeStreamWrongLastSequenceConstant)
}

// Release frees the lease, so that another process gets it at once. One that is lost is left alone.
func (l *Lease) Release(ctx context.Context) error {
	l.lose(context.Canceled)
	<-l.done
	if errors.Is(context.Cause(l.ctx), ErrLost) {
		return nil
	}
	l.mu.Lock()
	defer l.mu.Unlock()
	err := l.config.Bucket.Delete(ctx, l.config.Key, jetstream.LastRevision(l.revision))
	if err != nil && !otherRevision(err) {
		return fmt.Errorf("release lease %s: %w", l.config.Key, err)
	}
	return nil
}
