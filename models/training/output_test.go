package training_test

import (
	"errors"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"

	"wavemill/models/training"
)

func TestCheckOutput(t *testing.T) {
	dir := t.TempDir()
	file := filepath.Join(dir, "file")
	if err := os.WriteFile(file, nil, 0o600); err != nil {
		t.Fatal(err)
	}
	for _, path := range []string{filepath.Join(dir, "m.safetensors"), filepath.Join(dir, "new", "folder", "m.safetensors"), file} {
		if err := training.CheckOutput(path); err != nil {
			t.Errorf("%s: %v", path, err)
		}
		entries, err := os.ReadDir(filepath.Dir(path))
		if err != nil {
			t.Fatal(err)
		}
		for _, e := range entries {
			if strings.HasPrefix(e.Name(), ".") {
				t.Errorf("%s was left behind", e.Name())
			}
		}
	}
	bad := map[string]string{
		dir:                               "it is a folder",
		filepath.Join(dir, "none") + "/":  "it names a folder",
		filepath.Join(file, "m"):          "not a directory",
		filepath.Join(file, "below", "m"): "not a directory",
		"/dev/null":                       "not a regular file",
	}
	if os.Getuid() != 0 { // root may write anywhere
		locked := filepath.Join(t.TempDir(), "locked")
		if err := os.Mkdir(locked, 0o500); err != nil {
			t.Fatal(err)
		}
		bad[filepath.Join(locked, "m")] = "permission denied"
	}
	for path, want := range bad {
		if err := training.CheckOutput(path); !errors.Is(err, training.ErrOutput) || !strings.Contains(err.Error(), want) {
			t.Errorf("%s: %v, want %q", path, err, want)
		}
	}
}

const lockVariable = "WAVEMILL_TEST_LOCK"

// TestLockHolder is not a test but the process that TestLockOutput kills while it holds a lock.
func TestLockHolder(t *testing.T) {
	path, ok := os.LookupEnv(lockVariable)
	if !ok {
		t.Skip("this is for a process that another test starts")
	}
	release, err := training.LockOutput(path)
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = release() }() // It keeps the lock from the garbage collector until the process is killed.
	os.Stdout.WriteString("locked\n")
	select {}
}

func TestLockOutput(t *testing.T) {
	dir := t.TempDir()
	path := filepath.Join(dir, "m.safetensors")
	release, err := training.LockOutput(path)
	if err != nil {
		t.Fatal(err)
	}
	if _, err := training.LockOutput(path); !errors.Is(err, training.ErrLocked) || !strings.Contains(err.Error(), path) {
		t.Errorf("a second lock: %v", err)
	}
	other, err := training.LockOutput(path + "2")
	if err != nil {
		t.Fatalf("another file: %v", err)
	}
	if err := errors.Join(release(), other()); err != nil {
		t.Error(err)
	}
	if entries, err := os.ReadDir(dir); err != nil || len(entries) != 0 {
		t.Errorf("left behind: %v, %v", entries, err)
	}

	// A process that is killed leaves the file, and not the lock.
	cmd := exec.CommandContext(t.Context(), os.Args[0], "-test.run=^TestLockHolder$")
	cmd.Env = append(os.Environ(), lockVariable+"="+path)
	out, err := cmd.StdoutPipe()
	if err != nil {
		t.Fatal(err)
	}
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	line := make([]byte, len("locked\n"))
	if _, err := out.Read(line); err != nil || string(line) != "locked\n" {
		t.Fatalf("%q, %v", line, err)
	}
	if _, err := training.LockOutput(path); !errors.Is(err, training.ErrLocked) {
		t.Errorf("while another process holds the lock: %v", err)
	}
	if err := cmd.Process.Kill(); err != nil {
		t.Fatal(err)
	}
	_ = cmd.Wait() // it was killed
	if _, err := os.Stat(filepath.Join(dir, ".m.safetensors.lock")); err != nil {
		t.Errorf("the killed process left no file: %v", err)
	}
	release, err = training.LockOutput(path)
	if err != nil {
		t.Fatalf("after the process has died: %v", err)
	}
	if err := release(); err != nil {
		t.Error(err)
	}
}
