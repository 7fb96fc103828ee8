package eval

import (
	"math"
	"math/rand/v2"
	"testing"

	"wavemill/audio"
	"wavemill/audio/spectrogram"
	"wavemill/models"
)

// oneShots returns eight decaying bursts of noise with two labels, for which the front end of one-shots is planned.
func oneShots() (clips []audio.Clip) {
	for seed := range uint64(8) {
		rng := rand.New(rand.NewPCG(seed, 0))
		c := audio.Clip{Label: []string{"burst", "crack"}[seed%2], Channels: 1, Rate: 44100, Samples: make([]float32, 60000)}
		for i := range c.Samples {
			c.Samples[i] = float32(0.2 * math.Exp(-float64(i)/8000) * rng.NormFloat64())
		}
		clips = append(clips, c)
	}
	return clips
}

// TestTrainTunedOnOneShots: the classifier with tuned augmentation sees half the bins of the grid of one-shots, too.
func TestTrainTunedOnOneShots(t *testing.T) {
	clips := oneShots()
	c, _, err := TrainTuned(t.Context(), clips, TunedOptions{Seed: 1, Steps: 6, Policies: Policies()[:1]})
	if err != nil {
		t.Fatal(err)
	}
	if fe := c.model.front.Config(); fe.Spectrogram.Scale != spectrogram.ScaleOneShot || fe.Spectrogram.Bins() != 32 {
		t.Errorf("it sees %d bins of %+v", fe.Spectrogram.Bins(), fe)
	}
	if p, err := c.Predict(t.Context(), clips); err != nil || len(p.Labels()) != len(clips) {
		t.Errorf("%d predictions of %d clips, %v", len(p.Labels()), len(clips), err)
	}
}

// TestClassifierHearsNoMarks: a classifier of one-shots gets a grid of few frames, and neither level nor length as such.
func TestClassifierHearsNoMarks(t *testing.T) {
	clips := oneShots()
	s, err := newFront(clips)
	if err != nil {
		t.Fatal(err)
	}
	c := s.front.Config()
	if c.Spectrogram.Scale != spectrogram.ScaleOneShot || c.Frames > oneShotFrames || s.front.Duration().Seconds() < 1 {
		t.Fatalf("the front end is %+v", c)
	}
	b, err := s.batch(t.Context(), clips)
	if err != nil {
		t.Fatal(err)
	}
	marks, levels := map[float32]int{}, map[float32]int{}
	for i, v := range b.Data {
		if i%b.F >= b.F-c.Spectrogram.Marks() {
			marks[v]++
		} else {
			levels[v]++
		}
	}
	if len(marks) != 1 || marks[silence] == 0 || len(levels) < 1000 {
		t.Errorf("%d values of marks, %d of levels", len(marks), len(levels))
	}
}

// TestRoundTripKeepsMarks: a round trip is through the whole front end.
func TestRoundTripKeepsMarks(t *testing.T) {
	c := audio.Clip{Label: "burst", Channels: 1, Rate: 44100, Samples: make([]float32, 30000)}
	rng := rand.New(rand.NewPCG(1, 0))
	for i := range c.Samples {
		c.Samples[i] = float32(0.1 * math.Exp(-float64(i)/5000) * rng.NormFloat64())
	}
	fe := models.FrontEnd{Spectrogram: spectrogram.OneShot(44100), Frames: 96, TrimDB: -60}
	back, err := RoundTrip(t.Context(), fe, []audio.Clip{c}, 1)
	if err != nil {
		t.Fatal(err)
	}
	if r := back[0].Peak() / c.Peak(); math.Abs(r-1) > 0.02 {
		t.Errorf("the peak comes back %.3f times as high", r)
	}
}
