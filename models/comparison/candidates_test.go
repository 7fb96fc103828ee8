package comparison_test

import (
	"path/filepath"
	"strings"
	"testing"

	"wavemill/models/comparison"
)

func TestCandidates(t *testing.T) {
	got, err := comparison.Candidates([]string{"vae", "gan", "vae"}, "out")
	if err != nil {
		t.Fatal(err)
	}
	want := []comparison.Candidate{
		{Name: "vae", Arch: "vae", File: filepath.Join("out", "vae.safetensors")},
		{Name: "gan", Arch: "gan", File: filepath.Join("out", "gan.safetensors")},
		{Name: "vae 2", Arch: "vae", File: filepath.Join("out", "vae-2.safetensors")},
	}
	for i, c := range got {
		if c.Name != want[i].Name || c.Arch != want[i].Arch || c.File != want[i].File {
			t.Errorf("candidate %d is %s (%s) in %s, want %s in %s", i, c.Name, c.Arch, c.File, want[i].Name, want[i].File)
		}
	}
	if len(comparison.Checkpoints(got)) != 0 {
		t.Error("a model that is to be trained has a checkpoint")
	}
	missing := filepath.Join(t.TempDir(), "old model.safetensors")
	if _, err := comparison.Candidates([]string{"vae", missing}, "out"); err == nil || !strings.Contains(err.Error(), "old model") {
		t.Errorf("a checkpoint that does not exist: %v", err)
	}
}
