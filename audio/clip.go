// Package audio holds the Clip and the signal operations that the other packages need: resampling,
// mixing down, levels (peak, RMS, LUFS), silence trimming and fades.
//
// Samples are float32 in [-1, 1], interleaved (frame t, channel c at t*Channels+c). A frame is one
// sample of every channel. Functions that take a Clip by value never write to its samples; results
// that would equal the input may share its samples, which each function says.
package audio

import (
	"fmt"
	"time"
)

// Clip is a stretch of sound with its sample rate. The zero Clip is empty.
type Clip struct {
	// Samples are interleaved and nominally in [-1, 1]; float sources may exceed that.
	Samples []float32
	// Channels is the number of interleaved channels, at least 1 for a clip that has samples.
	Channels int
	// Rate is the number of frames a second, in Hz.
	Rate int
	// Label is what the clip is an example of ("three", "kick"); empty when unknown.
	Label string
	// Source names where the clip came from: a path or a URL; empty when made in memory.
	Source string
}

// Frames is the number of samples of each channel.
func (c Clip) Frames() int {
	if c.Channels <= 0 {
		return 0
	}
	return len(c.Samples) / c.Channels
}

// Duration is Frames / Rate, rounded down to a nanosecond.
func (c Clip) Duration() time.Duration {
	return FramesDuration(int64(c.Frames()), c.Rate)
}

// FramesDuration is the time that n frames take at a rate in Hz, 0 for a rate that is not positive.
// It does not overflow for any duration that time.Duration can hold.
func FramesDuration(n int64, rate int) time.Duration {
	if rate <= 0 || n <= 0 {
		return 0
	}
	r := int64(rate)
	return time.Duration(n/r)*time.Second + time.Duration(n%r)*time.Second/time.Duration(r)
}

// Validate reports what makes the clip unusable: no channel, no rate, or samples that do not fill
// whole frames. It does not look at the sample values.
func (c Clip) Validate() error {
	switch {
	case c.Channels <= 0:
		return fmt.Errorf("audio: clip %q has %d channels; it needs at least one", c.Source, c.Channels)
	case c.Rate <= 0:
		return fmt.Errorf("audio: clip %q has a sample rate of %d Hz; it must be positive", c.Source, c.Rate)
	case len(c.Samples)%c.Channels != 0:
		return fmt.Errorf("audio: clip %q has %d samples, which do not fill whole frames of %d channels", c.Source, len(c.Samples), c.Channels)
	}
	return nil
}

// Mono is the mean of the channels. The mean (not the sum) cannot leave the range of its inputs,
// and a signal that is equal in all channels keeps its level. A clip that is mono already is
// returned as it is, sharing its samples.
func (c Clip) Mono() Clip {
	if c.Channels <= 1 {
		return c
	}
	out := make([]float32, c.Frames())
	MixDown(out, c.Samples, c.Channels)
	c.Samples, c.Channels = out, 1
	return c
}

// MixDown writes the mean of the channels of each interleaved frame of src to dst and returns the
// number of frames written, the smaller of len(dst) and len(src)/channels. It panics when channels
// is not positive.
func MixDown(dst, src []float32, channels int) int {
	n := min(len(dst), len(src)/channels)
	switch channels {
	case 1:
		copy(dst[:n], src)
	case 2:
		src = src[:2*n]
		for i := range dst[:n] {
			dst[i] = 0.5*src[2*i] + 0.5*src[2*i+1]
		}
	default:
		scale := 1 / float64(channels)
		for i := range dst[:n] {
			var sum float64
			for _, v := range src[i*channels : (i+1)*channels] {
				sum += float64(v)
			}
			dst[i] = float32(sum * scale)
		}
	}
	return n
}

// Channel copies one channel, counted from 0, into a mono clip. It panics when there is none such.
func (c Clip) Channel(k int) Clip {
	if k < 0 || k >= c.Channels {
		panic(fmt.Sprintf("audio: channel %d of a clip with %d channels", k, c.Channels))
	}
	out := make([]float32, c.Frames())
	for i := range out {
		out[i] = c.Samples[i*c.Channels+k]
	}
	c.Samples, c.Channels = out, 1
	return c
}
