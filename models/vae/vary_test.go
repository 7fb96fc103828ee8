package vae

import (
	"encoding/json"
	"math/rand/v2"
	"slices"
	"testing"

	"wavemill/audio/spectrogram"
	"wavemill/models"
)

func TestVary(t *testing.T) {
	x := blobs(6, 3, 1)
	rng := rand.New(rand.NewPCG(1, 1))
	if got := Vary(nil, x, x.F, false, 0, rng); !slices.Equal(got, x.Data) {
		t.Error("a strength of 0 changes clips")
	}
	y := make([]float32, x.T*x.F)
	vary(y, x.Clip(0), x.F, x.F, change{stretch: 1, shift: 2})
	if from, to := peak(x.Clip(0), x.F), peak(y, x.F); to != from+2 {
		t.Errorf("two bins higher: the peak goes from bin %d to %d", from, to)
	}
	vary(y, x.Clip(0), x.F, x.F, change{stretch: 2})
	loudest := func(clip []float32) int { return slices.Index(clip, slices.Max(clip)) / x.F }
	if from, to := loudest(x.Clip(0)), loudest(y); to < 2*from-1 || to > 2*from+1 {
		t.Errorf("twice as long: the peak goes from frame %d to %d", from, to)
	}
	for i, v := range Vary(nil, x, x.F, false, 3, rng) {
		if !(v >= silence && v <= 1.5) {
			t.Fatalf("value %d is %v", i, v)
		}
	}
}

// TestVaryLeavesMarks: bins that hold no levels stay in place.
func TestVaryLeavesMarks(t *testing.T) {
	x := blobs(6, 3, 1)
	y := Vary(nil, x, x.F-3, true, 1, rand.New(rand.NewPCG(1, 1)))
	for i := range y {
		if moved := y[i] != x.Data[i]; moved && i%x.F >= x.F-3 {
			t.Fatalf("bin %d of frame %d is %g, was %g", i%x.F, i/x.F%x.T, y[i], x.Data[i])
		}
	}
	if slices.Equal(y, x.Data) {
		t.Error("nothing is varied")
	}
}

// TestSuit: clips of the front end for one-shots are neither delayed nor textured, unless the configuration says so.
func TestSuit(t *testing.T) {
	fe := models.FrontEnd{Spectrogram: spectrogram.OneShot(44100)}
	for text, want := range map[string]string{`{}`: `{"shift":0,"texture":0}`, `{"shift":3}`: `{"shift":3,"texture":0}`} {
		if got, err := Suit(Arch, json.RawMessage(text), fe); err != nil || string(got) != want {
			t.Errorf("%s becomes %s (%v), want %s", text, got, err, want)
		}
	}
	if got, err := Suit("vaegan", nil, fe, "vae"); err != nil || string(got) != `{"vae":{"shift":0,"texture":0}}` {
		t.Errorf("within another architecture: %s, %v", got, err)
	}
	if got, err := Suit(Arch, nil, models.FrontEnd{Spectrogram: spectrogram.Default(8000)}); err != nil || got != nil {
		t.Errorf("a mel scale: %s, %v", got, err)
	}
}

// TestVariedClipsWidenThePrior trains on three clips a label with and without variations.
func TestVariedClipsWidenThePrior(t *testing.T) {
	few := blobs(9, 3, 1)
	components := func(config string) int {
		l := newLearner(t, config)
		c, err := (&models.Trainer{Steps: 3, BatchSize: 8, Seed: 3}).Run(t.Context(), l, few, models.Batch{})
		if err != nil {
			t.Fatal(err)
		}
		if _, err := NewLearner(json.RawMessage(config), smallFrontEnd(), c.Labels, 1); err != nil {
			t.Fatal(err)
		}
		p, err := openPrior(c, 3, 6)
		if err != nil {
			t.Fatal(err)
		}
		return len(p.labels[0].weight)
	}
	if n := components(small); n != 3 {
		t.Errorf("%d components of 3 clips", n)
	}
	if n := components(`{"channels":4,"latent":6,"embedding":4,"shift":2,"vary":1}`); n != 63 {
		t.Errorf("%d components of 3 varied clips", n)
	}
	if slices.Max(few.Data) != slices.Max(blobs(9, 3, 1).Data) {
		t.Error("the training data was changed")
	}
}
