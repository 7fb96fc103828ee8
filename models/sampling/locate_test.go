package sampling_test

import (
	"os"
	"path/filepath"
	"strings"
	"testing"

	"wavemill/models/sampling"
)

func TestLocate(t *testing.T) {
	c := learnedCheckpoint(t, "gan", 2)
	digest, err := c.Digest()
	if err != nil {
		t.Fatal(err)
	}
	root := filepath.Join(t.TempDir(), "with [brackets]")
	clips, models := filepath.Join(root, "clips"), filepath.Join(root, "models")
	for _, dir := range []string{clips, models} {
		if err := os.MkdirAll(dir, 0o755); err != nil {
			t.Fatal(err)
		}
	}
	if err := os.WriteFile(filepath.Join(clips, "other.safetensors"), []byte("no checkpoint"), 0o600); err != nil {
		t.Fatal(err)
	}
	if _, err := sampling.Locate(digest, clips, models, clips); err == nil || !strings.Contains(err.Error(), digest[:12]) ||
		strings.Count(err.Error(), clips) != 1 || !strings.Contains(err.Error(), models) {
		t.Errorf("no checkpoint: error %v", err)
	}
	if err := c.Write(filepath.Join(models, "m.safetensors")); err != nil {
		t.Fatal(err)
	}
	s, err := sampling.Locate(digest, clips, filepath.Join(clips, "..", "models"))
	if err != nil || s.Digest != digest {
		t.Errorf("the checkpoint in the second folder: %v", err)
	}
	if _, err := sampling.Locate(strings.Repeat("0", 64), models); err == nil {
		t.Error("another digest: no error")
	}
}
