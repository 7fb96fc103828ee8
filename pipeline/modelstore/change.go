package modelstore

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strconv"
	"strings"
	"time"
)

var (
	// ErrNoVersion means that a version is not kept, or that there is none to go back to.
	ErrNoVersion = errors.New("no such version is kept")
	// ErrInUse means that a version is current or pinned and cannot be removed.
	ErrInUse = errors.New("the version is in use")
	// ErrPinned means that the current version is pinned and stays.
	ErrPinned = errors.New("the current version is pinned")
)

// Serve makes a kept version the current one, in place of that of the entry, which is marked as withdrawn for the reason,
// where it is not empty. A mark of the version that becomes current is removed. Readers that watch the name use it without a
// trial. It returns ErrConflict when another writer has changed the entry, and ErrPinned when the entry is pinned.
func (s *Store) Serve(ctx context.Context, e Entry, version uint64, reason string) (Entry, error) {
	if e.Pinned {
		return Entry{}, fmt.Errorf("%s version %d: %w", e.Name, e.Version, ErrPinned)
	}
	next, ok := e.At(version)
	if !ok {
		return Entry{}, e.noVersion(version)
	}
	now := time.Now().UTC().Truncate(time.Millisecond)
	next.Withdrawn = nil
	if e.Version != version {
		next.Since, next.Trial = now, false
		for i, v := range next.Kept {
			if v.Version == e.Version && reason != "" {
				next.Kept[i].Withdrawn = &Withdrawal{Reason: reason, Time: now}
			}
		}
	}
	return s.change(ctx, next, e)
}

// Rollback is Serve of the newest version before the current one that has not been withdrawn.
func (s *Store) Rollback(ctx context.Context, e Entry, reason string) (Entry, error) {
	v, ok := e.Previous()
	if !ok && !e.Pinned {
		return Entry{}, fmt.Errorf("%s has no version before %d that was not withdrawn: %w", e.Name, e.Version, ErrNoVersion)
	}
	return s.Serve(ctx, e, v.Version, reason)
}

// Pin keeps the current version current, whatever is stored, or ends that.
func (s *Store) Pin(ctx context.Context, e Entry, pinned bool) (Entry, error) {
	next := e
	next.Pinned, next.Trial = pinned, e.Trial && !pinned
	return s.change(ctx, next, e)
}

// Remove removes a version that is not current, with its content.
func (s *Store) Remove(ctx context.Context, e Entry, version uint64) (Entry, error) {
	if version == e.Version {
		return Entry{}, fmt.Errorf("%s version %d: %w", e.Name, version, ErrInUse)
	}
	next := e
	next.Kept = slices.DeleteFunc(slices.Clone(e.Kept), func(v Stored) bool { return v.Version == version })
	if len(next.Kept) == len(e.Kept) {
		return Entry{}, e.noVersion(version)
	}
	return s.change(ctx, next, e)
}

// change writes next in place of old.
func (s *Store) change(ctx context.Context, next, old Entry) (Entry, error) {
	if err := s.open(ctx); err != nil {
		return Entry{}, err
	}
	changed, err := s.replace(ctx, next, old)
	if err != nil {
		return Entry{}, fmt.Errorf("change %s: %w", old.Name, err)
	}
	return changed, nil
}

// noVersion is the error of a version that is not kept.
func (e Entry) noVersion(version uint64) error {
	var numbers []string
	for _, v := range e.Versions() {
		numbers = append(numbers, strconv.FormatUint(v.Version, 10))
	}
	return fmt.Errorf("%s version %d: %w; there are %s", e.Name, version, ErrNoVersion, strings.Join(numbers, ", "))
}
