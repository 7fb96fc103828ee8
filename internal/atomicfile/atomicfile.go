// Package atomicfile writes files that are either complete or not there. Data goes to a temporary file
// in the destination's folder, which is synced and then renamed over the destination. A reader, also
// after a crash or a power failure, finds the old content or the new, never a part.
package atomicfile

import (
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"strconv"
	"strings"
)

// Options change how a file is written. The zero Options are the safest.
type Options struct {
	// NoSync leaves out the two syncs of file and folder, which take about 2 ms on an SSD. After a power
	// failure the file may then be missing or cut short although it has its name; after a crash of this
	// process alone it is whole. Use it for many files that can be made again.
	NoSync bool
	// Prefix replaces "."+base+"." at the start of the temporary file's name, in folders where programs
	// would read such a file. Sweep does not find the file then.
	Prefix string
	// Before is called when the data is safe in the temporary file and the destination not yet replaced.
	// On its error the destination is left as it is.
	Before func() error
}

// A File is a file being written. Finish it with Commit or Discard. It is not safe for concurrent use.
type File struct {
	*os.File // The temporary file.

	path string
	o    Options
	done bool
}

// Create begins to write the file at path, whose folder must exist. The file gets the permissions
// 0666 less the umask, as os.Create gives, also where it replaces one with others.
func Create(path string, o Options) (*File, error) {
	prefix := o.Prefix
	if prefix == "" {
		prefix = "." + filepath.Base(path) + "."
	}
	const attempts = 1000 // Names taken by other writers or left by killed ones.
	for n := range attempts {
		name := filepath.Join(filepath.Dir(path), prefix+strconv.Itoa(os.Getpid()+n))
		f, err := os.OpenFile(name, os.O_RDWR|os.O_CREATE|os.O_EXCL, 0o666)
		if err == nil {
			return &File{File: f, path: path, o: o}, nil
		}
		if !errors.Is(err, fs.ErrExist) {
			return nil, fmt.Errorf("write %s: %w", path, err)
		}
	}
	return nil, fmt.Errorf("write %s: %d temporary files %s* lie beside it; remove them", path, attempts, prefix)
}

// Try finds out before long work whether a file can be written to path. It refuses what is there and is no regular file, and
// creates a temporary file and the folders that it needs. It removes what it has created.
func Try(path string) error {
	if info, err := os.Stat(path); err == nil && !info.Mode().IsRegular() {
		return fmt.Errorf("%s is there and is not a regular file; choose another name", path)
	}
	dir := filepath.Dir(path)
	for _, folder := range missing(dir) {
		defer os.Remove(folder) // The last one that is deferred, the innermost, is removed first.
	}
	if err := os.MkdirAll(dir, 0o755); err != nil { // Others may read the results.
		return err
	}
	f, err := Create(path, Options{})
	if err != nil {
		return err
	}
	f.Discard()
	return nil
}

// missing returns the folders that are not there, dir and above it, the outermost first.
func missing(dir string) []string {
	if _, err := os.Stat(dir); !errors.Is(err, fs.ErrNotExist) || dir == filepath.Dir(dir) {
		return nil
	}
	return append(missing(filepath.Dir(dir)), dir)
}

// TryFolder finds out before long work whether files can be written in a folder, as Try does.
func TryFolder(dir string) error { return Try(filepath.Join(dir, ".try")) }

// Commit puts the file in its place. On error nothing is left behind and the destination is as it was.
// After Commit or Discard it returns fs.ErrClosed.
func (f *File) Commit() error {
	if f.done {
		return fmt.Errorf("write %s: %w", f.path, fs.ErrClosed)
	}
	f.done = true
	var err error
	if !f.o.NoSync {
		err = f.Sync()
	}
	err = errors.Join(err, f.Close())
	if err == nil && f.o.Before != nil {
		err = f.o.Before()
	}
	if err == nil {
		err = os.Rename(f.Name(), f.path)
	}
	if err != nil {
		return errors.Join(fmt.Errorf("write %s: %w", f.path, err), os.Remove(f.Name()))
	}
	if !f.o.NoSync {
		syncFolder(filepath.Dir(f.path))
	}
	return nil
}

// Discard removes the temporary file. After Commit it does nothing, so it can be deferred.
func (f *File) Discard() {
	if f.done {
		return
	}
	f.done = true
	// The file is hidden and incomplete; the error that led here is the one to report.
	_ = f.Close()
	_ = os.Remove(f.Name())
}

// syncFolder makes a rename durable. Not every system can sync folders, and the file itself is whole
// under one of its names, so errors are ignored.
func syncFolder(dir string) {
	d, err := os.Open(dir)
	if err != nil {
		return
	}
	_ = d.Sync()
	_ = d.Close()
}

// Write writes data to the file at path, see Create and File.Commit.
func Write(path string, data []byte, o Options) error {
	f, err := Create(path, o)
	if err != nil {
		return err
	}
	defer f.Discard()
	if _, err := f.Write(data); err != nil {
		return fmt.Errorf("write %s: %w", path, err)
	}
	return f.Commit()
}

// Destination returns the name of the file for which a temporary file was created, given the name of the
// temporary file without its folder; false if Create makes no such names.
func Destination(temporary string) (base string, ok bool) {
	rest, hidden := strings.CutPrefix(temporary, ".")
	dot := strings.LastIndexByte(rest, '.')
	if !hidden || dot < 1 {
		return "", false
	}
	if _, err := strconv.ParseUint(rest[dot+1:], 10, 64); err != nil {
		return "", false
	}
	return rest[:dot], true
}

// Sweep removes the temporary files in dir that killed processes left behind, of those destinations for
// which match returns true for the name without its folder. No other process may be writing them. A
// folder that does not exist has none.
func Sweep(dir string, match func(base string) bool) error {
	entries, err := os.ReadDir(dir)
	if errors.Is(err, fs.ErrNotExist) {
		return nil
	}
	if err != nil {
		return err
	}
	var errs []error
	for _, e := range entries {
		if base, ok := Destination(e.Name()); ok && e.Type().IsRegular() && match(base) {
			errs = append(errs, os.Remove(filepath.Join(dir, e.Name())))
		}
	}
	return errors.Join(errs...)
}
