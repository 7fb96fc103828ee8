package filelock_test

import (
	"errors"
	"os"
	"path/filepath"
	"testing"

	"wavemill/internal/filelock"
)

func TestAcquire(t *testing.T) {
	name := filepath.Join(t.TempDir(), ".lock")
	release, err := filelock.Acquire(name)
	if err != nil {
		t.Fatal(err)
	}
	if _, err := filelock.Acquire(name); !errors.Is(err, filelock.ErrHeld) {
		t.Errorf("twice: %v", err)
	}
	if err := release(); err != nil {
		t.Error(err)
	}
	if _, err := os.Stat(name); !errors.Is(err, os.ErrNotExist) {
		t.Errorf("the file is left: %v", err)
	}
	again, err := filelock.Acquire(name)
	if err != nil {
		t.Fatal(err)
	}
	if err := again(); err != nil {
		t.Error(err)
	}
	if _, err := filelock.Acquire(filepath.Join(t.TempDir(), "none", ".lock")); err == nil || errors.Is(err, filelock.ErrHeld) {
		t.Errorf("without the folder: %v", err)
	}
}

// A file that is left by a process that has died is no lock.
func TestLeftBehind(t *testing.T) {
	name := filepath.Join(t.TempDir(), ".lock")
	if err := os.WriteFile(name, nil, 0o600); err != nil {
		t.Fatal(err)
	}
	release, err := filelock.Acquire(name)
	if err != nil {
		t.Fatal(err)
	}
	if err := release(); err != nil {
		t.Error(err)
	}
}
