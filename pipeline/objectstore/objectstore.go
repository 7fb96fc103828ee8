// Package objectstore keeps message bodies that exceed the server's max payload in a JetStream object store.
//
// The name of an object is the SHA-256 of its content: a body that is stored twice exists once, and the content of a name
// never changes. Objects expire after the store's time to live, because nothing else removes them.
package objectstore

import (
	"context"
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"fmt"
	"strings"
	"sync"
	"time"

	"github.com/nats-io/nats.go/jetstream"
)

// MaxSize is the largest body that [Store.Get] fetches, 1 GiB. References come from other programs, so the size is checked
// before anything is allocated.
const MaxSize = 1 << 30

// ErrGone is in the chain of errors about an object that does not exist, usually because it has expired.
var ErrGone = errors.New("the stored body does not exist; it has expired or was deleted")

// ErrReference is in the chain of errors about a reference that can never be resolved: it is malformed, names another
// bucket, or its object is too large or has other content.
var ErrReference = errors.New("not a reference to a stored body")

// A Store reads and writes bodies. It is safe for concurrent use.
type Store struct {
	JetStream jetstream.JetStream
	Bucket    string        // Bucket is the object store's name.
	TTL       time.Duration // TTL is how long a body is kept.
	Replicas  int           // Replicas of the store; 0 is 1.
	Bind      bool          // Bind uses an existing store and never creates it.

	mu   sync.Mutex
	open jetstream.ObjectStore
}

// Open finds or creates the store. Put and Get do so by themselves; Open does it early, for clients in other languages.
func (s *Store) Open(ctx context.Context) error {
	_, err := s.store(ctx)
	return err
}

// Put stores body, unless it is stored already, and returns its reference: <bucket>/sha256-<64 hexadecimal digits>.
func (s *Store) Put(ctx context.Context, body []byte) (string, error) {
	store, err := s.store(ctx)
	if err != nil {
		return "", err
	}
	sum := sha256.Sum256(body)
	name := "sha256-" + hex.EncodeToString(sum[:])
	// An object in the second half of its life is written again, which renews its TTL.
	if info, err := store.GetInfo(ctx, name); err == nil && info.Size == uint64(len(body)) && time.Since(info.ModTime) < s.TTL/2 {
		return s.Bucket + "/" + name, nil
	}
	if err := put(ctx, store, name, body); err != nil {
		return "", fmt.Errorf("store a body of %d bytes in %s: %w", len(body), s.Bucket, err)
	}
	return s.Bucket + "/" + name, nil
}

// mostPuts is how often a body is written where the server does not confirm in time.
const mostPuts = 5

// put writes a body until that succeeds, at most mostPuts times. The library removes the chunks of a Put whose last confirmation
// does not come in time, but the server may have stored that last message all the same, and the object, the one before it too, can
// then not be read any more. Only another Put repairs that.
func put(ctx context.Context, store jetstream.ObjectStore, name string, body []byte) (err error) {
	for range mostPuts {
		if _, err = store.PutBytes(ctx, name, body); err == nil || ctx.Err() != nil {
			return err
		}
	}
	return err
}

// Renew makes the body of a reference live for a whole TTL from now on.
func (s *Store) Renew(ctx context.Context, ref string) error {
	body, err := s.Get(ctx, ref)
	if err != nil {
		return err
	}
	store, err := s.store(ctx)
	if err != nil {
		return err
	}
	_, name, _ := strings.Cut(ref, "/")
	if err := put(ctx, store, name, body); err != nil {
		return fmt.Errorf("store %s anew: %w", ref, err)
	}
	return nil
}

// Expiry returns when the body of a reference expires, by the settings of the store that is there; zero: never.
func (s *Store) Expiry(ctx context.Context, ref string) (time.Time, error) {
	store, err := s.store(ctx)
	if err != nil {
		return time.Time{}, err
	}
	_, name, _ := strings.Cut(ref, "/")
	info, err := store.GetInfo(ctx, name)
	if errors.Is(err, jetstream.ErrObjectNotFound) {
		return time.Time{}, fmt.Errorf("%s: %w", ref, ErrGone)
	}
	if err != nil {
		return time.Time{}, fmt.Errorf("%s: %w", ref, err)
	}
	status, err := store.Status(ctx)
	if err != nil || status.TTL() == 0 {
		return time.Time{}, err
	}
	return info.ModTime.Add(status.TTL()), nil
}

// Get fetches the body of a reference and checks its digest.
func (s *Store) Get(ctx context.Context, ref string) ([]byte, error) {
	bucket, name, ok := strings.Cut(ref, "/")
	digest, isHash := strings.CutPrefix(name, "sha256-")
	if !ok || bucket != s.Bucket || !isHash || len(digest) != 2*sha256.Size {
		return nil, fmt.Errorf("%q: %w: it should read %s/sha256-<64 hexadecimal digits>", ref, ErrReference, s.Bucket)
	}
	store, err := s.store(ctx)
	if err != nil {
		return nil, err
	}
	info, err := store.GetInfo(ctx, name)
	if errors.Is(err, jetstream.ErrObjectNotFound) {
		return nil, fmt.Errorf("%s: %w", ref, ErrGone)
	}
	if err != nil {
		return nil, fmt.Errorf("%s: %w", ref, err)
	}
	if info.Size > MaxSize {
		return nil, fmt.Errorf("%s: %w: it has %d bytes, and at most %d are read", ref, ErrReference, info.Size, MaxSize)
	}
	body, err := store.GetBytes(ctx, name)
	if err != nil {
		return nil, fmt.Errorf("%s: %w", ref, err)
	}
	if sum := sha256.Sum256(body); hex.EncodeToString(sum[:]) != digest {
		return nil, fmt.Errorf("%s: %w: the content does not match the name", ref, ErrReference)
	}
	return body, nil
}

// store opens or creates the bucket on first use.
func (s *Store) store(ctx context.Context) (jetstream.ObjectStore, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.open != nil {
		return s.open, nil
	}
	var err error
	if s.Bind {
		s.open, err = s.JetStream.ObjectStore(ctx, s.Bucket)
	} else {
		s.open, err = s.JetStream.CreateOrUpdateObjectStore(ctx, jetstream.ObjectStoreConfig{
			Bucket: s.Bucket, Description: "bodies above the server's max payload, by content",
			TTL: s.TTL, Replicas: s.Replicas,
		})
	}
	if err != nil {
		s.open = nil
		return nil, fmt.Errorf("object store %s: %w", s.Bucket, err)
	}
	return s.open, nil
}
