package eval

import (
	"math"
	"slices"
	"strings"
	"testing"

	"wavemill/audio"
	"wavemill/audio/synth"
)

// TestRareLabelsAreNotRejected: a reliable classifier rejects a foreign sound under every label, but under a label of five
// recordings only where it is asked to.
func TestRareLabelsAreNotRejected(t *testing.T) {
	var clips []audio.Clip
	for class, n := range map[string]uint64{"kick": rareClips, "hihat": rareClips, "bell": 5} {
		for seed := range n {
			c, err := synth.Clip(class, seed, 8000)
			if err != nil {
				t.Fatal(err)
			}
			clips = append(clips, c)
		}
	}
	slices.SortStableFunc(clips, func(a, b audio.Clip) int { return int(a.Label[0]) - int(b.Label[0]) })
	c, err := Train(t.Context(), clips, Options{Seed: 1, Epochs: 1})
	if err != nil {
		t.Fatal(err)
	}
	c.heldOut = HeldOut{Clips: reliableClips, Accuracy: 1}
	strict, err := NewFilter(t.Context(), c, clips, 0.9999)
	if err != nil {
		t.Fatal(err)
	}
	if want := []string{"bell"}; !slices.Equal(strict.Rare(), want) {
		t.Fatalf("rare labels %v, want %v", strict.Rare(), want)
	}
	cp, err := strict.Checkpoint()
	if err != nil {
		t.Fatal(err)
	}
	opened, err := OpenFilter(cp)
	if err != nil {
		t.Fatal(err)
	}
	if opened, err = opened.Within(Limits{Confidence: 0.9999}); err != nil {
		t.Fatal(err)
	}
	foreign := func(label string) audio.Clip {
		x := make([]float32, 4000)
		for i := range x {
			x[i] = float32(math.Sin(float64(i*i) / 9e4))
		}
		return audio.Clip{Samples: x, Channels: 1, Rate: 8000, Label: label}
	}
	for name, f := range map[string]*Filter{"new": strict, "opened": opened} {
		for _, label := range []string{"bell", "kick"} {
			for _, lenient := range []bool{false, true} {
				g := f
				if lenient {
					g = f.WithReliableLabels()
				}
				r, err := g.Check(t.Context(), []audio.Clip{foreign(label)})
				if want := lenient && label == "bell"; err != nil || r[0].OK != want {
					t.Errorf("%s filter, %s, by reliable labels only %t: %+v, %v", name, label, lenient, r, err)
				}
			}
		}
		mixed, err := f.WithReliableLabels().CheckFor(t.Context(), []audio.Clip{foreign("kick")}, []Condition{{"kick", "bell", 0.5}})
		if err != nil || !mixed[0].OK {
			t.Errorf("%s filter, a mixture with a rare label: %+v, %v", name, mixed, err)
		}
	}
}

// Unreliable gives the reason that applies: too few recordings, whatever the accuracy on them, or the accuracy.
func TestUnreliable(t *testing.T) {
	for want, h := range map[string]HeldOut{
		"":                           {Clips: reliableClips, Accuracy: Gate},
		"tested on 6 other":          {Clips: 6, Accuracy: 1},
		"counts from 50 on":          {Clips: 49, Accuracy: 0.5},
		"on 80 other recordings is ": {Clips: 80, Accuracy: 0.5},
		"97 % are needed":            {Clips: 50, Accuracy: Gate - 0.01},
	} {
		c := &Classifier{heldOut: h}
		if got := c.Unreliable(); !strings.Contains(got, want) || (got == "") != c.Reliable() {
			t.Errorf("%+v: %q, want %q", h, got, want)
		}
	}
}
