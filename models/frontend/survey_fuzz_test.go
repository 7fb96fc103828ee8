package frontend

import (
	"math"
	"math/rand/v2"
	"testing"

	"wavemill/audio"
)

// FuzzSurvey plans a front end for two clips of any rate, length and content: each is usable or refused, and a plan for what is
// usable is one that can be built.
func FuzzSurvey(f *testing.F) {
	f.Add(8000, 4000, 1, 0.5, uint64(1))
	f.Add(1, 4000, 1, 0.5, uint64(2))
	f.Add(768000, 1, 2, 1e29, uint64(3))
	f.Add(500, 20000, 2, 0.0, uint64(4))
	f.Add(44100, 9, 6, math.Inf(1), uint64(5))
	f.Fuzz(func(t *testing.T, rate, length, channels int, level float64, seed uint64) {
		if length < 0 || length > 1<<15 || channels < 1 || channels > 8 {
			return
		}
		rng := rand.New(rand.NewPCG(seed, 1))
		odd := audio.Clip{Samples: make([]float32, length*channels), Channels: channels, Rate: rate}
		for i := range odd.Samples {
			odd.Samples[i] = float32(level * (2*rng.Float64() - 1))
		}
		plain := audio.Clip{Samples: make([]float32, 4000), Channels: 1, Rate: 8000}
		for i := range plain.Samples {
			plain.Samples[i] = float32(0.5 * math.Sin(float64(i)/5))
		}
		clips := []audio.Clip{plain}
		if Usable(odd) == nil {
			clips = append(clips, odd)
		}
		fe := PlanFor(clips)
		if _, err := New(fe); err != nil {
			t.Errorf("%d Hz, %d frames of %d channels at %g: %+v: %v", rate, length, channels, level, fe, err)
		}
	})
}
