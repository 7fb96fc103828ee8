package audio_test

import (
	"math"
	"slices"
	"testing"

	"wavemill/audio"
)

// Two channels that cancel are subtracted; all others are mixed as Mono mixes them.
func TestMixedDown(t *testing.T) {
	tone := func(i int, phase float64) float32 { return float32(0.5 * math.Sin(0.1*float64(i)+phase)) }
	for name, c := range map[string]struct {
		phase    float64 // of the right channel
		inverted bool
	}{"equal": {0, false}, "opposite": {math.Pi, true}, "nearly opposite": {3, true}, "a quarter apart": {math.Pi / 2, false}, "two thirds apart": {2.1, false}} {
		x := audio.Clip{Channels: 2, Rate: 8000, Label: "a", Source: "b"}
		for i := range 4000 {
			x.Samples = append(x.Samples, tone(i, 0), tone(i, c.phase))
		}
		got, inverted := x.MixedDown()
		if inverted != c.inverted || got.Channels != 1 || got.Frames() != x.Frames() || got.Label != "a" || got.Source != "b" {
			t.Errorf("%s: inverted %v, %d channels", name, inverted, got.Channels)
		}
		if !inverted && !slices.Equal(got.Samples, x.Mono().Samples) {
			t.Errorf("%s: not what Mono gives", name)
		}
		if level := got.RMS() / x.RMS(); level < 0.45 || level > 1.01 {
			t.Errorf("%s: %.2f of the level is left", name, level)
		}
	}
	for name, c := range map[string]audio.Clip{
		"silent": {Channels: 2, Rate: 8000, Samples: make([]float32, 20)}, "empty": {Channels: 2, Rate: 8000},
		"one channel": {Channels: 1, Rate: 8000, Samples: []float32{1, -1}}, "three": {Channels: 3, Rate: 8000, Samples: []float32{1, -1, 0}},
		"not a number": {Channels: 2, Rate: 8000, Samples: []float32{1, float32(math.NaN())}},
	} {
		if got, inverted := c.MixedDown(); inverted || got.Channels != 1 || got.Frames() != c.Frames() {
			t.Errorf("%s: %+v, inverted %v", name, got, inverted)
		}
	}
}
