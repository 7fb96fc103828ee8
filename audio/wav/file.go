package wav

import (
	"fmt"
	"os"
	"path/filepath"

	"wavemill/audio"
)

// File is a WAV file being written: a Writer on a temporary file beside its destination, which takes
// its name only when it is complete. Whatever happens before, the destination is untouched.
type File struct {
	w    *Writer
	path string
	f    *os.File
	done bool
}

// Create begins a file at path. Finish it with Commit or give it up with Discard.
func Create(path string, channels, rate int, o Options) (*File, error) {
	f, err := temporary(path)
	if err != nil {
		return nil, err
	}
	w, err := NewWriter(f, channels, rate, o)
	if err != nil {
		discard(f)
		return nil, err
	}
	return &File{w: w, path: path, f: f}, nil
}

// WriteFrames appends interleaved samples, see Writer.WriteFrames.
func (f *File) WriteFrames(samples []float32) error { return f.w.WriteFrames(samples) }

// Frames is the number of frames written so far.
func (f *File) Frames() int64 { return f.w.Frames() }

// Commit completes the file, syncs it to disk and gives it its name, replacing what had it. When it
// fails, nothing is left behind.
func (f *File) Commit() error {
	if err := f.w.Close(); err != nil {
		f.Discard()
		return err
	}
	f.done = true
	return commit(f.f, f.path)
}

// Discard removes the temporary file. After Commit it does nothing, so it can be deferred.
func (f *File) Discard() {
	if !f.done {
		f.done = true
		discard(f.f)
	}
}

// WriteFile encodes a clip to a file, which is either written whole, synced and renamed into place,
// or not touched at all.
func WriteFile(path string, c audio.Clip, o Options) error {
	b, err := Encode(c, o)
	if err != nil {
		return err
	}
	f, err := temporary(path)
	if err != nil {
		return err
	}
	if _, err := f.Write(b); err != nil {
		discard(f)
		return fmt.Errorf("wav: %w", err)
	}
	return commit(f, path)
}

// temporary makes a file beside path with the permissions that path itself would get.
func temporary(path string) (*os.File, error) {
	dir, base := filepath.Split(path)
	for n := 0; ; n++ {
		name := filepath.Join(dir, fmt.Sprintf(".%s.%d-%d.tmp", base, os.Getpid(), n))
		f, err := os.OpenFile(name, os.O_RDWR|os.O_CREATE|os.O_EXCL, 0o666)
		if err == nil {
			return f, nil
		}
		if !os.IsExist(err) || n == 1000 {
			return nil, fmt.Errorf("wav: %w", err)
		}
	}
}

// commit syncs, closes and renames; on failure it leaves nothing behind.
func commit(f *os.File, path string) error {
	err := f.Sync()
	if closing := f.Close(); err == nil {
		err = closing
	}
	if err == nil {
		err = os.Rename(f.Name(), path)
	}
	if err != nil {
		discard(f)
		return fmt.Errorf("wav: %w", err)
	}
	return nil
}

// discard closes and removes a temporary file. There is nothing to do about a failure: the file is
// hidden, and the error that led here is the one to report.
func discard(f *os.File) {
	_ = f.Close()
	_ = os.Remove(f.Name())
}
