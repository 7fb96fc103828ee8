package audio

import (
	"math"
	"time"
)

// Fade multiplies the start by a raised cosine rising from 0 to 1 over in, and the end by one
// falling to 0 over out. A raised cosine has no corner at either end, so it adds no click. Fades
// longer than the clip are shortened to it. The result has samples of its own unless both fades
// are shorter than a frame.
func Fade(c Clip, in, out time.Duration) Clip {
	n := c.Frames()
	ni, no := fadeFrames(c, in), fadeFrames(c, out)
	if ni == 0 && no == 0 {
		return c
	}
	samples := append([]float32(nil), c.Samples[:n*c.Channels]...)
	for t := range ni {
		scaleFrame(samples, t, c.Channels, raisedCosine(t, ni))
	}
	for t := range no {
		scaleFrame(samples, n-1-t, c.Channels, raisedCosine(t, no))
	}
	c.Samples = samples
	return c
}

func fadeFrames(c Clip, d time.Duration) int {
	if d <= 0 {
		return 0
	}
	return int(min(float64(c.Frames()), d.Seconds()*float64(c.Rate)))
}

// raisedCosine is the gain of step t of an n-step fade: 0 at t = 0, reaching 1 at t = n.
func raisedCosine(t, n int) float32 {
	return float32(0.5 - 0.5*math.Cos(math.Pi*float64(t)/float64(n)))
}

func scaleFrame(x []float32, t, channels int, gain float32) {
	for i := t * channels; i < (t+1)*channels; i++ {
		x[i] *= gain
	}
}
