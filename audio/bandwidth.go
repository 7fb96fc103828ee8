package audio

import (
	"github.com/mjibson/go-dsp/spectral"
	dspwindow "github.com/mjibson/go-dsp/window"
)

const (
	bandwidthBlock = 2048    // samples: 4 Hz between bins at 8 kHz, 23 Hz at 48 kHz
	bandwidthLeast = 64      // samples of a block, of a clip too short for a whole one
	bandwidthLimit = 1 << 20 // samples measured, from the middle of a longer clip
	bandwidthRest  = 0.001   // of the power, which may lie above
)

// A PowerSpectrum is a one-sided power spectral density.
type PowerSpectrum struct {
	// Density is the power per Hz at the frequencies 0, Step, 2*Step and so on, up to half the rate.
	Density []float64
	// Step is the distance between two frequencies in Hz.
	Step float64
}

// Welch estimates the power spectrum of the mean of a clip's channels by Welch's method: periodic Hann
// windows of block samples, a power of two of 2 or more, half overlapping (Welch, "The use of fast Fourier
// transform for the estimation of power spectra", 1967), in float64, by package go-dsp. What follows the
// last whole block is not measured. A clip shorter than a block has an empty spectrum.
func Welch(c Clip, block int) PowerSpectrum {
	c = c.Mono()
	if len(c.Samples) < block {
		return PowerSpectrum{}
	}
	wide := make([]float64, len(c.Samples))
	for i, v := range c.Samples {
		wide[i] = float64(v)
	}
	density, _ := spectral.Pwelch(wide, float64(c.Rate), &spectral.PwelchOptions{
		NFFT: block, Noverlap: block / 2,
		Window: func(n int) []float64 { return dspwindow.Hann(n + 1)[:n] }, // periodic
	})
	return PowerSpectrum{Density: density, Step: float64(c.Rate) / float64(block)}
}

// Total is the sum of the densities; times Step it is the power.
func (s PowerSpectrum) Total() float64 {
	total := 0.0
	for _, p := range s.Density {
		total += p
	}
	return total
}

// Edge returns the highest frequency in Hz at and above which more than the share rest of the power lies,
// so that at most this share lies above it. noise is the density of white noise that is subtracted from
// what lies above, but not from the whole. It returns 0 for an empty spectrum and for silence.
func (s PowerSpectrum) Edge(rest, noise float64) float64 {
	limit := rest * s.Total()
	above := 0.0
	for k := len(s.Density) - 1; k > 0; k-- {
		if above += s.Density[k] - noise; above > limit {
			return float64(k) * s.Step
		}
	}
	return 0
}

// Bandwidth returns the frequency in Hz below which 99.9 % of the power of c lies, from a Welch spectrum of blocks of 2,048
// samples (or the largest power of two that fits) of at most the 2^20 samples in the middle. It shows what a sample rate
// hides: a recording that was resampled from 8 kHz has no more than 4 kHz at any rate. It is 0 for silence and for fewer than
// 64 samples.
func Bandwidth(c Clip) float64 {
	c = c.Mono()
	if x := c.Samples; len(x) > bandwidthLimit {
		from := (len(x) - bandwidthLimit) / 2
		c.Samples = x[from : from+bandwidthLimit]
	}
	block := bandwidthBlock
	for block > len(c.Samples) {
		block /= 2
	}
	if block < bandwidthLeast {
		return 0
	}
	return Welch(c, block).Edge(bandwidthRest, 0)
}
