package endtoend_test

import (
	"encoding/json"
	"fmt"
	"math"
	"math/rand/v2"
	"slices"
	"strings"
	"testing"

	"wavemill/audio"
	"wavemill/audio/dataset"
	"wavemill/audio/fingerprint"
	"wavemill/audio/stereo"
	"wavemill/audio/wav"
	"wavemill/models/export"
	"wavemill/models/frontend"
	"wavemill/models/sampling"
	"wavemill/models/training"
)

// panned returns n tones of each label. Left and right differ by nothing but their panning, 12 dB either way; the channels of
// middle are equal.
func panned(n int, labels ...string) []dataset.Recording {
	rng := rand.New(rand.NewPCG(3, 4))
	var out []dataset.Recording
	for i := range n {
		for _, label := range labels {
			gain := map[string][2]float64{"left": {1, 0.25}, "right": {0.25, 1}, "middle": {1, 1}}[label]
			hz, phase := 250+500*rng.Float64(), 6*rng.Float64()
			clip := audio.Clip{Channels: 2, Rate: 8000, Label: label, Source: fmt.Sprintf("%s/%03d.wav", label, i)}
			for k := range 2000 {
				v := 0.4 * math.Exp(-float64(k)/1000) * (math.Sin(2*math.Pi*hz*float64(k)/8000+phase) + 0.1*rng.NormFloat64())
				clip.Samples = append(clip.Samples, float32(gain[0]*v), float32(gain[1]*v))
			}
			out = append(out, dataset.Recording{
				Item: dataset.Item{Path: clip.Source, Name: clip.Source, Label: label}, Clip: clip,
				Digest: fingerprint.Digest(clip), Print: fingerprint.Of(clip),
			})
		}
	}
	slices.SortFunc(out, func(a, b dataset.Recording) int { return strings.Compare(a.Name, b.Name) })
	return out
}

// TestPanning takes labels that differ by panning alone through training to clips: each comes back on its side, and within
// 1 dB of where it was.
func TestPanning(t *testing.T) {
	of := panned(40, "left", "right")
	set := prepare(t, of, nil)
	if set.FrontEnd.Spectrogram.Channels != 2 {
		t.Fatalf("front end %+v: one channel", set.FrontEnd)
	}
	small := json.RawMessage(`{"channels":4,"latent":8,"embedding":4,"kl_weight":1}`)
	c, _ := run(t, training.Job{Arch: "vae", Config: small, Seed: 5, Steps: 250, BatchSize: 8, EvalEvery: 250}, set)
	s, err := sampling.Open(c)
	if err != nil {
		t.Fatal(err)
	}
	for label, want := range map[string]float64{"left": -10 * math.Log10(16), "right": 10 * math.Log10(16)} {
		var pans []float64
		for seed := range uint64(12) {
			clip, err := s.Generate(t.Context(), sampling.Provenance{Label: label, Seed: seed})
			if err != nil {
				t.Fatal(err)
			}
			file, err := clip.WAV(wav.PCM16)
			if err != nil {
				t.Fatal(err)
			}
			again, err := s.Generate(t.Context(), sampling.Provenance{Label: label, Seed: seed})
			if other, _ := again.WAV(wav.PCM16); err != nil || !slices.Equal(file, other) {
				t.Fatalf("%s, seed %d: another file the second time; error %v", label, seed, err)
			}
			back, header, err := wav.Decode(file)
			if err != nil || header.Channels != 2 || back.Channels != 2 {
				t.Fatalf("%s: a file of %d channels, error %v", label, header.Channels, err)
			}
			p := stereo.PlaceOf(back)
			if p.Pan*want < 0 {
				t.Errorf("%s, seed %d: pan %+.1f dB", label, seed, p.Pan)
			}
			pans = append(pans, p.Pan)
		}
		slices.Sort(pans)
		if middle := pans[len(pans)/2]; math.Abs(middle-want) > 1 {
			t.Errorf("%s: pan %+.2f dB in the median, want %+.2f", label, middle, want)
		}
	}
	t.Run("facts", func(t *testing.T) {
		f, err := training.Describe("m", c)
		if err != nil || f.Channels != 2 || !strings.Contains(f.String(), "channels    2") {
			t.Errorf("%v, error %v", f, err)
		}
	})
	t.Run("export", func(t *testing.T) {
		if files, err := export.Files(c, export.Options{}); err != nil || len(files) == 0 {
			t.Errorf("%d files, error %v", len(files), err)
		}
	})
}

// TestEqualChannels takes recordings with equal channels, beside others that are panned, through a short training to files: the
// channels of their clips are equal, sample for sample, and those of the others are not.
func TestEqualChannels(t *testing.T) {
	set := prepare(t, panned(20, "left", "middle"), nil)
	small := json.RawMessage(`{"channels":4,"latent":8,"embedding":4,"kl_weight":1}`)
	c, _ := run(t, training.Job{Arch: "vae", Config: small, Seed: 5, Steps: 40, BatchSize: 8, EvalEvery: 40}, set)
	s, err := sampling.Open(c)
	if err != nil {
		t.Fatal(err)
	}
	for label, equal := range map[string]bool{"left": false, "middle": true} {
		for seed := range uint64(6) {
			clip, err := s.Generate(t.Context(), sampling.Provenance{Label: label, Seed: seed})
			if err != nil {
				t.Fatal(err)
			}
			back, err := clip.Decoded()
			if err != nil || back.Channels != 2 {
				t.Fatalf("%d channels, error %v", back.Channels, err)
			}
			if left, right := back.Channel(0).Samples, back.Channel(1).Samples; slices.Equal(left, right) != equal {
				t.Errorf("%s, seed %d: the channels are equal: %v; %+v", label, seed, !equal, stereo.PlaceOf(back))
			}
		}
	}
}

// TestPanningIsHeard: the classifier of the ceiling tells labels that differ by panning apart, before and after the round
// trip.
func TestPanningIsHeard(t *testing.T) {
	of := panned(80, "left", "right")
	p, err := training.MakePlan(t.Context(), frontend.PlanFor(dataset.Clips(of)), of, training.PlanOptions{Ceiling: true, Classifier: -1})
	if err != nil || p.Ceiling.Classifier == nil {
		t.Fatalf("%+v, error %v", p.Ceiling, err)
	}
	text := p.String()
	l := p.Ceiling.Classifier
	if p.Channels != 2 || l.Real < 0.9 || l.RoundTrip < 0.9 || strings.Contains(text, "cannot tell") || !strings.Contains(text, "channels  2: 160 of 160") {
		t.Errorf("%+v\n%s", l, text)
	}
}
