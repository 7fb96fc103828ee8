package frontend

import (
	"cmp"
	"maps"
	"math"
	"slices"
	"time"

	"wavemill/audio"
	"wavemill/audio/stereo"
)

// surveyed is how many clips a survey analyses at most: enough for a percentile, quick for a large set. Rates and
// durations are taken from all.
const surveyed = 512

// A Survey is what a plan is made from: the figures of a set of clips.
type Survey struct {
	Clips     int
	Rates     map[int]int     // clips of each sample rate
	Channels  map[int]int     // clips of each number of channels
	Stereo    int             // clips of two channels that differ to the ear, see stereo.Differs
	Durations []time.Duration // of every clip with sound, without the silence around it, at Trim
	Band      float64         // Hz below which the audible sound of the label with the widest band lies; 0: unknown
	Edge      float64         // dB below a clip's peak at which the sound at its two ends lies, a median; NaN: unknown
	Steady    bool            // whether the ends are steady: noise, not the beginning of the sound
	Trim      float64         // dB below its peak at which a clip begins and ends: -40, -60 from 22.05 kHz on, or more where the ends are louder noise
}

// SurveyOf measures clips. It analyses every n-th, so that there are at most about 512.
func SurveyOf(clips []audio.Clip) Survey {
	s := Survey{Clips: len(clips), Rates: map[int]int{}, Channels: map[int]int{}, Edge: math.NaN()}
	bands := map[string][]float64{}
	var edges []float64
	steady := 0
	stride := (len(clips) + surveyed - 1) / surveyed
	for i, c := range clips {
		if c.Validate() != nil {
			continue
		}
		s.Rates[c.Rate]++
		s.Channels[c.Channels]++
		if stereo.Differs(c) {
			s.Stereo++
		}
		if i%stride != 0 || !hasSound(c) {
			continue
		}
		c = mixed(c)
		if b := band(c); b > 0 {
			bands[c.Label] = append(bands[c.Label], b)
		}
		if e, still, ok := ends(c); ok {
			edges = append(edges, e)
			if still {
				steady++
			}
		}
	}
	for _, label := range slices.Sorted(maps.Keys(bands)) {
		s.Band = max(s.Band, percentile(bands[label], 0.9))
	}
	if len(edges) > 0 {
		s.Edge, s.Steady = percentile(edges, 0.5), 2*steady > len(edges)
	}
	s.Trim = quietest(s.Rates)
	if s.Steady && s.Edge > s.Trim && s.Edge < trimLeast {
		s.Trim = min(s.Edge+trimMargin, trimLeast)
	}
	for _, c := range clips {
		if c.Validate() == nil && c.Peak() >= silentPeak {
			s.Durations = append(s.Durations, audio.TrimSilence(c, s.Trim).Duration())
		}
	}
	return s
}

// quietest is the level below which recordings of these rates are trimmed, in dB below the peak.
func quietest(rates map[int]int) float64 {
	if commonest(rates) >= musicRate {
		return trimDecay
	}
	return trimSilent
}

// hasSound reports whether a clip is not silent and all its samples are numbers.
func hasSound(c audio.Clip) bool {
	p := c.Peak()
	return p >= silentPeak && !math.IsInf(p, 0) && !slices.ContainsFunc(c.Samples, func(v float32) bool { return v != v })
}

// percentile returns the value that a share p of x does not exceed. It sorts x, which must not be empty.
func percentile(x []float64, p float64) float64 {
	slices.Sort(x)
	return x[min(int(p*float64(len(x))), len(x)-1)]
}

// commonest returns the rate of most clips, of equals the lowest, or 8 kHz where there is none.
func commonest(rates map[int]int) int {
	known := slices.DeleteFunc(slices.Sorted(maps.Keys(rates)), func(r int) bool { return r <= 0 })
	if len(known) == 0 {
		return 8000
	}
	return slices.MaxFunc(known, func(a, b int) int {
		return cmp.Or(cmp.Compare(rates[a], rates[b]), cmp.Compare(b, a))
	})
}

// audible is the share of a clip's power that its band may leave out: -60 dB, which the clip itself masks, and which is
// above what resamplers and 16 bits leave where there is nothing.
const audible = 1e-6

// hidden is the share of a clip's power that the noise of 16 bits may have; a quieter clip does not show its band.
const hidden = 1e-4

// blocksMeasured bounds the blocks of a clip that band measures, in the middle of the clip: about 4 s, 20 ms of computing.
const blocksMeasured = 256

// noiseDensity is the power per Hz of the rounding and dither of 16 bits at a rate: white, of a quarter of a step's
// square.
func noiseDensity(rate int) float64 { return 2 * (1.0 / 4 / 32768 / 32768) / float64(rate) }

// band returns the frequency in Hz above which less than a millionth of a clip's power lies, from a Welch spectrum
// (audio.Welch) of blocks of about 32 ms. The noise of 16 bits does not count. It is 0 for a clip shorter than a block,
// and for one too quiet to tell.
func band(c audio.Clip) float64 {
	n := 64
	for n < c.Rate/32 {
		n *= 2
	}
	if limit := blocksMeasured * n / 2; len(c.Samples) > limit {
		c.Samples = c.Samples[(len(c.Samples)-limit)/2:][:limit]
	}
	// The last block may hold the clip's end, which is a step where it was cut: its spectrum has no edge.
	c.Samples = c.Samples[:min(len(c.Samples), max(n, (len(c.Samples)/(n/2)-1)*(n/2)))]
	s := audio.Welch(c, n)
	noise := noiseDensity(c.Rate)
	if len(s.Density) == 0 || noise*float64(len(s.Density)) > hidden*s.Total() {
		return 0
	}
	return s.Edge(audible, noise) + s.Step
}

// ends returns the peak level of the first and the last 50 ms of a clip, the louder of the two, in dB relative to its
// peak, and whether both are steady: their parts of 10 ms within 8 dB of each other. A clip shorter than 0.2 s has no ends.
func ends(c audio.Clip) (level float64, steady, ok bool) {
	part := c.Rate / 100
	if len(c.Samples) < 20*part || part == 0 {
		return 0, false, false
	}
	top, least := 0.0, math.Inf(1)
	for _, side := range [][]float32{c.Samples[:5*part], c.Samples[len(c.Samples)-5*part:]} {
		for i := range 5 {
			p := (audio.Clip{Samples: side[i*part : (i+1)*part], Channels: 1, Rate: c.Rate}).Peak()
			top, least = max(top, p), min(least, p)
		}
	}
	if top == 0 {
		return -120, true, true
	}
	return audio.Decibels(top / c.Peak()), least > 0 && audio.Decibels(top/least) < 8, true
}
