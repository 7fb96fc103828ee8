//go:build unix

package models

import (
	"errors"
	"os/signal"
	"path/filepath"
	"syscall"
	"testing"
)

// limited calls f while files of this process may have at most so many bytes.
func limited(t *testing.T, bytes uint64, f func() error) error {
	t.Helper()
	var old syscall.Rlimit
	if err := syscall.Getrlimit(syscall.RLIMIT_FSIZE, &old); err != nil {
		t.Skipf("no limits here: %v", err)
	}
	signal.Ignore(syscall.SIGXFSZ)
	defer signal.Reset(syscall.SIGXFSZ)
	if err := syscall.Setrlimit(syscall.RLIMIT_FSIZE, &syscall.Rlimit{Cur: bytes, Max: old.Max}); err != nil {
		t.Skipf("no limits here: %v", err)
	}
	defer func() {
		if err := syscall.Setrlimit(syscall.RLIMIT_FSIZE, &old); err != nil {
			t.Fatal(err)
		}
	}()
	return f()
}

// A full disk, for which a limit on the size of files stands in, leaves the old checkpoints whole and nothing else.
func TestFullDiskLeavesTheOldOnes(t *testing.T) {
	r := Rotation{Path: filepath.Join(t.TempDir(), "m.safetensors"), Keep: 2}
	for step := int64(1); step <= 2; step++ {
		if err := r.Write(stepped(step)); err != nil {
			t.Fatal(err)
		}
	}
	big := stepped(3)
	big.Tensors[0] = Tensor{Name: "w", Shape: []int{1 << 20}, Data: make([]float32, 1<<20)}
	err := limited(t, 1<<20, func() error { return r.Write(big) })
	if !errors.Is(err, syscall.EFBIG) {
		t.Fatalf("error %v", err)
	}
	if steps, others := r.steps(t); !equalSteps(steps, []int64{2, 1}) || len(others) > 0 {
		t.Errorf("steps %v, also there: %v", steps, others)
	}
	if err := r.Write(big); err != nil {
		t.Errorf("with room again: %v", err)
	}
}
