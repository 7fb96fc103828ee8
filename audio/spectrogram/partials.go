package spectrogram

import (
	"math"
	"math/rand/v2"

	"wavemill/internal/stats"
)

// Cymbals and hi-hats are made of thousands of partials that ring on, where a snare's wires are noise. Levels of filters do
// not tell them apart. What does is the persistence of the fine structure of the spectrum: how alike its ripples are in two
// frames that share no sample. It is one of the marks, and the way back makes so much of the high part of partials.

// How persistence is measured.
const (
	persistFrom   = 2000  // Hz
	persistTo     = 16000 // Hz
	persistRange  = 1e-3  // of the loudest frame's power in the band; quieter frames do not count
	persistSmooth = 700   // Hz: the mean over so much is taken from the log spectrum, to leave its fine structure
	persistPairs  = 2     // pairs of frames there must be
	persistFloor  = 1e-9  // of the mean power of a frame's bins: a bin without power has a logarithm, too
)

// persistence returns the mean correlation, over time, of the fine structure of the spectra of two neighbouring frames of NFFT
// samples: about 0 for noise and 0.7 for a crash cymbal. It is 0 for sounds that are too short for it.
func (o *oneShot) persistence(x []float32) (float64, error) {
	c := o.config
	if len(x) < c.NFFT {
		return 0, nil
	}
	s, err := o.long.Forward(nil, x)
	if err != nil {
		return 0, err
	}
	perBin := float64(c.SampleRate) / float64(c.NFFT)
	lo, hi := int(persistFrom/perBin), min(int(persistTo/perBin), s.Bins-1)
	if hi <= lo {
		return 0, nil
	}
	power := make([]float64, s.Frames)
	var loudest float64
	for f := range power {
		for _, p := range s.Data[f*s.Bins+lo : f*s.Bins+hi] {
			power[f] += float64(p)
		}
		loudest = max(loudest, power[f])
	}
	width := int(persistSmooth/perBin)/2*2 + 1
	fine := make([][]float64, s.Frames)
	var sum float64
	var pairs int
	for f := range fine {
		if power[f] <= persistRange*loudest {
			continue
		}
		levels := make([]float64, hi-lo)
		floor := persistFloor * power[f] / float64(len(levels))
		for k := range levels {
			levels[k] = math.Log(float64(s.Data[f*s.Bins+lo+k]) + floor)
		}
		fine[f] = stats.AboutMean(levels, width)
		if f >= 2 && fine[f-2] != nil { // the hop is half a frame
			sum, pairs = sum+stats.Correlation(fine[f-2], fine[f]), pairs+1
		}
	}
	if pairs < persistPairs {
		return 0, nil
	}
	return sum / float64(pairs), nil
}

// partialSpacing is the mean distance of partials in Hz. Closer ones beat within a frame and are heard as noise; with those
// further apart, some filters would have none.
const partialSpacing = 60

// partials are sinusoids of constant amplitudes, one at a random place in each stretch of partialSpacing Hz, whose power per
// Hz is that of white noise of RMS 1. They are made in the spectra of the high part's frames, where each lies in a few bins.
type partials struct {
	first []int       // of each partial, the lowest of the bins it is in
	bins  []complex64 // of each partial, its spectrum in partialBins bins, in the frame to come
	turn  []complex64 // of each partial, the factor from a frame to the next
}

// partialBins is how many bins of a Hann window's transform are not near zero.
const partialBins = 4

func (o *oneShot) newPartials(rng *rand.Rand) *partials {
	c := o.config
	n, rate := float64(c.ShortNFFT), float64(c.SampleRate)
	count := int(rate / 2 / partialSpacing)
	p := &partials{make([]int, count), make([]complex64, 0, count*partialBins), make([]complex64, count)}
	// A sinusoid of amplitude a has the power a*a/2, and half of a in its positive frequency.
	half := math.Sqrt(partialSpacing / rate)
	for i := range count {
		at := (float64(i) + rng.Float64()) * partialSpacing * n / rate // in bins
		first, bins, turn := o.sinusoid(half*n/2, at, 2*math.Pi*rng.Float64())
		p.first[i], p.turn[i] = first, turn
		p.bins = append(p.bins, bins[:]...)
	}
	return p
}

// sinusoid returns the spectrum of a sinusoid at a frequency, in bins of the frames of the way back: the lowest of the bins that
// it is in, their values in a frame, and the factor from a frame to the next. A bin at the frequency itself has the amplitude.
func (o *oneShot) sinusoid(amplitude, at, phase float64) (first int, bins [partialBins]complex64, turn complex64) {
	first = int(math.Floor(at)) - partialBins/2 + 1
	for k := range bins {
		d := at - float64(first+k)
		a := amplitude * hannTransform(d)
		sin, cos := math.Sincos(phase + math.Pi*d)
		bins[k] = complex(float32(a*cos), float32(a*sin))
	}
	sin, cos := math.Sincos(2 * math.Pi * at * float64(o.made.config.Hop) / float64(o.config.ShortNFFT))
	return first, bins, complex(float32(cos), float32(sin))
}

// hannTransform is the transform of a Hann window about its middle at d bins, relative to half its length.
func hannTransform(d float64) float64 {
	switch a := math.Abs(d); {
	case a < 1e-9:
		return 1
	case math.Abs(a-1) < 1e-9:
		return 0.5
	}
	return math.Sin(math.Pi*d) / (math.Pi * d * (1 - d*d))
}

// mix multiplies a frame's bins by keep, adds the partials times gain, and moves them on to the next frame.
func (p *partials) mix(row []complex64, keep, gain float32) {
	for j, v := range row {
		row[j] = complex(keep*real(v), keep*imag(v))
	}
	for i, first := range p.first {
		bins := p.bins[i*partialBins : (i+1)*partialBins]
		for k, v := range bins {
			if j := first + k; j >= 0 && j < len(row) {
				row[j] += complex(gain*real(v), gain*imag(v))
			}
			bins[k] = v * p.turn[i]
		}
	}
}

// persistences are those of noise of which 0, 1/8, ... and all of the power is partials, measured by persistence; see
// TestPartialsPersist.
var persistences = [...]float64{0, .01, .03, .07, .13, .24, .39, .59, .92}

// leastPersistence is how alike two frames of white noise may be by chance.
const leastPersistence = 0.03

// partialShare returns the share of partials in the power of a noise that gives it a persistence.
func partialShare(persistence float64) float64 {
	if persistence < leastPersistence {
		return 0
	}
	for i, high := range persistences[1:] {
		if low := persistences[i]; persistence < high {
			return (float64(i) + (persistence-low)/(high-low)) / float64(len(persistences)-1)
		}
	}
	return 1
}
