package eval

import (
	"context"
	"os"
	"path/filepath"
	"testing"

	"wavemill/audio"
	"wavemill/audio/codec"
	"wavemill/audio/dataset"
)

// fsdd returns the recordings beside the repository, at most perLabel of each label (0: all), or skips.
func fsdd(t testing.TB, perLabel int) []audio.Clip {
	t.Helper()
	dir, err := filepath.Abs("../../../shared/data/fsdd")
	if err != nil {
		t.Fatal(err)
	}
	if _, err := os.Stat(dir); err != nil {
		t.Skipf("the recordings are not there: %v", err)
	}
	d, err := dataset.Scan(context.Background(), []string{dir}, dataset.Options{})
	if err != nil {
		t.Fatal(err)
	}
	var clips []audio.Clip
	count := map[string]int{}
	for _, it := range d.Items {
		if count[it.Label]++; perLabel > 0 && count[it.Label] > perLabel {
			continue
		}
		c, _, err := codec.DecodeFile(context.Background(), it.Path)
		if err != nil {
			t.Fatal(err)
		}
		c.Label = it.Label
		clips = append(clips, c)
	}
	return clips
}

func TestTrainOnRecordings(t *testing.T) {
	clips := fsdd(t, 0)
	c, err := Train(t.Context(), clips, Options{Seed: 1, OnProgress: func(p Progress) { t.Log(p) }})
	if err != nil {
		t.Fatal(err)
	}
	t.Logf("held-out accuracy %.3f of %d clips", c.HeldOutAccuracy(), c.HeldOut().Clips)
	if c.HeldOutAccuracy() < 0.5 {
		t.Errorf("held-out accuracy %.3f", c.HeldOutAccuracy())
	}
	cp, err := c.Checkpoint()
	if err != nil {
		t.Fatal(err)
	}
	again, err := Open(cp)
	if err != nil {
		t.Fatal(err)
	}
	a, err := c.Predict(t.Context(), clips[:5])
	if err != nil {
		t.Fatal(err)
	}
	b, err := again.Predict(t.Context(), clips[:5])
	if err != nil {
		t.Fatal(err)
	}
	for i := range a.Probs {
		for j := range a.Probs[i] {
			if a.Probs[i][j] != b.Probs[i][j] {
				t.Fatalf("clip %d: %v, opened again %v", i, a.Probs[i], b.Probs[i])
			}
		}
	}
}
