package audio

import (
	"math"
	"math/rand/v2"
	"testing"
)

func TestBandwidth(t *testing.T) {
	rng := rand.New(rand.NewPCG(1, 1))
	noise := Clip{Samples: make([]float32, 40000), Channels: 1, Rate: 8000}
	for i := range noise.Samples {
		noise.Samples[i] = float32(0.1 * rng.NormFloat64())
	}
	wide, err := Resample(noise, 44100)
	if err != nil {
		t.Fatal(err)
	}
	tone := Clip{Samples: make([]float32, 30000), Channels: 1, Rate: 16000}
	for i := range tone.Samples {
		tone.Samples[i] = float32(math.Sin(2 * math.Pi * 1000 * float64(i) / 16000))
	}
	for name, c := range map[string]struct {
		clip   Clip
		lo, hi float64
	}{
		"noise":                {noise, 3950, 4000},
		"noise, resampled":     {wide, 3700, 4000},
		"tone of 1 kHz":        {tone, 1000, 1016},
		"short tone":           {Clip{Samples: tone.Samples[:500], Channels: 1, Rate: 16000}, 1000, 1250},
		"silence":              {Clip{Samples: make([]float32, 9000), Channels: 2, Rate: 8000}, 0, 0},
		"shorter than a block": {Clip{Samples: []float32{1, -1}, Channels: 1, Rate: 8000}, 0, 0},
	} {
		if got := Bandwidth(c.clip); got < c.lo || got > c.hi {
			t.Errorf("%s: %.0f Hz, want %.0f to %.0f", name, got, c.lo, c.hi)
		}
	}
}
