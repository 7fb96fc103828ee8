package trainings

import (
	"archive/zip"
	"bytes"
	"io/fs"
	"os"
	"path/filepath"
	"testing"

	"wavemill/internal/allocation"
)

// FuzzUnpack shows anything in the place of a zip: nothing is written outside of the upload's folder, and nothing stays of what
// was refused half-way but whole files.
func FuzzUnpack(f *testing.F) {
	for _, names := range [][]string{{"a/b.wav"}, {"../x.wav"}, {"a.wav", "a.wav/b.wav"}, {"/x.wav"}, {`c:\x.wav`}, {"labels.csv", ".hidden/x.wav"}} {
		var b bytes.Buffer
		z := zip.NewWriter(&b)
		for _, name := range names {
			w, err := z.Create(name)
			if err != nil {
				f.Fatal(err)
			}
			if _, err := w.Write(make([]byte, 500)); err != nil {
				f.Fatal(err)
			}
		}
		if err := z.Close(); err != nil {
			f.Fatal(err)
		}
		f.Add(b.Bytes())
	}
	f.Fuzz(func(t *testing.T, content []byte) {
		dir := t.TempDir()
		m := &Manager{o: Options{Dir: dir}}
		u := &upload{ID: newID()}
		if err := os.MkdirAll(m.uploadDir(u.ID), 0o755); err != nil {
			t.Fatal(err)
		}
		root, err := os.OpenRoot(m.uploadDir(u.ID))
		if err != nil {
			t.Fatal(err)
		}
		// The files are not held in memory; an entry of the directory is at least 46 bytes.
		allocation.Check(t, len(content), 200, func() { _ = m.unpack(u, root, bytes.NewReader(content)) }) // an error is as good as none
		if err := root.Close(); err != nil {
			t.Fatal(err)
		}
		files := 0
		if err := filepath.WalkDir(dir, func(path string, d fs.DirEntry, err error) error {
			if err == nil && !d.IsDir() {
				files++
				if below, err := filepath.Rel(m.uploadDir(u.ID), path); err != nil || !filepath.IsLocal(below) {
					t.Errorf("%s was left outside of the upload", path)
				}
			}
			return err
		}); err != nil {
			t.Fatal(err)
		}
		if files > u.Files {
			t.Errorf("%d files, %d counted", files, u.Files)
		}
	})
}
