package sampling_test

import (
	"bytes"
	"errors"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"wavemill/audio/wav"
	"wavemill/models/sampling"
)

// TestRegenerate compares a generated file, an edited one, and files whose checkpoint is not there.
func TestRegenerate(t *testing.T) {
	c := learnedCheckpoint(t, "gan", 2)
	dir := t.TempDir()
	model, other := filepath.Join(dir, "m.safetensors"), filepath.Join(t.TempDir(), "other.safetensors")
	if err := c.Write(model); err != nil {
		t.Fatal(err)
	}
	s, err := sampling.Open(c)
	if err != nil {
		t.Fatal(err)
	}
	clip, err := s.Generate(t.Context(), sampling.Provenance{Label: s.Labels[0], Seed: 9, Temperature: 0.5})
	if err != nil {
		t.Fatal(err)
	}
	data, err := clip.WAV(wav.PCM24)
	if err != nil {
		t.Fatal(err)
	}
	write := func(name string, data []byte) string {
		path := filepath.Join(dir, name)
		if err := os.MkdirAll(filepath.Dir(path), 0o755); err != nil {
			t.Fatal(err)
		}
		if err := os.WriteFile(path, data, 0o600); err != nil {
			t.Fatal(err)
		}
		return path
	}
	edited := bytes.Clone(data)
	edited[bytes.Index(edited, []byte("data"))+8]++
	r := &sampling.Regenerator{}
	for path, same := range map[string]bool{write("a.wav", data): true, write("clips/a.wav", data): true, write("edited.wav", edited): false} {
		got, again, err := r.Regenerate(t.Context(), path)
		if err != nil || got.Same != same || !bytes.Equal(again, data) || got.File != path || got.Seed != 9 || got.Model != s.Digest || got.Label != s.Labels[0] {
			t.Errorf("%s: %+v (%v)", path, got, err)
		}
		if text := got.String(); strings.Contains(text, "the same bytes") != same || strings.Contains(text, got.Kernels+" kernels") == same {
			t.Errorf("%s", text)
		}
	}

	c.Step++ // another checkpoint
	if err := c.Write(other); err != nil {
		t.Fatal(err)
	}
	whole := filepath.Join(dir, "a.wav")
	if _, _, err := (&sampling.Regenerator{Model: model}).Regenerate(t.Context(), whole); err != nil {
		t.Error(err)
	}
	if _, _, err := (&sampling.Regenerator{Model: other}).Regenerate(t.Context(), whole); err == nil || !strings.Contains(err.Error(), "generated it; ") {
		t.Errorf("another checkpoint: %v", err)
	}
	if err := os.Remove(model); err != nil {
		t.Fatal(err)
	}
	if _, _, err := (&sampling.Regenerator{}).Regenerate(t.Context(), whole); !errors.Is(err, sampling.ErrNoCheckpoint) {
		t.Errorf("no checkpoint: %v", err)
	}
	if _, _, err := r.Regenerate(t.Context(), filepath.Join(dir, "absent.wav")); !errors.Is(err, os.ErrNotExist) {
		t.Errorf("an absent file: %v", err)
	}
}
