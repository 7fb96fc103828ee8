package sampling_test

import (
	"bytes"
	"errors"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"wavemill/audio/wav"
	"wavemill/models/sampling"
)

// TestSteps generates clips of a flow in several numbers of steps, one by one, together, and again from their files.
func TestSteps(t *testing.T) {
	c := learnedCheckpoint(t, "flow", 30)
	s, err := sampling.Open(c)
	if err != nil {
		t.Fatal(err)
	}
	like := encoded(t, s, 3, "kick")
	dir := t.TempDir()
	if err := c.Write(filepath.Join(dir, "m.safetensors")); err != nil {
		t.Fatal(err)
	}
	own := sampling.Provenance{Label: "chirp", Seed: 7}
	var ps []sampling.Provenance
	for _, steps := range []int{0, 1, 2, 4, 16} {
		ps = append(ps, own, sampling.Provenance{Label: "kick", Seed: 8, Like: like, Strength: 0.5}, sampling.Provenance{Label: "chirp", Seed: 9, Mix: &sampling.Mix{Label: "kick", Weight: 0.25}})
		for i := range 3 {
			ps[len(ps)-1-i].Steps = steps
		}
	}
	together, err := s.Sample(t.Context(), ps...)
	if err != nil {
		t.Fatal(err)
	}
	regenerator := &sampling.Regenerator{}
	for i, p := range ps {
		if !slices.Equal(together.Clip(i), spectrogram(t, s, p)) {
			t.Errorf("%d steps, seed %d: the clip differs when it is generated alone", p.Steps, p.Seed)
		}
		clip, err := s.Generate(t.Context(), p)
		if err != nil {
			t.Fatal(err)
		}
		file, err := clip.WAV(wav.PCM16)
		if err != nil {
			t.Fatal(err)
		}
		if got, _ := provenanceOf(t, file); got.Steps != p.Steps || clip.Provenance.Facts().Steps != p.Steps {
			t.Errorf("the file records %d steps, want %d", got.Steps, p.Steps)
		}
		path := filepath.Join(dir, "clip.wav")
		if err := os.WriteFile(path, file, 0o600); err != nil {
			t.Fatal(err)
		}
		if got, again, err := regenerator.Regenerate(t.Context(), path); err != nil || !got.Same || !bytes.Equal(again, file) {
			t.Errorf("%d steps, seed %d: %v, error %v", p.Steps, p.Seed, got, err)
		}
	}
	// The model's own number is 4, and another one gives another clip.
	for _, own := range ps[:3] {
		for _, steps := range []int{1, 4, 8} {
			p := own
			p.Steps = steps
			if same := slices.Equal(spectrogram(t, s, p), spectrogram(t, s, own)); same != (steps == 4) {
				t.Errorf("%d steps, seed %d: the same clip as by the model's own 4: %v", steps, p.Seed, same)
			}
		}
	}
}

func TestStepsRefused(t *testing.T) {
	if err := learned(t, "gan", 1).CheckSteps(4); !errors.Is(err, sampling.ErrNoSteps) {
		t.Errorf("steps of a GAN: %v", err)
	}
	s := learned(t, "flow", 1)
	for _, steps := range []int{3, 32, -1} {
		if err := s.CheckSteps(steps); err == nil {
			t.Errorf("%d steps of a flow: no error", steps)
		}
		if _, err := s.Generate(t.Context(), sampling.Provenance{Label: "chirp", Steps: steps}); err == nil || !strings.Contains(err.Error(), "steps") {
			t.Errorf("a clip in %d steps: %v", steps, err)
		}
	}
	if err := s.CheckSteps(0); err != nil {
		t.Error(err)
	}
	if err := (sampling.Plan{Labels: []string{"chirp"}, Steps: -1}).Validate(); err == nil {
		t.Error("a plan of -1 steps: no error")
	}
	kinds, err := sampling.Plan{Steps: 8}.Kinds([]string{"chirp", "kick"}, nil)
	if err != nil || kinds[0].Steps != 8 || kinds[1].At(3).Steps != 8 {
		t.Errorf("kinds of 8 steps: %+v, error %v", kinds, err)
	}
}
