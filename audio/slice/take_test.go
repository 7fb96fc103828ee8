package slice_test

import (
	"math"
	"math/rand/v2"
	"slices"
	"testing"

	"wavemill/audio/slice"
	"wavemill/audio/synth"
)

// A take is a recording of sounds at known times.
type take struct {
	samples []float32 // Mono.
	rate    int
	onsets  []float64 // Seconds.
}

// newTake makes a take of synthetic sounds of some classes, gap seconds or a little more apart, over noise of an RMS level in
// dB.
func newTake(t testing.TB, seed uint64, rate, sounds int, gap, noise float64, classes ...string) take {
	t.Helper()
	rng := rand.New(rand.NewPCG(seed, 1))
	k := take{rate: rate}
	at := 0.5
	for i := range sounds {
		c, err := synth.Clip(classes[rng.IntN(len(classes))], seed*1000+uint64(i), rate)
		if err != nil {
			t.Fatal(err)
		}
		begin := int(at * float64(rate))
		if need := begin + len(c.Samples) + rate/2; need > len(k.samples) {
			k.samples = append(k.samples, make([]float32, need-len(k.samples))...)
		}
		peak := slices.Max(c.Samples)
		first := slices.IndexFunc(c.Samples, func(v float32) bool { return math.Abs(float64(v)) > 0.05*float64(peak) })
		for j, v := range c.Samples {
			k.samples[begin+j] += v
		}
		k.onsets = append(k.onsets, float64(begin+first)/float64(rate))
		at += gap * (1 + 0.5*rng.Float64())
	}
	level := math.Pow(10, noise/20)
	for i := range k.samples {
		k.samples[i] += float32(level * rng.NormFloat64())
	}
	return k
}

// cut is what is compared of a clip.
type cut struct {
	start, end int64
	ended      string
	sum        float64 // Of the samples.
}

// cutter collects clips.
type cutter struct{ cuts []cut }

func (c *cutter) emit(x slice.Clip) error {
	k := cut{x.Start, x.End, x.Ended, 0}
	for i, v := range x.Samples {
		k.sum += float64(v) * float64(i%97)
	}
	c.cuts = append(c.cuts, k)
	return nil
}

// sliced cuts samples that are written in blocks of the sizes that next returns.
func sliced(t testing.TB, c slice.Config, samples []float32, rate, channels int, next func() int) ([]cut, slice.Counts) {
	t.Helper()
	s, err := slice.New(c, rate, channels)
	if err != nil {
		t.Fatal(err)
	}
	var k cutter
	for len(samples) > 0 {
		n := min(len(samples), next()*channels)
		if err := s.Write(samples[:n], k.emit); err != nil {
			t.Fatal(err)
		}
		samples = samples[n:]
	}
	if err := s.Close(k.emit); err != nil {
		t.Fatal(err)
	}
	return k.cuts, s.Counts()
}

func whole() int { return 1 << 30 }
