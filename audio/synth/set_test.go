package synth_test

import (
	"bytes"
	"context"
	"errors"
	"io/fs"
	"os"
	"path/filepath"
	"testing"

	"wavemill/audio/synth"
	"wavemill/audio/wav"
)

// files returns the content of all files below dir, by path.
func files(t *testing.T, dir string) map[string][]byte {
	t.Helper()
	all := map[string][]byte{}
	root := os.DirFS(dir)
	err := fs.WalkDir(root, ".", func(name string, d fs.DirEntry, err error) error {
		if err != nil || d.IsDir() {
			return err
		}
		all[name], err = fs.ReadFile(root, name)
		return err
	})
	if err != nil {
		t.Fatal(err)
	}
	return all
}

// TestSetWrite: the same set gives the same bytes, and a smaller one is a part of it.
func TestSetWrite(t *testing.T) {
	write := func(s synth.Set) map[string][]byte {
		dir, called := t.TempDir(), 0
		if err := s.Write(t.Context(), dir, func() { called++ }); err != nil {
			t.Fatal(err)
		}
		all := files(t, dir)
		if len(all) != s.Len() || called != s.Len() {
			t.Errorf("%d files and %d calls for %d clips", len(all), called, s.Len())
		}
		return all
	}
	two := write(synth.Set{PerClass: 2, Seed: 9, Rate: 8000})
	one := write(synth.Set{PerClass: 1, Seed: 9, Rate: 8000})
	other := write(synth.Set{PerClass: 1, Seed: 10, Rate: 8000})
	for name, content := range one {
		if !bytes.Equal(content, two[name]) {
			t.Errorf("%s depends on the number of clips", name)
		}
		if bytes.Equal(content, other[name]) {
			t.Errorf("%s does not depend on the seed", name)
		}
	}
	for _, class := range synth.Classes() {
		clip, _, err := wav.Decode(two[class+"/"+class+"_01.wav"])
		if err != nil || clip.Rate != 8000 || clip.Channels != 1 || clip.Peak() < 0.4 {
			t.Errorf("%s: %d Hz, %d channels, peak %.2f, %v", class, clip.Rate, clip.Channels, clip.Peak(), err)
		}
	}
}

func TestSetWriteFails(t *testing.T) {
	file := filepath.Join(t.TempDir(), "file")
	if err := os.WriteFile(file, nil, 0o600); err != nil {
		t.Fatal(err)
	}
	set := synth.Set{PerClass: 1, Rate: 8000}
	if err := set.Write(t.Context(), file, nil); err == nil {
		t.Error("a file in place of the folder is no error")
	}
	if err := (synth.Set{PerClass: 1, Rate: 1}).Write(t.Context(), t.TempDir(), nil); err == nil {
		t.Error("1 Hz is no error")
	}
	ctx, cancel := context.WithCancel(t.Context())
	set.PerClass = 10
	dir := t.TempDir()
	if err := set.Write(ctx, dir, cancel); !errors.Is(err, context.Canceled) || len(files(t, dir)) != 1 {
		t.Errorf("cancelled after the first file: %v, %d files", err, len(files(t, dir)))
	}
	if n := (synth.Set{PerClass: -1}).Len(); n != 0 {
		t.Errorf("length %d", n)
	}
}
