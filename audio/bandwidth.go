package audio

import (
	"github.com/mjibson/go-dsp/spectral"
	dspwindow "github.com/mjibson/go-dsp/window"
)

const (
	bandwidthBlock = 2048    // samples: 4 Hz between bins at 8 kHz, 23 Hz at 48 kHz
	bandwidthLeast = 64      // samples of a block, of a clip too short for a whole one
	bandwidthLimit = 1 << 20 // samples looked at, from the middle of a longer clip
	bandwidthShare = 0.999   // of the power
)

// Bandwidth returns the frequency in Hz below which 99.9 % of the power of c lies, by Welch's method (1967) on the mean
// of its channels: Hann windows of 2,048 samples (or the largest power of two that fits), half overlapping. It shows what a sample rate hides: a recording that
// was resampled from 8 kHz has no more than 4 kHz at any rate. Silence has none: 0, and
// neither have fewer than 64 samples.
func Bandwidth(c Clip) float64 {
	c = c.Mono()
	x := c.Samples
	if len(x) > bandwidthLimit {
		from := (len(x) - bandwidthLimit) / 2
		x = x[from : from+bandwidthLimit]
	}
	block := bandwidthBlock
	for block > len(x) {
		block /= 2
	}
	if block < bandwidthLeast {
		return 0
	}
	wide := make([]float64, len(x))
	for i, v := range x {
		wide[i] = float64(v)
	}
	power, hz := spectral.Pwelch(wide, float64(c.Rate), &spectral.PwelchOptions{
		NFFT: block, Noverlap: block / 2,
		Window: func(n int) []float64 { return dspwindow.Hann(n + 1)[:n] }, // periodic
	})
	total := 0.0
	for _, p := range power {
		total += p
	}
	sum := 0.0
	for i, p := range power {
		if sum += p; total > 0 && sum >= bandwidthShare*total {
			return hz[i]
		}
	}
	return 0
}
