package contract

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"sync"
	"time"

	"github.com/nats-io/nats.go/jetstream"
)

// key is where the contract is in its bucket.
const key = "audio"

// history is how many revisions the bucket keeps.
const history = 64

// fresh is how long a contract that was read is used without reading it again.
const fresh = 5 * time.Second

// ErrConflict means that another process has changed the contract since it was read.
var ErrConflict = errors.New("another process has changed the contract meanwhile")

// A Stored is a contract with its place in the bucket.
type Stored struct {
	Contract Contract  `json:"contract"`
	Revision uint64    `json:"revision"` // Revision is 0 where no contract is stored: everything is admitted.
	Created  time.Time `json:"created,omitzero"`
}

// A Store keeps the contract of a pipeline. It is safe for concurrent use.
type Store struct {
	JetStream jetstream.JetStream
	Bucket    string
	Replicas  int  // Replicas of the bucket; 0 is 1.
	Bind      bool // Bind uses an existing bucket and never creates it.

	mu   sync.Mutex
	last Stored
	at   time.Time // When last was read; zero: never.
}

// Get reads the contract. Without a bucket, and in an empty one, there is none, which is no error.
func (s *Store) Get(ctx context.Context) (Stored, error) {
	bucket, err := s.JetStream.KeyValue(ctx, s.Bucket)
	if errors.Is(err, jetstream.ErrBucketNotFound) {
		return Stored{}, nil
	}
	if err != nil {
		return Stored{}, fmt.Errorf("read the contract in %s: %w", s.Bucket, err)
	}
	entry, err := bucket.Get(ctx, key)
	if errors.Is(err, jetstream.ErrKeyNotFound) {
		return Stored{}, nil
	}
	if err != nil {
		return Stored{}, fmt.Errorf("read the contract in %s: %w", s.Bucket, err)
	}
	stored := Stored{Revision: entry.Revision(), Created: entry.Created().UTC()}
	if err := json.Unmarshal(entry.Value(), &stored.Contract); err != nil {
		return Stored{}, fmt.Errorf("the contract in %s, revision %d: %w", s.Bucket, entry.Revision(), err)
	}
	return stored, nil
}

// Open finds or creates the bucket, and returns it. Put does so by itself; Get reads no contract where there is no bucket.
func (s *Store) Open(ctx context.Context) (jetstream.KeyValue, error) {
	bucket, err := s.JetStream.KeyValue(ctx, s.Bucket)
	if errors.Is(err, jetstream.ErrBucketNotFound) && !s.Bind {
		bucket, err = s.JetStream.CreateKeyValue(ctx, jetstream.KeyValueConfig{
			Bucket: s.Bucket, Description: "which recordings the pipeline admits", Replicas: s.Replicas, History: history,
		})
	}
	return bucket, err
}

// Put stores c as the revision after the given one, 0 for the first. It creates the bucket if necessary.
func (s *Store) Put(ctx context.Context, c Contract, after uint64) (revision uint64, err error) {
	if err := c.Validate(); err != nil {
		return 0, fmt.Errorf("contract: %w", err)
	}
	value, err := json.Marshal(c)
	if err != nil {
		return 0, fmt.Errorf("contract: %w", err)
	}
	bucket, err := s.Open(ctx)
	if err != nil {
		return 0, fmt.Errorf("store the contract in %s: %w", s.Bucket, err)
	}
	if after == 0 {
		revision, err = bucket.Create(ctx, key, value)
	} else {
		revision, err = bucket.Update(ctx, key, value, after)
	}
	if api, ok := errors.AsType[*jetstream.APIError](err); errors.Is(err, jetstream.ErrKeyExists) || ok && api.ErrorCode == jetstream.JSErrCodeStreamWrongLastSequence {
		return 0, ErrConflict
	}
	if err != nil {
		return 0, fmt.Errorf("store the contract in %s: %w", s.Bucket, err)
	}
	s.mu.Lock()
	s.last, s.at = Stored{Contract: c, Revision: revision, Created: time.Now().UTC()}, time.Now()
	s.mu.Unlock()
	return revision, nil
}

// Current is Get that reads at most every five seconds. Where it cannot be read again, the one read before stays in force.
func (s *Store) Current(ctx context.Context) (Stored, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if !s.at.IsZero() && time.Since(s.at) < fresh {
		return s.last, nil
	}
	ctx, cancel := context.WithTimeout(ctx, 2*time.Second)
	defer cancel()
	stored, err := s.Get(ctx)
	if err != nil && s.at.IsZero() {
		return Stored{}, err
	}
	if err == nil {
		s.last = stored
	}
	s.at = time.Now()
	return s.last, nil
}

// Assume makes c the contract until it is read the next time: for a process that may not read it.
func (s *Store) Assume(c Contract) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.last, s.at = Stored{Contract: c}, time.Now()
}
