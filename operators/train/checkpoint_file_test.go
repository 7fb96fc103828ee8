package train_test

import (
	"bytes"
	"os"
	"path/filepath"
	"testing"
)

// TestWritesCheckpointFiles: the file holds what the bus holds, and a folder that cannot be written does not stop the
// training.
func TestWritesCheckpointFiles(t *testing.T) {
	dir := t.TempDir()
	for name, folder := range map[string]string{"a folder": dir, "no folder": filepath.Join(dir, "none")} {
		m := newMill(t, t.TempDir(), quick)
		m.hooks.CheckpointDir = folder
		m.feed(dozen()...)
		_, stop := m.start()
		m.complete(1)
		entry, err := m.bus.Models().Get(t.Context(), "average")
		if err != nil {
			t.Fatal(err)
		}
		want, err := m.bus.Models().Load(t.Context(), entry)
		if err != nil {
			t.Fatal(err)
		}
		got, err := os.ReadFile(filepath.Join(folder, "average.safetensors"))
		if folder == dir && (err != nil || !bytes.Equal(got, want)) {
			t.Errorf("%s: %d bytes, %v; the bus holds %d bytes", name, len(got), err, len(want))
		}
		if folder != dir && !os.IsNotExist(err) {
			t.Errorf("%s: %v", name, err)
		}
		stop()
		m.close()
	}
}
