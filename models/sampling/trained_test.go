package sampling_test

import (
	"errors"
	"fmt"
	"math"
	"os"
	"testing"

	"wavemill/audio"
	"wavemill/audio/timbre"
	"wavemill/models"
	"wavemill/models/sampling"
)

// trainedModel is the environment variable with the checkpoint that TestShapesOfATrainedModel measures.
const trainedModel = "WAVEMILL_SHAPES_OF"

// TestShapesOfATrainedModel measures long clips, loops and pitches of a checkpoint whose sounds are held, and writes a line of the
// table of docs/generating.md for each label: the length that was asked for, the flux at the seams and at the wrap against the
// 95th percentile of the rest, and how far pitches are off. What a label cannot have must be refused as unreachable.
func TestShapesOfATrainedModel(t *testing.T) {
	file := os.Getenv(trainedModel)
	if file == "" {
		t.Skip(trainedModel + " names no checkpoint")
	}
	c, err := models.Read(file)
	if err != nil {
		t.Fatal(err)
	}
	s, err := sampling.Open(c)
	if err != nil {
		t.Fatal(err)
	}
	fmt.Println("| label | 8 s | flux at the seams, dB | 95th percentile of the rest | loop of 4 s | flux at the wrap, dB | 95th percentile of the rest | pitch |")
	fmt.Println("|---|---|---|---|---|---|---|---|")
	for _, label := range s.Labels {
		fmt.Printf("| %s | %s | %s | %s |\n", label, longOf(t, s, label), loopOf(t, s, label), pitchOf(t, s, label))
	}
}

// firstOf is the clip of the first seed that can have a shape, or the error of the last one.
func firstOf(t *testing.T, s *sampling.Sampler, label string, shape sampling.Shape, seeds uint64) (sampling.Clip, sampling.Provenance, error) {
	t.Helper()
	var clip sampling.Clip
	var err error
	p := sampling.Provenance{Label: label, Shape: shape}
	for p.Seed = 1; p.Seed <= seeds; p.Seed++ {
		if clip, err = s.Generate(t.Context(), p); err == nil {
			return clip, p, nil
		}
		if !errors.Is(err, sampling.ErrUnreachable) {
			t.Fatalf("%s, seed %d: %v", label, p.Seed, err)
		}
	}
	return clip, p, err
}

// mixed are the samples of a clip in one channel.
func mixed(c audio.Clip) []float32 {
	mono, _ := c.MixedDown()
	return mono.Samples
}

func longOf(t *testing.T, s *sampling.Sampler, label string) string {
	t.Helper()
	c, p, err := firstOf(t, s, label, sampling.Shape{Duration: 8}, 5)
	if err != nil {
		return "refused: it is struck | – | –"
	}
	if c.Audio.Frames() != 8*c.Audio.Rate {
		t.Errorf("%s: %d frames", label, c.Audio.Frames())
	}
	seams, fade, err := s.Seams(t.Context(), p)
	if err != nil {
		t.Fatal(err)
	}
	x, rate := mixed(c.Audio), c.Audio.Rate
	change, at := flux(x[:len(x)*9/10], rate)
	seam, interior := near(change[25:], at[25:], seams, fade/2)
	got, limit := valueAt(seam, 0.5), valueAt(interior, 0.95)
	if got > limit {
		t.Errorf("%s: %.2f dB at the seams, %.2f", label, got, limit)
	}
	return fmt.Sprintf("%.3f s, %d seams | %.2f | %.2f", c.Audio.Duration().Seconds(), len(seams), got, limit)
}

func loopOf(t *testing.T, s *sampling.Sampler, label string) string {
	t.Helper()
	c, _, err := firstOf(t, s, label, sampling.Shape{Duration: 4, Loop: true}, 5)
	if err != nil {
		return "refused | – | –"
	}
	if d := c.Audio.Duration().Seconds(); math.Abs(d-4) > 0.02 {
		t.Errorf("%s: %g s", label, d)
	}
	x, rate := mixed(c.Audio), c.Audio.Rate
	change, at := flux(append(append([]float32{}, x...), x...), rate)
	wrapped, interior := near(change, at, []int{len(x) + rate/40}, rate/30)
	got, limit := valueAt(wrapped, 0.5), valueAt(interior, 0.95)
	if got > limit {
		t.Errorf("%s: %.2f dB at the wrap, %.2f", label, got, limit)
	}
	return fmt.Sprintf("%.3f s | %.2f | %.2f", c.Audio.Duration().Seconds(), got, limit)
}

// pitchOf asks for a fifth above the clip's own pitch.
func pitchOf(t *testing.T, s *sampling.Sampler, label string) string {
	t.Helper()
	for seed := range uint64(20) {
		c, err := s.Generate(t.Context(), sampling.Provenance{Label: label, Seed: seed})
		if err != nil {
			t.Fatal(err)
		}
		f := timbre.FundamentalOf(c.Audio.Mono())
		if !f.Steady() {
			continue
		}
		hz := 1.5 * f.Hz
		c, err = s.Generate(t.Context(), sampling.Provenance{Label: label, Seed: seed, Shape: sampling.Shape{Pitch: hz}})
		if errors.Is(err, sampling.ErrUnreachable) {
			continue
		}
		if err != nil {
			t.Fatal(err)
		}
		facts := c.Facts()
		if facts.Cents == nil || math.Abs(*facts.Cents) > 10 {
			t.Errorf("%s: %+v for %.1f Hz", label, facts, hz)
			continue
		}
		return fmt.Sprintf("%.1f Hz: %.0f cents off", hz, math.Abs(*facts.Cents))
	}
	return "refused: none of 20 seeds has a steady one"
}
