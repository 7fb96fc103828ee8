package models

import (
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"strconv"

	"wavemill/internal/atomicfile"
)

// A Rotation keeps a checkpoint in a file and those before it beside it: Path, Path.1, Path.2, …, the newest first.
// At every moment, a power failure included, there is a whole checkpoint under one of the names.
type Rotation struct {
	Path string
	// Keep is the number of previous checkpoints; 0 keeps none.
	Keep int
}

// file is the name of the i-th previous checkpoint; of the current one for 0.
func (r Rotation) file(i int) string {
	if i == 0 {
		return r.Path
	}
	return r.Path + "." + strconv.Itoa(i)
}

// Write makes c the current checkpoint and the current one the first of the previous. The new one is whole on the disk
// before anything is renamed: a full disk leaves all as it was.
func (r Rotation) Write(c Checkpoint) error {
	b, err := c.Encode()
	if err != nil {
		return err
	}
	return replaceFile(r.Path, b, r.rotate)
}

// rotate moves the previous checkpoints on and gives the current one a second name.
func (r Rotation) rotate() error {
	if _, err := os.Lstat(r.Path); r.Keep < 1 || errors.Is(err, fs.ErrNotExist) {
		return nil
	}
	for i := r.Keep; i > 1; i-- {
		if err := os.Rename(r.file(i-1), r.file(i)); err != nil && !errors.Is(err, fs.ErrNotExist) {
			return err
		}
	}
	if err := os.Remove(r.file(1)); err != nil && !errors.Is(err, fs.ErrNotExist) {
		return err
	}
	if os.Link(r.Path, r.file(1)) == nil {
		return nil
	}
	return os.Rename(r.Path, r.file(1)) // a file system without links; Read finds it there until the new one has its name
}

// Read returns the newest whole checkpoint and the file that it is in: the current one or, where that is damaged or
// missing, a previous one. The error is of the current one where none can be read.
func (r Rotation) Read() (Checkpoint, string, error) {
	c, first := Read(r.Path)
	if first == nil {
		return c, r.Path, nil
	}
	for i := 1; ; i++ {
		c, err := Read(r.file(i))
		if err == nil {
			return c, r.file(i), nil
		}
		if errors.Is(err, fs.ErrNotExist) && i > r.Keep {
			return Checkpoint{}, "", first
		}
	}
}

// Exists reports whether there is a checkpoint, whole or not.
func (r Rotation) Exists() bool {
	for i := range r.Keep + 2 {
		if _, err := os.Lstat(r.file(i)); err == nil {
			return true
		}
	}
	return false
}

// Sweep removes the temporary files that a killed process left behind while it wrote to Path. No other process may be
// writing there.
func (r Rotation) Sweep() error {
	err := atomicfile.Sweep(filepath.Dir(r.Path), func(base string) bool { return base == filepath.Base(r.Path) })
	if err != nil {
		return fmt.Errorf("checkpoint: %w", err)
	}
	return nil
}

// replaceFile puts b into the named file: all of it or, on error, nothing. before, when not nil, is called when b is
// safe on the disk and not yet in place.
func replaceFile(path string, b []byte, before func() error) error {
	if err := atomicfile.Write(path, b, atomicfile.Options{Before: before}); err != nil {
		return fmt.Errorf("checkpoint: %w", err)
	}
	return nil
}
