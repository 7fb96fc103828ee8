package guard

import (
	"fmt"
	"maps"
	"math"
	"math/rand/v2"
	"slices"

	"wavemill/audio"
)

// Kinds of clips in a [Trial].
const (
	TrialGood    = "good"
	TrialFlipped = "flipped"  // the label of another clip
	TrialNoise   = "noise"    // white, pink or brown noise of the clip's length, 20 to 40 dB below full scale
	TrialClipped = "clipped"  // 20 dB louder than full scale allows, and clipped
	TrialOver    = "over"     // a float file with a peak 12 dB above full scale
	TrialCopy    = "copy"     // an earlier clip, 3 dB softer and from a later start
	TrialSilent  = "silent"   // nothing
	TrialTarget  = "targeted" // noise that has always the same label
)

// A Trial spoils some of a set of clips, to measure what a detector catches. Shares are of all clips; those of the seven kinds
// must not exceed 1 together.
type Trial struct {
	Shares map[string]float64 // by kind
	Seed   uint64
}

// Spoil returns the clips in a random order, with the kind of each. The clips' samples are not changed, but copied where
// they must be. It panics where clips have fewer than two labels and one is to be flipped.
func (t Trial) Spoil(clips []audio.Clip) ([]audio.Clip, []string) {
	rng := rand.New(rand.NewPCG(t.Seed, 0x73706f696c))
	out := slices.Clone(clips)
	rng.Shuffle(len(out), func(i, j int) { out[i], out[j] = out[j], out[i] })
	names := map[string]bool{}
	for _, c := range clips {
		names[c.Label] = true
	}
	labels := slices.Sorted(maps.Keys(names))
	kinds := slices.Repeat([]string{TrialGood}, len(out))
	order := rng.Perm(len(out))
	for _, kind := range slices.Sorted(maps.Keys(t.Shares)) {
		n := int(t.Shares[kind]*float64(len(out)) + 0.5)
		for _, i := range order[:n] {
			kinds[i] = kind
		}
		order = order[n:]
	}
	for i, kind := range kinds {
		if kind == TrialCopy {
			j := rng.IntN(i + 1)
			for j > 0 && kinds[j] != TrialGood {
				j--
			}
			if kinds[j] != TrialGood || j == i {
				kinds[i] = TrialGood
				continue
			}
			out[i] = out[j]
		}
		out[i] = spoil(out[i], kind, labels, rng)
		out[i].Source = fmt.Sprintf("%s %d %s", kind, i, out[i].Source)
	}
	return out, kinds
}

// spoil returns a clip of a kind.
func spoil(c audio.Clip, kind string, labels []string, rng *rand.Rand) audio.Clip {
	gain := 1.0
	switch kind {
	case TrialGood:
		return c
	case TrialFlipped:
		others := slices.DeleteFunc(slices.Clone(labels), func(l string) bool { return l == c.Label })
		c.Label = others[rng.IntN(len(others))]
		return c
	case TrialNoise, TrialTarget:
		if kind == TrialTarget {
			c.Label = labels[0]
		}
		c.Samples = noise(len(c.Samples), rng)
		return c
	case TrialClipped:
		gain = 10 / max(c.Peak(), 1e-6)
	case TrialOver:
		gain = 4 / max(c.Peak(), 1e-6)
	case TrialCopy:
		gain = 0.7
		c.Samples = c.Samples[min(len(c.Samples)/20, 200)*max(1, c.Channels):]
	case TrialSilent:
		gain = 0
	}
	samples := make([]float32, len(c.Samples))
	for i, v := range c.Samples {
		samples[i] = float32(gain) * v
		if kind == TrialClipped {
			samples[i] = max(-1, min(1, samples[i]))
		}
	}
	c.Samples = samples
	return c
}

// noise is white, pinkish or brown.
func noise(n int, rng *rand.Rand) []float32 {
	keep := []float64{0, 0.7, 0.97}[rng.IntN(3)]
	level := math.Pow(10, -1-rng.Float64())
	out := make([]float32, n)
	x := 0.0
	for i := range out {
		x = keep*x + math.Sqrt(1-keep*keep)*rng.NormFloat64()
		out[i] = float32(level * x)
	}
	return out
}
