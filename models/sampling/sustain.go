package sampling

import (
	"math"

	"wavemill/audio/spectrogram"
)

const (
	// minSustain is the least number of frames of a sustained part.
	minSustain = 8
	// sustainRange is how far, in dB, a frame of the sustained part lies below the loudest.
	sustainRange = 9
	// sustainSlope is how much louder, in dB, the first quarter of the sustained part may be than the last: a sound that
	// falls by more is struck, and decays.
	sustainSlope = 4
)

// A sustain is the part of a spectrogram, frames lo to hi-1, in which a sound is held. It is empty where there is none.
type sustain struct{ lo, hi int }

func (s sustain) frames() int { return s.hi - s.lo }

// sustainOf takes the longest run of frames within sustainRange of the loudest, without its edges. It returns no sustain
// where that run is shorter than minSustain or falls by more than sustainSlope. One-shots have none: their frames are not
// alike in time.
func sustainOf(c spectrogram.Config, data []float32, width int) sustain {
	if c.Scale == spectrogram.ScaleOneShot || c.HopGrowth > 0 {
		return sustain{}
	}
	levels := make([]float64, len(data)/width)
	top := math.Inf(-1)
	for t := range levels {
		sum := 0.0
		for _, v := range data[t*width:][:c.Levels()] {
			sum += power(c, v)
		}
		levels[t] = 10 * math.Log10(sum+1e-30)
		top = max(top, levels[t])
	}
	var best sustain
	for lo := 0; lo < len(levels); lo++ {
		hi := lo
		for hi < len(levels) && levels[hi] >= top-sustainRange {
			hi++
		}
		if hi-lo > best.frames() {
			best = sustain{lo, hi}
		}
		lo = hi
	}
	// The ends of the run are the rise and the fall of the sound.
	edge := min(2, best.frames()/8)
	best.lo, best.hi = best.lo+edge, best.hi-edge
	n := best.frames()
	if n < minSustain || mean(levels[best.lo:best.lo+n/4])-mean(levels[best.hi-n/4:best.hi]) > sustainSlope {
		return sustain{}
	}
	return best
}

func mean(x []float64) float64 {
	sum := 0.0
	for _, v := range x {
		sum += v
	}
	return sum / float64(len(x))
}

// power returns the power that a value of a spectrogram stands for.
func power(c spectrogram.Config, v float32) float64 {
	x := float64(v)
	if c.Min < c.Max {
		x = c.Min + (x+1)/2*(c.Max-c.Min)
	}
	switch c.Value {
	case spectrogram.ValueLog:
		x = math.Exp(x)
	case spectrogram.ValueLogPower:
		return math.Exp(x)
	case spectrogram.ValuePower:
		return max(x, 0)
	}
	return x * x
}

// value is the inverse of power.
func value(c spectrogram.Config, p float64) float32 {
	x := p
	switch c.Value {
	case spectrogram.ValueLog:
		x = math.Log(max(p, 1e-30)) / 2
	case spectrogram.ValueLogPower:
		x = math.Log(max(p, 1e-30))
	case spectrogram.ValueMagnitude:
		x = math.Sqrt(p)
	}
	if c.Min < c.Max {
		x = 2*(x-c.Min)/(c.Max-c.Min) - 1
	}
	return float32(x)
}
