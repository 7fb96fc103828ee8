package models

import (
	"os"
	"path/filepath"
	"strings"
	"testing"
)

// stepped is a checkpoint of a step.
func stepped(step int64) Checkpoint {
	c, _ := (&walker{step: step}).Checkpoint()
	return c
}

// steps returns the steps of the files in order; -1 for one that cannot be read, and what else is in the folder.
func (r Rotation) steps(t *testing.T) (steps []int64, others []string) {
	t.Helper()
	entries, err := os.ReadDir(filepath.Dir(r.Path))
	if err != nil {
		t.Fatal(err)
	}
	names := map[string]bool{}
	for i := range 10 {
		names[filepath.Base(r.file(i))] = true
		if _, err := os.Stat(r.file(i)); err != nil {
			continue
		}
		c, err := Read(r.file(i))
		if err != nil {
			c.Step = -1
		}
		steps = append(steps, c.Step)
	}
	for _, e := range entries {
		if !names[e.Name()] {
			others = append(others, e.Name())
		}
	}
	return steps, others
}

func TestRotationKeepsTheNewest(t *testing.T) {
	for keep, want := range [][]int64{{5}, {5, 4}, {5, 4, 3}} {
		r := Rotation{Path: filepath.Join(t.TempDir(), "m.safetensors"), Keep: keep}
		if r.Exists() {
			t.Error("there before anything was written")
		}
		for step := int64(1); step <= 5; step++ {
			if err := r.Write(stepped(step)); err != nil {
				t.Fatal(err)
			}
		}
		steps, others := r.steps(t)
		if !equalSteps(steps, want) || len(others) > 0 || !r.Exists() {
			t.Errorf("keep %d: steps %v, want %v; also there: %v", keep, steps, want, others)
		}
	}
}

func equalSteps(a, b []int64) bool {
	if len(a) != len(b) {
		return false
	}
	for i := range a {
		if a[i] != b[i] {
			return false
		}
	}
	return true
}

// A process that dies on the way leaves a whole checkpoint wherever it stops.
func TestRotationStoppedAnywhere(t *testing.T) {
	r := Rotation{Path: filepath.Join(t.TempDir(), "m.safetensors"), Keep: 2}
	for step := int64(1); step <= 3; step++ {
		if err := r.Write(stepped(step)); err != nil {
			t.Fatal(err)
		}
	}
	// After the rotation, before the new one has its name.
	if err := r.rotate(); err != nil {
		t.Fatal(err)
	}
	if c, from, err := r.Read(); err != nil || c.Step != 3 || from != r.Path {
		t.Errorf("step %d from %s, %v", c.Step, from, err)
	}
	// The current one is missing, as on a file system without links, or damaged.
	if err := os.Truncate(r.Path, 0); err != nil { // one file under two names
		t.Fatal(err)
	}
	if c, from, err := r.Read(); err != nil || c.Step != 2 || from != r.file(2) {
		t.Errorf("step %d from %s, %v", c.Step, from, err)
	}
	if err := os.Remove(r.file(2)); err != nil {
		t.Fatal(err)
	}
	if _, _, err := r.Read(); err == nil || !strings.Contains(err.Error(), r.Path) {
		t.Errorf("nothing to read: %v", err)
	}
}

func TestSweepRemovesWhatAKilledProcessLeft(t *testing.T) {
	dir := t.TempDir()
	r := Rotation{Path: filepath.Join(dir, "m.safetensors"), Keep: 1}
	if err := r.Write(stepped(1)); err != nil {
		t.Fatal(err)
	}
	for _, name := range []string{".m.safetensors.123", ".m.safetensors.old", "m.safetensors.1", ".other.safetensors.9"} {
		if err := os.WriteFile(filepath.Join(dir, name), []byte("half a checkp"), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	if err := r.Sweep(); err != nil {
		t.Fatal(err)
	}
	for name, want := range map[string]bool{".m.safetensors.123": false, ".m.safetensors.old": true, "m.safetensors.1": true, ".other.safetensors.9": true, "m.safetensors": true} {
		if _, err := os.Stat(filepath.Join(dir, name)); (err == nil) != want {
			t.Errorf("%s: %v", name, err)
		}
	}
	if err := (Rotation{Path: filepath.Join(dir, "none", "m")}).Sweep(); err != nil {
		t.Errorf("a folder that is not there: %v", err)
	}
}
