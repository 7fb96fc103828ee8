package modelstore

import (
	"cmp"
	"context"
	"encoding/json"
	"fmt"
	"slices"
	"strings"
	"time"

	"github.com/nats-io/nats.go/jetstream"
)

// A Stored is one version of a model.
type Stored struct {
	Version uint64          `json:"version"` // Version counts from 1; no number is given twice.
	Digest  string          `json:"digest"`  // Digest of the content, as its writer computes it.
	Object  string          `json:"object"`  // Object is the name of the content in the object store.
	Size    int             `json:"size"`    // Size of the content in bytes.
	Created time.Time       `json:"created"`
	Info    json.RawMessage `json:"info,omitempty"` // Info is the writer's own description.

	Withdrawn *Withdrawal `json:"withdrawn,omitempty"` // Withdrawn says why it is not current any more; nil: a newer one replaced it.
}

// A Withdrawal says when and why a version was taken out of use.
type Withdrawal struct {
	Reason string    `json:"reason"`
	Time   time.Time `json:"time"`
}

// Entry describes the versions under a name: the current one, whose fields it has, and the others that are kept. The
// key-value bucket holds it as JSON.
type Entry struct {
	Stored
	Name   string    `json:"name"`
	Last   uint64    `json:"last"`               // Last is the highest number that a version has been given.
	Since  time.Time `json:"since"`              // Since is when the version became current.
	Trial  bool      `json:"trial,omitempty"`    // Trial asks readers to compare the version with the one before it uses it.
	Pinned bool      `json:"pinned,omitempty"`   // Pinned keeps the version current whatever is stored.
	Kept   []Stored  `json:"versions,omitempty"` // Kept are the other versions, newest first.

	revision uint64
}

// Versions returns the current version and the others, newest first. It is empty for the zero Entry.
func (e Entry) Versions() []Stored {
	if e.Object == "" {
		return nil
	}
	all := append([]Stored{e.Stored}, e.Kept...)
	slices.SortFunc(all, newestFirst)
	return all
}

func newestFirst(a, b Stored) int { return cmp.Compare(b.Version, a.Version) }

// At returns the entry as if the version with that number were current, and false where it is not kept.
func (e Entry) At(version uint64) (Entry, bool) {
	all := e.Versions()
	at := slices.IndexFunc(all, func(v Stored) bool { return v.Version == version })
	if at < 0 {
		return Entry{}, false
	}
	e.Stored = all[at]
	e.Kept = slices.Delete(all, at, at+1)
	return e, true
}

// Previous returns the newest version before the current one that has not been withdrawn, and false where there is none.
func (e Entry) Previous() (Stored, bool) {
	for _, v := range e.Kept {
		if v.Version < e.Version && v.Withdrawn == nil {
			return v, true
		}
	}
	return Stored{}, false
}

// refers reports whether a version of the entry has that content.
func (e Entry) refers(object string) bool {
	return object != "" && slices.ContainsFunc(e.Versions(), func(v Stored) bool { return v.Object == object })
}

// rotate takes the versions beyond the number to keep out of an entry: those that were withdrawn before the others, and of
// these the oldest first. The current version stays.
func (s *Store) rotate(e *Entry) {
	keep := cmp.Or(s.Keep, DefaultKeep)
	for len(e.Kept) > keep-1 {
		at := len(e.Kept) - 1
		for i, v := range e.Kept {
			if v.Withdrawn != nil {
				at = i // The last of them is the oldest.
			}
		}
		e.Kept = slices.Delete(e.Kept, at, at+1)
	}
}

// parse reads an entry from the bucket. Entries of earlier programs list the objects of earlier versions alone, under kept:
// their numbers are those before the current one.
func parse(kv jetstream.KeyValueEntry) (Entry, error) {
	var x struct {
		Entry
		Objects []string `json:"kept"`
	}
	if err := json.Unmarshal(kv.Value(), &x); err != nil {
		return Entry{}, fmt.Errorf("%s in %s, revision %d: %w", kv.Key(), kv.Bucket(), kv.Revision(), err)
	}
	e := x.Entry
	e.Last, e.revision = max(e.Last, e.Version), kv.Revision()
	for i, object := range x.Objects {
		if back := uint64(i) + 1; back < e.Version {
			e.Kept = append(e.Kept, Stored{Version: e.Version - back, Object: object, Digest: strings.TrimPrefix(object, e.Name+"-")})
		}
	}
	return e, nil
}

// Names returns the names of which there is a version, sorted. Keys of working checkpoints, which have a dot, are not among them.
func (s *Store) Names(ctx context.Context) ([]string, error) {
	if err := s.open(ctx); err != nil {
		return nil, err
	}
	keys, err := s.entries.ListKeys(ctx)
	if err != nil {
		return nil, fmt.Errorf("list %s: %w", s.Bucket, err)
	}
	var names []string
	for key := range keys.Keys() {
		if !strings.Contains(key, ".") {
			names = append(names, key)
		}
	}
	slices.Sort(names)
	return names, nil
}
