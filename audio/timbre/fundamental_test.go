package timbre_test

import (
	"math"
	"math/rand/v2"
	"testing"

	"wavemill/audio"
	"wavemill/audio/timbre"
)

// harmonic is a tone of several partials whose pitch moves by so many cents in its seconds.
func harmonic(hz, glide float64, rate int, seconds, noise float64) audio.Clip {
	rng := rand.New(rand.NewPCG(1, 2))
	c := audio.Clip{Channels: 1, Rate: rate, Samples: make([]float32, int(seconds*float64(rate)))}
	phase := 0.0
	for i := range c.Samples {
		phase += 2 * math.Pi * hz * math.Exp2(glide/1200*float64(i)/float64(len(c.Samples))) / float64(rate)
		v := noise * rng.NormFloat64()
		for k := 1.0; k < 6 && k*hz < float64(rate)/2.2; k++ {
			v += 0.3 / k * math.Sin(k*phase)
		}
		c.Samples[i] = float32(v)
	}
	return c
}

// TestFundamental: pitches are right within 3 cents at every rate and height, glides and noise are told.
func TestFundamental(t *testing.T) {
	for _, rate := range []int{8000, 22050, 44100} {
		for _, hz := range []float64{55, 110, 196, 261.63, 440, 987.8, 1500} {
			f := timbre.FundamentalOf(harmonic(hz, 0, rate, 0.4, 0.003))
			if math.Abs(timbre.Cents(hz, f.Hz)) > 3 || !f.Steady() {
				t.Errorf("%g Hz at %d Hz: %+v, %.1f cents off", hz, rate, f, timbre.Cents(hz, f.Hz))
			}
		}
	}
	if f := timbre.FundamentalOf(harmonic(200, 1200, 8000, 0.5, 0)); f.Steady() {
		t.Errorf("a glide over an octave is steady: %+v", f)
	}
	if f := timbre.FundamentalOf(harmonic(200, 0, 8000, 0.5, 1)); f.Steady() {
		t.Errorf("noise is steady: %+v", f)
	}
	for _, n := range []int{0, 1, 30, 300} {
		if f := timbre.FundamentalOf(audio.Clip{Samples: make([]float32, n), Channels: 1, Rate: 8000}); f != (timbre.Fundamental{}) {
			t.Errorf("silence of %d samples has the pitch %+v", n, f)
		}
	}
}
