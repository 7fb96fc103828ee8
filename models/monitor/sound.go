package monitor

import (
	"math"
	"slices"

	"wavemill/audio/spectrogram"
	"wavemill/models"
)

// A clipShape holds the properties of a clip's sound that the detectors use.
type clipShape struct {
	level float64 // the loudest value of the spectrogram, as scaled by the front end
	flat  float64 // mean spectral flatness of the audible frames: 1 is white, a tone near 0
	tone  float64 // share of the power that is in the strongest bin and its neighbours, all the time
}

// audibleDB is how far below its loudest frame a frame of a clip still counts as audible.
const audibleDB = 30

// clipShapeOf describes one clip of [T, F].
func clipShapeOf(c spectrogram.Config, x []float32, bins int) clipShape {
	x, bins = withoutImage(c, x, bins)
	t := clipShape{level: float64(slices.Max(x))}
	frames := len(x) / bins
	power := make([]float64, len(x))
	energy := make([]float64, frames)
	for i, v := range x {
		power[i] = powerOf(c, float64(v))
		energy[i/bins] += power[i]
	}
	loudest := slices.Max(energy)
	if loudest <= 0 {
		return t
	}
	sum, peaks, audible := make([]float64, bins), make([]int, bins), 0
	for i, e := range energy {
		if e < loudest*math.Pow(10, -audibleDB/10.0) {
			continue
		}
		frame := power[i*bins : (i+1)*bins]
		t.flat += flatness(frame)
		audible++
		peak := 0
		for j, p := range frame {
			sum[j] += p / e // each frame counts alike
			if p > frame[peak] {
				peak = j
			}
		}
		peaks[peak]++
	}
	t.flat /= float64(audible)
	at := 0
	for j, p := range sum {
		if p > sum[at] {
			at = j
		}
	}
	var share float64
	same := 0
	for j := max(at-1, 0); j <= min(at+1, bins-1); j++ {
		share += sum[j] / float64(audible)
		same += peaks[j]
	}
	t.tone = share * float64(same) / float64(audible)
	return t
}

// withoutImage returns a clip [T, F] without the stereo image at the end of its frames, and the bins that are left.
func withoutImage(c spectrogram.Config, x []float32, bins int) (levels []float32, left int) {
	image := c.Image()
	if image == 0 {
		return x, bins
	}
	left = bins - image
	for row := range slices.Chunk(x, bins) {
		levels = append(levels, row[:left]...)
	}
	return levels, left
}

// flatness is the geometric mean of powers divided by their arithmetic mean (Gray and Markel, 1974).
func flatness(power []float64) float64 {
	var logs, sum float64
	for _, p := range power {
		logs += math.Log(p + 1e-30)
		sum += p
	}
	n := float64(len(power))
	return math.Exp(logs/n) / max(sum/n, 1e-30)
}

// powerOf returns the power of a value of a spectrogram.
func powerOf(c spectrogram.Config, v float64) float64 {
	if c.Min < c.Max {
		v = c.Min + (v+1)/2*(c.Max-c.Min)
	}
	switch c.Value {
	case spectrogram.ValueLog:
		return math.Exp(2 * v)
	case spectrogram.ValueLogPower:
		return math.Exp(v)
	case spectrogram.ValuePower:
		return max(v, 0)
	}
	return v * v
}

// soundLimits are beyond what recordings sound like.
type soundLimits struct {
	config            spectrogram.Config
	quiet, flat, tone float64
}

// The limits lie beyond all but a hundredth of the recordings.
const (
	unlikely     = 0.01
	flatnessSlip = 0.15 // further beyond in flatness; noise has some 0.5 and more, speech 0.1
)

func limitsOf(c spectrogram.Config, recordings models.Batch) *soundLimits {
	var level, flat, tone []float64
	for i := range recordings.B {
		t := clipShapeOf(c, recordings.Clip(i), recordings.F)
		level, flat, tone = append(level, t.level), append(flat, t.flat), append(tone, t.tone)
	}
	slices.Sort(level)
	slices.Sort(flat)
	slices.Sort(tone)
	low := int(unlikely * float64(len(level)))
	high := len(level) - 1 - low
	return &soundLimits{
		config: c,
		quiet:  (level[low] - 1) / 2, // half-way to the floor of -1, in decibels
		flat:   flat[high] + flatnessSlip,
		tone:   (tone[high] + 1) / 2, // half-way to nothing but one tone
	}
}
