package timbre

import (
	"math"
	"slices"

	"wavemill/audio"
)

const (
	// The range of fundamentals, in Hz.
	lowestTone, highestTone = 40, 4000
	// aperiodic is the share of the power that a period may leave unexplained; the threshold of the YIN paper is 0.1 to 0.15.
	aperiodic = 0.15
	// toneFrames is how many frames of a clip are looked at, at most.
	toneFrames = 48
	// quietTone is the level in dB below the loudest frame at which a frame is not asked for its pitch.
	quietTone = -25
)

// A Fundamental is the fundamental frequency of a clip.
type Fundamental struct {
	Hz     float64 // median over frames
	Spread float64 // cents between the first and the third quartile of the frames
	Voiced float64 // share of the frames, quiet ones aside, that are periodic
}

// Steady reports whether the clip has one pitch: most frames are periodic, and half of them lie within 50 cents.
func (f Fundamental) Steady() bool { return f.Voiced >= 0.6 && f.Spread <= 50 }

// FundamentalOf measures the fundamental frequency of a mono clip from 40 to 4000 Hz, also above and below the range of
// [Measures.Pitch]: the first minimum of the cumulative mean normalised difference function of each of at most 48 frames
// (YIN; de Cheveigné and Kawahara, "YIN, a fundamental frequency estimator for speech and music", JASA 111(4), 2002),
// refined over several periods. The zero value: no frame is periodic.
func FundamentalOf(c audio.Clip) Fundamental {
	longest := c.Rate / lowestTone
	size := 2 * longest // of a frame; compared with another one up to longest later
	if len(c.Samples) < size+longest || longest < 4 {
		size = len(c.Samples) / 2
		longest = min(longest, size)
	}
	if longest < 8 {
		return Fundamental{}
	}
	step := max(c.Rate/100, (len(c.Samples)-size-longest)/toneFrames+1)
	var levels []float64
	var starts []int
	for at := 0; at+size+longest <= len(c.Samples); at += step {
		var sum float64
		for _, v := range c.Samples[at : at+size] {
			sum += float64(v) * float64(v)
		}
		levels, starts = append(levels, 10*math.Log10(sum+1e-12)), append(starts, at)
	}
	if len(levels) == 0 {
		return Fundamental{}
	}
	loudest, asked := slices.Max(levels), 0
	var tones []float64
	d := make([]float64, longest+1)
	for i, at := range starts {
		if levels[i] < loudest+quietTone {
			continue
		}
		asked++
		if lag := period(d, c.Samples[at:at+size+longest], size, c.Rate); lag > 0 {
			tones = append(tones, float64(c.Rate)/lag)
		}
	}
	if len(tones) == 0 {
		return Fundamental{}
	}
	slices.Sort(tones)
	n := len(tones)
	return Fundamental{Hz: tones[n/2], Spread: Cents(tones[n/4], tones[3*n/4]), Voiced: float64(n) / float64(asked)}
}

// period returns the period of a frame of size samples in samples, 0 for none. d has room for all lags.
func period(d []float64, x []float32, size, rate int) float64 {
	sum := 0.0
	shortest := max(2, rate/highestTone)
	found := 0
	normal := func(lag int) float64 { // d is filled up to lag, and sum are those values.
		if sum == 0 {
			return 1
		}
		return d[lag] * float64(lag) / sum
	}
	before := math.Inf(1)
	for lag := 1; lag < len(d); lag++ {
		d[lag] = difference(x, size, lag)
		sum += d[lag]
		now := normal(lag)
		if found > 0 && now >= before { // The minimum has been passed.
			break
		}
		if lag >= shortest && now < aperiodic {
			found = lag
		}
		before = now
	}
	if found == 0 || found+1 >= len(d) {
		return 0
	}
	lag := refine(x, size, found)
	// Over more periods the minimum is known better.
	for times := 2; ; times *= 2 {
		at := int(math.Round(lag * float64(times)))
		if at+2 >= len(d) {
			return lag
		}
		best := at
		for _, near := range []int{at - 1, at + 1} {
			if near > 0 && difference(x, size, near) < difference(x, size, best) {
				best = near
			}
		}
		lag = refine(x, size, best) / float64(times)
	}
}

// difference is the squared difference of a frame from itself a lag later.
func difference(x []float32, size, lag int) float64 {
	var sum float64
	for i, v := range x[:size] {
		d := float64(v) - float64(x[i+lag])
		sum += d * d
	}
	return sum
}

// refine lays a parabola through the difference at a lag and its neighbours.
func refine(x []float32, size, lag int) float64 {
	before, at, after := difference(x, size, lag-1), difference(x, size, lag), difference(x, size, lag+1)
	offset := (before - after) / (2 * (before - 2*at + after))
	if !(math.Abs(offset) <= 1) {
		offset = 0
	}
	return float64(lag) + offset
}
