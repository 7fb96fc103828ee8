// Package modelstore keeps versions of models, or of other named files: the content in a JetStream object store, and the
// entry of the current version in a key-value bucket of the same name.
//
// [Store.Put] stores the content first and then the entry, by compare-and-set: an entry never names content that does not
// exist, and of two concurrent writers one gets [ErrConflict].
//
// The entry of the current version lists the other versions that are kept. So every change, such as [Store.Serve] and
// [Store.Remove], is one compare-and-set of one key: it is done or not done, and readers that watch the key see it at once.
package modelstore

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"slices"
	"strings"
	"sync"
	"time"

	"github.com/nats-io/nats.go/jetstream"

	"wavemill/internal/atomicfile"
)

var (
	// ErrNotFound means that nothing has been stored under a name.
	ErrNotFound = errors.New("no version is stored")
	// ErrConflict means that another writer has stored a version since the entry was read.
	ErrConflict = errors.New("another process has stored a newer version")
)

// DefaultKeep is how many versions are kept, the current one included: one to go back to, one more in case that one is bad
// too, and two that a reader may still be loading while versions follow each other quickly. Five checkpoints of the default
// size take 80 MiB.
const DefaultKeep = 5

// A Store reads and writes versions. It is safe for concurrent use.
type Store struct {
	JetStream jetstream.JetStream
	Bucket    string // Bucket names the object store and the key-value bucket.
	Replicas  int    // Replicas of both; 0 is 1.
	Bind      bool   // Bind uses existing ones and never creates them.
	Keep      int    // Keep is the number of versions to keep; 0: DefaultKeep.
	Trial     bool   // Trial sets Entry.Trial in what Put makes current in place of another version.

	mu      sync.Mutex
	objects jetstream.ObjectStore
	entries jetstream.KeyValue
}

// Put stores content as a new version and makes it the current one in place of old, which is the zero Entry for the first
// version. The digest names the content; info, JSON or nil, is stored in the entry. While old is pinned, the new version is
// kept and old stays current. Put returns ErrConflict when old is not the current entry.
func (s *Store) Put(ctx context.Context, name, digest string, content []byte, info json.RawMessage, old Entry) (Entry, error) {
	if err := s.open(ctx); err != nil {
		return Entry{}, err
	}
	v := Stored{
		Version: old.Last + 1, Digest: digest, Object: name + "-" + digest, Size: len(content),
		Created: time.Now().UTC().Truncate(time.Millisecond), Info: info,
	}
	fail := func(err error) (Entry, error) {
		return Entry{}, fmt.Errorf("store %s version %d: %w", name, v.Version, err)
	}
	if _, err := s.objects.GetInfo(ctx, v.Object); errors.Is(err, jetstream.ErrObjectNotFound) {
		if _, err := s.objects.PutBytes(ctx, v.Object, content); err != nil {
			return fail(err)
		}
	} else if err != nil {
		return fail(err)
	}
	e := s.joined(name, v, old)
	stored, err := s.replace(ctx, e, old)
	if err != nil {
		s.discard(ctx, name, v.Object, old)
		return fail(err)
	}
	return stored, nil
}

// joined is the entry after old that has the version v.
func (s *Store) joined(name string, v Stored, old Entry) Entry {
	e := Entry{Stored: v, Name: name, Last: v.Version, Since: v.Created}
	e.Kept = slices.DeleteFunc(slices.Clone(old.Kept), func(k Stored) bool { return k.Object == v.Object })
	switch {
	case old.Pinned && old.Object != v.Object:
		e.Stored, e.Since, e.Pinned, e.Trial = old.Stored, old.Since, true, old.Trial
		e.Kept = append(e.Kept, v)
	case old.Object != "" && old.Object != v.Object:
		e.Trial = s.Trial
		e.Kept = append(e.Kept, old.Stored)
	default:
		e.Pinned = old.Pinned
	}
	slices.SortFunc(e.Kept, newestFirst)
	return e
}

// replace writes e in place of old, and removes the content that old refers to and e does not.
func (s *Store) replace(ctx context.Context, e, old Entry) (Entry, error) {
	s.rotate(&e)
	value, err := json.Marshal(e)
	if err != nil {
		return Entry{}, err
	}
	if old.revision == 0 {
		e.revision, err = s.entries.Create(ctx, e.Name, value)
	} else {
		e.revision, err = s.entries.Update(ctx, e.Name, value, old.revision)
	}
	if wrongRevision(err) {
		return Entry{}, ErrConflict
	}
	if err != nil {
		return Entry{}, err
	}
	for _, v := range old.Versions() {
		if !e.refers(v.Object) {
			_ = s.objects.Delete(ctx, v.Object) // The entry is stored; content that remains is harmless, and Sweep finds it.
		}
	}
	return e, nil
}

// discard removes content that did not become a version, unless the current entry or old refers to it.
func (s *Store) discard(ctx context.Context, name, object string, old Entry) {
	current, err := s.Get(ctx, name)
	if err != nil && !errors.Is(err, ErrNotFound) {
		return // Sweep will find it.
	}
	if !current.refers(object) && !old.refers(object) {
		_ = s.objects.Delete(ctx, object) // As above.
	}
}

// Delete removes an entry, the content of its version and that of the versions it keeps. It returns ErrConflict when another
// writer has stored a version since the entry was read.
func (s *Store) Delete(ctx context.Context, e Entry) error {
	if err := s.open(ctx); err != nil {
		return err
	}
	err := s.entries.Delete(ctx, e.Name, jetstream.LastRevision(e.revision))
	if wrongRevision(err) {
		err = ErrConflict
	}
	if err != nil {
		return fmt.Errorf("delete %s version %d: %w", e.Name, e.Version, err)
	}
	for _, v := range e.Versions() {
		if err := s.objects.Delete(ctx, v.Object); err != nil && !errors.Is(err, jetstream.ErrObjectNotFound) {
			return fmt.Errorf("delete %s version %d: %w", e.Name, e.Version, err)
		}
	}
	return nil
}

// Sweep removes content of the given names that no entry refers to, such as that of a writer which was killed before it
// stored the entry, and returns how many objects it removed. Content younger than age is left: its writer may be at work.
func (s *Store) Sweep(ctx context.Context, names []string, age time.Duration) (removed int, err error) {
	if err := s.open(ctx); err != nil {
		return 0, err
	}
	objects, err := s.objects.List(ctx)
	if errors.Is(err, jetstream.ErrNoObjectsFound) {
		return 0, nil
	}
	if err != nil {
		return 0, fmt.Errorf("sweep %s: %w", s.Bucket, err)
	}
	for _, name := range names {
		entry, err := s.Get(ctx, name)
		if err != nil && !errors.Is(err, ErrNotFound) {
			return removed, err
		}
		for _, o := range objects {
			digest, ours := strings.CutPrefix(o.Name, name+"-")
			if !ours || strings.Contains(digest, "-") || entry.refers(o.Name) || time.Since(o.ModTime) < age {
				continue
			}
			if err := s.objects.Delete(ctx, o.Name); err != nil && !errors.Is(err, jetstream.ErrObjectNotFound) {
				return removed, fmt.Errorf("sweep %s: %w", s.Bucket, err)
			}
			removed++
		}
	}
	return removed, nil
}

// Entries returns the key-value bucket, for keys beside those of versions.
func (s *Store) Entries(ctx context.Context) (jetstream.KeyValue, error) {
	if err := s.open(ctx); err != nil {
		return nil, err
	}
	return s.entries, nil
}

// wrongRevision reports whether a write to the key-value bucket failed because another one came before it.
func wrongRevision(err error) bool {
	api, ok := errors.AsType[*jetstream.APIError](err)
	return errors.Is(err, jetstream.ErrKeyExists) ||
		ok && (api.ErrorCode == jetstream.JSErrCodeStreamWrongLastSequence || api.ErrorCode == jetstream.JSErrCodeStreamWrongLastSequenceConstant)
}

// Get returns the current entry of name, or ErrNotFound.
func (s *Store) Get(ctx context.Context, name string) (Entry, error) {
	if err := s.open(ctx); err != nil {
		return Entry{}, err
	}
	kv, err := s.entries.Get(ctx, name)
	if errors.Is(err, jetstream.ErrKeyNotFound) {
		return Entry{}, fmt.Errorf("%s in %s: %w", name, s.Bucket, ErrNotFound)
	}
	if err != nil {
		return Entry{}, fmt.Errorf("%s in %s: %w", name, s.Bucket, err)
	}
	return parse(kv)
}

// Load returns the content of the current version of an entry. Entry.At makes an entry of another one that is kept.
func (s *Store) Load(ctx context.Context, e Entry) ([]byte, error) {
	if err := s.open(ctx); err != nil {
		return nil, err
	}
	content, err := s.objects.GetBytes(ctx, e.Object)
	if err != nil {
		return nil, fmt.Errorf("%s version %d (object %s in %s): %w", e.Name, e.Version, e.Object, s.Bucket, err)
	}
	return content, nil
}

// WriteFile writes the content of the current version of name to a file. The file is either complete or as it was.
func (s *Store) WriteFile(ctx context.Context, name, path string) error {
	entry, err := s.Get(ctx, name)
	if err != nil {
		return err
	}
	content, err := s.Load(ctx, entry)
	if err != nil {
		return err
	}
	// Without sync: the file can be written again from the store.
	return atomicfile.Write(path, content, atomicfile.Options{NoSync: true})
}

// pollEvery is how often Watch reads the entry by itself, in case a notification was lost with its server.
const pollEvery = 15 * time.Second

// Watch calls f with the current entry of name, if there is one, and with every later one, until ctx is done; it then
// returns nil. It may skip versions that were replaced quickly. Calls of f do not overlap.
func (s *Store) Watch(ctx context.Context, name string, f func(Entry)) error {
	if err := s.open(ctx); err != nil {
		return err
	}
	watcher, err := s.entries.Watch(ctx, name)
	if err != nil {
		return fmt.Errorf("watch %s in %s: %w", name, s.Bucket, err)
	}
	defer func() { _ = watcher.Stop() }() // An error only means that it has ended already.
	updates := watcher.Updates()
	ticker := time.NewTicker(pollEvery)
	defer ticker.Stop()
	seen := uint64(0)
	show := func(e Entry, err error) {
		if err == nil && e.revision > seen {
			seen = e.revision
			f(e)
		}
	}
	for {
		select {
		case <-ctx.Done():
			return nil
		case kv, ok := <-updates:
			switch {
			case !ok:
				updates = nil // The watcher has ended; polling continues.
			case kv != nil && kv.Operation() == jetstream.KeyValuePut:
				show(parse(kv))
			}
		case <-ticker.C:
			show(s.Get(ctx, name))
		}
	}
}

func (s *Store) open(ctx context.Context) error {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.entries != nil {
		return nil
	}
	var objects jetstream.ObjectStore
	var entries jetstream.KeyValue
	var err error
	if s.Bind {
		if objects, err = s.JetStream.ObjectStore(ctx, s.Bucket); err == nil {
			entries, err = s.JetStream.KeyValue(ctx, s.Bucket)
		}
	} else {
		objects, err = s.JetStream.CreateOrUpdateObjectStore(ctx, jetstream.ObjectStoreConfig{
			Bucket: s.Bucket, Description: "the content of models", Replicas: s.Replicas,
		})
		if err == nil {
			entries, err = s.JetStream.CreateOrUpdateKeyValue(ctx, jetstream.KeyValueConfig{
				Bucket: s.Bucket, Description: "the current versions of models", Replicas: s.Replicas, History: 5,
			})
		}
	}
	if err != nil {
		return fmt.Errorf("model store %s: %w", s.Bucket, err)
	}
	s.objects, s.entries = objects, entries
	return nil
}
