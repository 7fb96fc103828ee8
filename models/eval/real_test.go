package eval_test

import (
	"os"
	"path/filepath"
	"slices"
	"testing"

	"wavemill/audio"
	"wavemill/audio/codec"
	"wavemill/audio/dataset"
	"wavemill/internal/oracle"
	"wavemill/models/eval"
)

// spokenDigits returns the recordings beside the repository, one in each so many of every label held out, or skips.
func spokenDigits(t testing.TB, every int) (train, heldOut []audio.Clip) {
	t.Helper()
	dir := "../../../shared/data/fsdd"
	if _, err := os.Stat(dir); err != nil {
		oracle.Missing(t, "the recordings are not beside the repository: %v", err)
	}
	dir, err := filepath.Abs(dir)
	if err != nil {
		t.Fatal(err)
	}
	set, err := dataset.Scan(t.Context(), []string{dir}, dataset.Options{})
	if err != nil {
		t.Fatal(err)
	}
	count := map[string]int{}
	for _, it := range set.Items {
		c, _, err := codec.DecodeFile(t.Context(), it.Path)
		if err != nil {
			t.Fatal(err)
		}
		c.Label = it.Label
		if count[it.Label]++; count[it.Label]%every == 0 {
			heldOut = append(heldOut, c)
		} else {
			train = append(train, c)
		}
	}
	return train, heldOut
}

// The judge is good enough to judge with: on three digits that it confuses easily or, where WAVEMILL_WHOLE is set (make test-whole), on
// all ten.
func TestClassifierOnSpokenDigits(t *testing.T) {
	if testing.Short() {
		t.Skip("trains for some seconds")
	}
	train, heldOut := spokenDigits(t, 10)
	if os.Getenv("WAVEMILL_WHOLE") == "" {
		others := func(c audio.Clip) bool { return !slices.Contains([]string{"2", "3", "8"}, c.Label) }
		train, heldOut = slices.DeleteFunc(train, others), slices.DeleteFunc(heldOut, others)
	}
	c, err := eval.Train(t.Context(), train, eval.Options{Seed: 1, Epochs: 12})
	if err != nil {
		t.Fatal(err)
	}
	a := accuracy(t, c, heldOut)
	t.Logf("%.4f of %d held-out recordings named rightly; validation %+v", a, len(heldOut), c.HeldOut())
	if a < eval.Gate {
		t.Errorf("%.4f of %d held-out recordings named rightly, want %.2f", a, len(heldOut), eval.Gate)
	}
}
