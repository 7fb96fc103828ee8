package synth

import (
	"fmt"
	"hash/fnv"
	"math"
	"math/rand/v2"
	"strings"

	"wavemill/audio"
)

// DefaultRate is the sample rate of the demo's recordings, in hertz: half of a CD's. It keeps the high frequencies of a
// hi-hat and halves the work.
const DefaultRate = 22050

// The range of sample rates of Clip, in hertz. Below 8 kHz a hi-hat has no band left above its high-pass filter.
const (
	minRate = 8000
	maxRate = 192000
)

// A voice fills out, which is silent, with one sound drawn from rng. Its level does not matter: Clip sets it.
type voice func(out []float64, rate float64, rng *rand.Rand)

// voiceOf returns the voice of a class, or nil.
func voiceOf(class string) voice {
	switch class {
	case "bell":
		return bell
	case "chirp":
		return chirp
	case "hihat":
		return hihat
	case "kick":
		return kick
	case "pluck":
		return pluck
	case "vowel":
		return vowel
	}
	return nil
}

// Classes returns the names of the classes, sorted. The caller owns the slice.
func Classes() []string { return []string{"bell", "chirp", "hihat", "kick", "pluck", "vowel"} }

// Clip returns a mono clip of 0.7 to 1 s at rate hertz (8000 to 192000), with its class as its label. Its peak lies
// between 0.45 and 0.95; the sound begins within 30 ms and ends in silence. The same arguments give the same samples.
//
// An unknown class or a rate out of range is an error that lists the valid ones.
func Clip(class string, seed uint64, rate int) (audio.Clip, error) {
	play := voiceOf(class)
	if play == nil {
		return audio.Clip{}, fmt.Errorf("synth: no class %q; there are %s", class, strings.Join(Classes(), ", "))
	}
	if rate < minRate || rate > maxRate {
		return audio.Clip{}, fmt.Errorf("synth: sample rate %d Hz is outside %d to %d", rate, minRate, maxRate)
	}
	rng := rand.New(rand.NewPCG(seed, classHash(class)))
	duration := between(rng, 0.7, 1.0)
	onset := between(rng, 0, 0.03)
	level := between(rng, 0.45, 0.95)

	n := int(duration * float64(rate))
	start := int(onset * float64(rate))
	x := make([]float64, n)
	play(x[start:], float64(rate), rng)
	fadeOut(x, int(0.02*float64(rate)))
	return audio.Clip{
		Samples: toLevel(x, level), Channels: 1, Rate: rate,
		Label: class, Source: fmt.Sprintf("synth/%s/%d", class, seed),
	}, nil
}

// classHash separates the random streams of the classes under one seed.
func classHash(class string) uint64 {
	h := fnv.New64a()
	// A hash never fails to write.
	_, _ = h.Write([]byte(class))
	return h.Sum64()
}

// between draws uniformly from [lo, hi).
func between(rng *rand.Rand, lo, hi float64) float64 { return lo + (hi-lo)*rng.Float64() }

// pitch draws a frequency between lo and hi hertz, uniform on the scale of octaves.
func pitch(rng *rand.Rand, lo, hi float64) float64 { return lo * math.Pow(hi/lo, rng.Float64()) }

// fadeOut fades the last n samples to silence with half a cosine.
func fadeOut(x []float64, n int) {
	n = min(n, len(x))
	for i := range n {
		x[len(x)-1-i] *= 0.5 - 0.5*math.Cos(math.Pi*float64(i)/float64(n))
	}
}

// toLevel scales x to the given peak.
func toLevel(x []float64, peak float64) []float32 {
	top := 0.0
	for _, v := range x {
		top = max(top, math.Abs(v))
	}
	out := make([]float32, len(x))
	if top == 0 {
		return out
	}
	for i, v := range x {
		out[i] = float32(v * peak / top)
	}
	return out
}
