package spectrogram

import (
	"math"
	"math/rand/v2"
)

// Cowbells and other struck metal have a few strong partials above the crossover. Each shows as a peak in the
// levels of the filters; noise that is filtered to such a peak flutters, because its band is narrow. Where the levels have
// peaks and the sound's fine structure persists, the way back makes a sinusoid of each.

// How peaks are found. Levels are means over time, in dB.
const (
	peakFrom  = 4  // frames after the attack, which is noise
	peakTo    = 32 // frames after the attack
	peakLeast = 4  // frames there must be
	peakReach = 4  // filters on either side in which a peak has its valleys
	peakRise  = 3  // dB, by which levels rise again behind a valley

	peakRange = 40 // dB below the loudest filter; quieter ones count as so quiet
	noPeak    = 6  // dB above the higher of its valleys; a lower peak is no tone
	fullPeak  = 12 // dB; a higher one is all tone

	// The persistences at which no and all peaks are tones. Of white noise it is .03 at most, of most snares, rims and claps
	// below .05, and of cowbells with partials above 2 kHz .29 and more.
	noTones   = 0.05
	fullTones = 0.2
)

// A peak is a tone above the crossover.
type peak struct {
	low, high int                    // the bins of which it takes power, from low to below high
	share     float64                // of the power above the valleys
	first     int                    // the lowest of the partialBins bins that it is in
	bins      [partialBins]complex64 // their values, of power 1 in all
	turn      complex64              // the factor from a frame to the next
}

// findPeaks returns the tones of the high part of a sound that begins at a frame.
func (o *oneShot) findPeaks(amplitude []float32, frame int, persistence float64, rng *rand.Rand) []peak {
	gate := min((persistence-noTones)/(fullTones-noTones), 1)
	if gate <= 0 {
		return nil
	}
	levels := o.meanLevels(amplitude, frame)
	var found []peak
	for i := 1; i+1 < len(levels); i++ {
		if levels[i] <= levels[i-1] || levels[i] < levels[i+1] {
			continue
		}
		left, right := valley(levels, i, -1), valley(levels, i, 1)
		above := levels[i] - max(levels[left], levels[right])
		if above <= noPeak {
			continue
		}
		found = append(found, o.newPeak(o.centre(levels, left, right), o.hzOf(left), o.hzOf(right), gate*min((above-noPeak)/(fullPeak-noPeak), 1), rng))
	}
	return found
}

// hzOf is the middle of a filter above the crossover.
func (o *oneShot) hzOf(filter int) float64 { return o.config.hz(float64(o.lows + filter + 1)) }

// centre returns the frequency of the tone between two valleys: the mean of the filters' middles, weighted by the power that
// each takes of it. Triangular filters that overlap by half have the tone itself for this mean.
func (o *oneShot) centre(levels []float64, left, right int) float64 {
	power := func(filter int) float64 { return math.Pow(10, levels[filter]/10) }
	floor, rise := power(left), (power(right)-power(left))/float64(right-left)
	var sum, weights float64
	for i := left; i <= right; i++ {
		width := (o.hzOf(i+1) - o.hzOf(i-1)) / 2
		w := max(0, power(i)-floor-rise*float64(i-left)) * width
		sum, weights = sum+w*o.hzOf(i), weights+w
	}
	return sum / weights
}

// meanLevels returns the levels of the filters above the crossover in dB, not more than peakRange below the loudest, as means
// over frames after the attack; nil where there are too few of them.
func (o *oneShot) meanLevels(amplitude []float32, frame int) []float64 {
	c := o.config
	from, to := frame+peakFrom, min(frame+peakTo, len(amplitude)/c.Mels)
	if to-from < peakLeast {
		return nil
	}
	power := make([]float64, c.Mels-o.lows)
	for g := from; g < to; g++ {
		for i, a := range amplitude[g*c.Mels+o.lows : (g+1)*c.Mels] {
			power[i] += float64(a) * float64(a)
		}
	}
	var loudest float64
	for _, p := range power {
		loudest = max(loudest, p)
	}
	if loudest == 0 {
		return nil
	}
	for i, p := range power {
		power[i] = 10 * math.Log10(max(p/loudest, math.Pow(10, -peakRange/10.0)))
	}
	return power
}

// valley returns the lowest level beside a peak, to one side, up to where levels rise again.
func valley(levels []float64, at, step int) int {
	lowest := at
	for i := at + step; i >= 0 && i < len(levels) && (i-at)*step <= peakReach; i += step {
		if levels[i] > levels[lowest]+peakRise {
			break
		}
		if levels[i] < levels[lowest] {
			lowest = i
		}
	}
	return lowest
}

// newPeak returns the tone of a frequency that takes a share of the power between two others.
func (o *oneShot) newPeak(hz, low, high, share float64, rng *rand.Rand) peak {
	perBin := float64(o.config.SampleRate) / float64(o.config.ShortNFFT)
	p := peak{low: int(math.Ceil(low / perBin)), high: min(int(math.Ceil(high/perBin)), len(o.spread)), share: share}
	p.first, p.bins, p.turn = o.sinusoid(1, hz/perBin, 2*math.Pi*rng.Float64())
	var power float64
	for _, v := range p.bins {
		power += float64(real(v)*real(v) + imag(v)*imag(v))
	}
	scale := float32(1 / math.Sqrt(power))
	for k, v := range p.bins {
		p.bins[k] = complex(scale*real(v), scale*imag(v))
	}
	return p
}

// sound puts the tone in the place of its share of what a frame's noise has above the levels of the valleys, and moves on to
// the next frame. The bins of the noise had the power white before gain.
func (p *peak) sound(row []complex64, gain []float32, white float64) {
	floor, rise := float64(gain[p.low]), 1.0 // of the noise that is left, from valley to valley
	if last := gain[p.high-1]; floor > 0 && last > 0 && p.high-1 > p.low {
		rise = math.Pow(float64(last)/floor, 1/float64(p.high-1-p.low))
	}
	var power float64
	for j := p.low; j < p.high; j++ {
		all := float64(gain[j]) * float64(gain[j])
		if above := p.share * (all - floor*floor); above > 0 {
			power += above
			keep := float32(math.Sqrt(1 - above/all))
			row[j] = complex(keep*real(row[j]), keep*imag(row[j]))
		}
		floor *= rise
	}
	a := float32(math.Sqrt(power * white))
	for k, v := range p.bins {
		if j := p.first + k; j >= 0 && j < len(row) {
			row[j] += complex(a*real(v), a*imag(v))
		}
		p.bins[k] = v * p.turn
	}
}
