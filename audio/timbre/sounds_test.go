package timbre_test

import (
	"math"
	"math/rand/v2"

	"wavemill/audio"
)

const rate = 44100

func noise(seed uint64) *rand.Rand { return rand.New(rand.NewPCG(seed, 1)) }

// sound makes a clip of so many seconds from a function of the time.
func sound(seconds float64, at func(t float64) float64) audio.Clip {
	x := make([]float32, int(seconds*rate))
	for i := range x {
		x[i] = float32(at(float64(i) / rate))
	}
	return audio.Clip{Samples: x, Channels: 1, Rate: rate}
}

// drum is a tone that falls to hz in its first 20 ms and decays, with a little noise.
func drum(hz, seconds float64, r *rand.Rand) audio.Clip {
	return sound(seconds+0.1, func(t float64) float64 {
		phase := 2 * math.Pi * (hz*t - hz*0.02*math.Exp(-t/0.02))
		rise := min(1, t/0.003)
		return 0.8 * rise * (math.Exp(-6.9*t/seconds)*math.Sin(phase) + 0.02*math.Exp(-t/0.05)*r.NormFloat64())
	})
}

// hiss is noise that decays by 60 dB in decay seconds, with an amplitude modulation at the hop rate of a given depth.
func hiss(decay, seconds, depth float64, r *rand.Rand) audio.Clip {
	return sound(seconds, func(t float64) float64 {
		return 0.2 * math.Exp(-6.9*t/decay) * (1 + depth*math.Sin(2*math.Pi*rate/512*t)) * r.NormFloat64()
	})
}

// swell is noise that rises over half a second and ends.
func swell(r *rand.Rand) audio.Clip {
	return sound(0.6, func(t float64) float64 { return 0.3 * math.Min(1, t/0.5) * math.Min(1, (0.6-t)/0.02) * r.NormFloat64() })
}

func stereo(left, right audio.Clip) audio.Clip {
	n := max(len(left.Samples), len(right.Samples))
	x := make([]float32, 2*n)
	for i, v := range left.Samples {
		x[2*i] = v
	}
	for i, v := range right.Samples {
		x[2*i+1] = v
	}
	return audio.Clip{Samples: x, Channels: 2, Rate: rate}
}

func crop(c audio.Clip, seconds float64) audio.Clip {
	c.Samples = c.Samples[:int(seconds*float64(c.Rate))]
	return c
}

func scaled(c audio.Clip, by float32) audio.Clip {
	x := make([]float32, len(c.Samples))
	for i, v := range c.Samples {
		x[i] = by * v
	}
	c.Samples = x
	return c
}

func resampled(c audio.Clip, to int) audio.Clip {
	out, err := audio.Resample(c, to)
	if err != nil {
		panic(err)
	}
	return out
}
