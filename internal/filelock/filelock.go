// Package filelock reserves a file or folder for one process at a time.
package filelock

import (
	"errors"
	"fmt"
	"os"

	"github.com/gofrs/flock"
)

// ErrHeld is returned, wrapped, where another process, or another call in this one, holds the lock.
var ErrHeld = errors.New("it is in use")

// Acquire creates the file of a lock in a folder that is there, and locks it until release is called, which removes it. The
// operating system holds the lock for this process: the lock of a process that has died is free, and so is one whose release was
// dropped, once garbage is collected. Acquire does not wait; where the lock is held, the error is ErrHeld.
func Acquire(name string) (release func() error, err error) {
	for {
		lock := flock.New(name)
		held, err := lock.TryLock()
		if err != nil {
			return nil, fmt.Errorf("lock: %w", err)
		}
		if !held {
			return nil, fmt.Errorf("lock %s: %w", name, ErrHeld)
		}
		if current(lock, name) {
			return func() error {
				// Removed while the lock is held: whoever opened the file before finds out that it is not the current one.
				return errors.Join(os.Remove(name), lock.Close())
			}, nil
		}
		if err := lock.Close(); err != nil {
			return nil, fmt.Errorf("lock: %w", err)
		}
	}
}

// current reports whether the locked file is still the one that has the name: its holder may have removed it between
// opening and locking.
func current(lock *flock.Flock, name string) bool {
	held, err := lock.Stat()
	if err != nil {
		return false
	}
	now, err := os.Stat(name)
	return err == nil && os.SameFile(held, now)
}
