package dataset

import (
	"errors"
	"os"
	"path/filepath"
	"testing"

	"wavemill/internal/allocation"
)

// FuzzShards opens a folder with any manifest beside any shard, and reads every entry that it accepts.
func FuzzShards(f *testing.F) {
	dir := f.TempDir()
	w, err := OpenShardWriter(dir, 3, 1<<20)
	if err != nil {
		f.Fatal(err)
	}
	for _, label := range []string{"a", "b"} {
		err := errors.Join(w.WriteRows(make([]byte, 4*6)), w.Commit(Entry{Label: label, Source: label + ".wav"}))
		if err != nil {
			f.Fatal(err)
		}
	}
	if err := w.Close(); err != nil {
		f.Fatal(err)
	}
	manifest, err := os.ReadFile(filepath.Join(dir, ManifestName))
	if err != nil {
		f.Fatal(err)
	}
	const name = "shard-00000.npy"
	shard, err := os.ReadFile(filepath.Join(dir, name))
	if err != nil {
		f.Fatal(err)
	}
	f.Add(manifest, shard)
	f.Add(manifest, shard[:len(shard)-1])
	f.Add(manifest[:len(manifest)/2], shard)
	f.Fuzz(func(t *testing.T, manifest, shard []byte) {
		dir := t.TempDir()
		for file, content := range map[string][]byte{ManifestName: manifest, name: shard} {
			if err := os.WriteFile(filepath.Join(dir, file), content, 0o600); err != nil {
				t.Fatal(err)
			}
		}
		var s *Shards
		var err error
		allocation.Check(t, len(manifest)+len(shard), 200, func() { s, err = OpenShards(dir) })
		if err != nil {
			return
		}
		for _, e := range s.Entries() {
			allocation.Check(t, len(shard), 20, func() {
				if rows, err := s.Read(e); err == nil && len(rows) != e.Frames*e.Bins {
					t.Errorf("%+v has %d values", e, len(rows))
				}
			})
		}
	})
}
