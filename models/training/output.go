package training

import (
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"strings"

	"wavemill/internal/atomicfile"
	"wavemill/internal/filelock"
	"wavemill/models"
)

// ErrOutput is returned, wrapped, for a path that no checkpoint can be written to.
var ErrOutput = errors.New("no checkpoint can be written there")

// ErrFolder is returned, wrapped, for a path that is no folder to write files into.
var ErrFolder = errors.New("no files can be written into this folder")

// ErrLocked is returned, wrapped, where another training writes to the same checkpoint.
var ErrLocked = errors.New("another training writes to this file")

// CheckOutput finds out before a training whether its checkpoint can be written. It creates the folder of the file, refuses
// a path that is a folder or ends like one, and writes and removes a temporary file.
func CheckOutput(path string) error {
	if strings.HasSuffix(path, "/") || strings.HasSuffix(path, string(filepath.Separator)) {
		return fmt.Errorf("%s: %w: it names a folder; name a file in it, such as %s", path, ErrOutput, filepath.Join(path, "model.safetensors"))
	}
	switch info, err := os.Stat(path); {
	case err == nil && info.IsDir():
		return fmt.Errorf("%s: %w: it is a folder; name a file in it, such as %s", path, ErrOutput, filepath.Join(path, "model.safetensors"))
	case err == nil && !info.Mode().IsRegular():
		return fmt.Errorf("%s: %w: it is not a regular file", path, ErrOutput)
	case err != nil && !errors.Is(err, fs.ErrNotExist):
		return fmt.Errorf("%w: %w", ErrOutput, err)
	}
	dir := filepath.Dir(path)
	err := os.MkdirAll(dir, 0o755)
	if err == nil {
		err = atomicfile.TryFolder(dir)
	}
	if err != nil {
		return fmt.Errorf("%s: %w: %w", path, ErrOutput, err)
	}
	return nil
}

// LockOutput reserves a checkpoint's path for this training until release is called. The lock is a hidden file beside the
// checkpoint, held by the operating system for this process: the lock of a process that has died is free. Where another
// process, or another call in this one, holds it, the error is ErrLocked.
func LockOutput(path string) (release func() error, err error) {
	release, err = filelock.Acquire(filepath.Join(filepath.Dir(path), "."+filepath.Base(path)+".lock"))
	if errors.Is(err, filelock.ErrHeld) {
		return nil, fmt.Errorf("%s: %w; wait for its end, or choose another file", path, ErrLocked)
	}
	if err != nil {
		return nil, fmt.Errorf("%s: %w", path, err)
	}
	return release, nil
}

// ReserveOutput prepares a training's checkpoints before it begins: CheckOutput and LockOutput for the path, and the removal
// of the temporary files that a killed training left there.
func ReserveOutput(to models.Rotation) (release func() error, err error) {
	if err := CheckOutput(to.Path); err != nil {
		return nil, err
	}
	if release, err = LockOutput(to.Path); err != nil {
		return nil, err
	}
	if err := to.Sweep(); err != nil {
		return nil, errors.Join(err, release())
	}
	return release, nil
}
