package sampling

import (
	"errors"
	"math"
	"slices"

	"wavemill/audio"
)

// wrap makes a loop of interleaved samples, whose part behind the loop goes on as its beginning does: the end is cross-faded
// into the beginning, so that the frame behind the last is the first. length, give and fade are in frames of one sample a
// channel. The length is the one among length-give to length+give at which both parts are most alike, so that a tone has a
// whole number of periods; where they are alike nowhere, as in noise, it is length.
func wrap(x []float32, channels, length, give, fade int) ([]float32, error) {
	fade = min(fade, length/2)
	give = min(give, length/4, len(x)/channels-length-fade)
	if fade < 1 || give < 0 {
		return nil, errors.New("the loop is too short or too long for the sound that the model holds")
	}
	likenessAt := func(n int) float64 { return correlation(x[:fade*channels], x[n*channels:(n+fade)*channels]) }
	best, likeness := length, likenessAt(length)
	for n := length - give; n <= length+give; n++ {
		if r := likenessAt(n); r > max(likeness, leastAlike) {
			best, likeness = n, r
		}
	}
	loop := make([]float32, best*channels)
	copy(loop, x)
	// Gains for which the power stays the same, however alike the two parts are.
	likeness = max(0, likeness)
	for i := range fade * channels {
		w := (float64(i/channels) + 0.5) / float64(fade)
		in, out := math.Sin(w*math.Pi/2), math.Cos(w*math.Pi/2)
		norm := math.Sqrt(in*in + out*out + 2*likeness*in*out)
		loop[i] = float32((in*float64(x[i]) + out*float64(x[best*channels+i])) / norm)
	}
	return loop, nil
}

// leastAlike is the correlation from which two parts are taken for the same tone.
const leastAlike = 0.3

// correlation is the normalised correlation of two signals of one length; 0 where one is silent.
func correlation(a, b []float32) float64 {
	var ab, aa, bb float64
	for i, v := range a {
		ab += float64(v) * float64(b[i])
		aa += float64(v) * float64(v)
		bb += float64(b[i]) * float64(b[i])
	}
	if aa == 0 || bb == 0 {
		return 0
	}
	return ab / math.Sqrt(aa*bb)
}

// fit cuts or pads a sound to so many seconds; 0 leaves it as it is.
func fit(c audio.Clip, seconds float64) audio.Clip {
	if seconds == 0 {
		return c
	}
	n := int(math.Round(seconds*float64(c.Rate))) * c.Channels
	if len(c.Samples) > n {
		c.Samples = c.Samples[:n]
		return audio.Fade(c, 0, min(cutFade, c.Duration()/4))
	}
	c.Samples = append(slices.Clone(c.Samples), make([]float32, n-len(c.Samples))...)
	return c
}
