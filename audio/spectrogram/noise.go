package spectrogram

import (
	"math"
	"math/rand/v2"
)

// noise makes the high part: white noise in short frames, partials for the share of it that persists, each bin at the level
// of its filters, and tones where those levels have peaks. What follows a sharp attack does not sound before it.
//
// The frames it makes are half a hop apart where the hop is even, with levels in the middle between those of their neighbours
// in dB: at a whole hop, overlapping windows go from one level to the next in steps, which are heard as a line at the hop rate.
func (o *oneShot) noise(amplitude []float32, k stroke, n int, seed uint64) []float32 {
	c, bins := o.config, o.made.linear
	steps := c.Hop / o.made.config.Hop
	fine, frame := len(amplitude)/c.Mels, k.start/c.Hop
	rng := rand.New(rand.NewPCG(seed, 1))
	white := make([]float32, (fine-1)*c.Hop)
	for i := range white {
		white[i] = float32(rng.NormFloat64())
	}
	spectrum := o.made.STFT(nil, white)
	ringing := partialShare(k.persistence)
	var lines *partials
	if ringing > 0 {
		lines = o.newPartials(rng)
	}
	fluctuation := o.fluctuation(amplitude, frame)
	peaks := o.findPeaks(amplitude, frame, k.persistence, rng)
	level := make([]float64, fine) // RMS
	here, between, next := make([]float32, bins), make([]float32, bins), make([]float32, bins)
	level[0] = o.binGains(next, amplitude[:c.Mels], o.boost(0, frame, k))
	rows := len(spectrum) / bins
	attack := rows // the first row of what follows a sharp attack
	if k.sharp() {
		attack = min(max(0, frame*steps-steps+1), rows)
	}
	for r := range rows {
		g, gain := r/steps, between
		if r%steps == 0 {
			here, next = next, here
			gain = here
			if g+1 < fine {
				level[g+1] = o.binGains(next, amplitude[(g+1)*c.Mels:(g+2)*c.Mels], o.boost(g+1, frame, k))
			}
		} else {
			for j, a := range here {
				between[j] = float32(math.Sqrt(float64(a) * float64(next[j])))
			}
		}
		if r == attack && r%steps != 0 {
			gain = next // what is before the attack has no part in it
		}
		row := spectrum[r*bins : (r+1)*bins]
		if lines != nil {
			lines.mix(row, float32(math.Sqrt(1-ringing)), float32(math.Sqrt(ringing)))
		}
		o.normalisePower(row, fluctuation/float64(int(1)<<c.doublings(g)))
		for j := range row {
			row[j] = complex(real(row[j])*gain[j], imag(row[j])*gain[j])
		}
		for i := range peaks {
			peaks[i].sound(row, gain, o.whitePower)
		}
	}
	if !k.sharp() {
		return o.made.ISTFT(nil, spectrum, n)
	}
	return o.strike(spectrum, attack*bins, level, k, n)
}

// strike returns the sound of a spectrum whose values from attack on follow a sharp attack: they do not sound before it, and rise as
// it does. level is that of the frames.
func (o *oneShot) strike(spectrum []complex64, attack int, level []float64, k stroke, n int) []float32 {
	c := o.config
	after := make([]complex64, len(spectrum))
	copy(after[attack:], spectrum[attack:])
	clear(spectrum[attack:])
	out := o.made.ISTFT(nil, spectrum, n)
	y := o.made.ISTFT(nil, after, n)
	frame := k.start / c.Hop
	if at := frame * c.Hop; at < n {
		clear(y[:at])
		var top float64
		for _, v := range level[frame:min(frame+attackFrames, len(level))] {
			top = max(top, v)
		}
		shapeAttack(y[at:], k.rise*float64(c.SampleRate), top, max(1, int(attackWindow*float64(c.SampleRate))))
		add(out, y)
	}
	return out
}

// boost is what the gains of a frame are multiplied by. Half of the frame of a sharp attack lies before the sound.
func (o *oneShot) boost(g, frame int, k stroke) float32 {
	if g == frame && k.sharp() {
		return o.unit * math.Sqrt2
	}
	return o.unit
}

// normaliseReach is how many bins a neighbourhood of normalisePower has on either side: about 700 Hz at 44.1 kHz. With more,
// the levels of single filters still waver.
const normaliseReach = 8

// normalisePower scales the white noise of a frame so that its power in each neighbourhood of bins approaches the expected
// power; share 1 removes the whole deviation.
//
// The levels of a recording already contain the fluctuation of its noise. With that of a second noise on top, a round trip
// flutters more than the recording. The levels of a decoder are smooth, and their noise needs all of its fluctuation: see
// fluctuation.
func (o *oneShot) normalisePower(row []complex64, share float64) {
	if share <= 0 {
		return
	}
	sum := make([]float64, len(row)+1)
	for j, v := range row {
		sum[j+1] = sum[j] + float64(real(v))*float64(real(v)) + float64(imag(v))*float64(imag(v))
	}
	for j := range row {
		low, high := max(0, j-normaliseReach), min(len(row), j+normaliseReach+1)
		if is := sum[high] - sum[low]; is > 0 {
			f := float32(math.Pow(o.whitePower*float64(high-low)/is, share/2))
			row[j] = complex(real(row[j])*f, imag(row[j])*f)
		}
	}
}

// How fluctuation is measured.
const (
	fluctuationFrom  = 4  // frames after the attack
	fluctuationTo    = 32 // frames after the attack
	fluctuationLeast = 8  // frames there must be
	fluctuationRange = 40 // dB below its loudest frame, down to which a filter's levels count
)

// fluctuation returns how much the levels of the filters above the crossover waver after the attack, from 0, where they are
// smooth, to 1, where they do as those of a noise: the square of the mean bend of a filter's level from frame to frame (the
// second difference of its dB) over that of white noise.
func (o *oneShot) fluctuation(amplitude []float32, frame int) float64 {
	c := o.config
	from, to := frame+fluctuationFrom, min(frame+fluctuationTo, len(amplitude)/c.Mels)
	if c.HopGrowth > 0 {
		to = min(to, c.HopGrowth) // later, frames are not measured but interpolated
	}
	if to-from < fluctuationLeast {
		return 0
	}
	var bend, white float64
	for m := o.lows; m < c.Mels; m++ {
		at := func(g int) float64 { return float64(amplitude[g*c.Mels+m]) }
		var loudest float64
		for g := from; g < to; g++ {
			loudest = max(loudest, at(g))
		}
		least := loudest * math.Pow(10, -fluctuationRange/20.0)
		for g := from + 1; g+1 < to; g++ {
			if a, b, d := at(g-1), at(g), at(g+1); min(a, b, d) > least {
				bend, white = bend+math.Abs(20*math.Log10(a*d/(b*b))), white+o.bend[m-o.lows]
			}
		}
	}
	if white == 0 {
		return 0
	}
	r := bend / white
	return min(r*r, 1)
}

// bendOf returns the mean bend in dB of the levels of a filter on white noise, in frames that overlap by half. The mean power of k
// independent bins, here those of a Hann window by their correlations, has a logarithm of variance trigamma(k).
func bendOf(b band) float64 {
	correlation := [...]float64{1, 4. / 9, 1. / 36} // of the powers of bins so far apart
	var squares float64
	for i, v := range b.weights {
		for j, w := range b.weights {
			if d := max(i-j, j-i); d < len(correlation) {
				squares += float64(v) * float64(w) * correlation[d]
			}
		}
	}
	k := 1 / squares // the weights sum to 1
	trigamma := 1/(k*k) + 1/(k+1) + 1/(2*(k+1)*(k+1)) + 1/(6*(k+1)*(k+1)*(k+1))
	return meanBend * 10 / math.Ln10 * math.Sqrt(6*trigamma) // a second difference has six times the variance
}

// meanBend is the mean absolute second difference of such logarithms over its deviation, by TestChanceOfNoise. That of normal ones
// that are independent is .8.
const meanBend = 0.71

const (
	attackFrames = 4   // frames in which the peak of an attack lies
	attackCrest  = 1.8 // of an attack's envelope above the RMS of its loudest frame
	attackGain   = 6   // at most; more would be a click
)

// shapeAttack gives a noise, whose envelope rises at random, one that rises linearly to 0.9 of its peak within rise samples,
// and does not exceed it in twice that time and ten windows of n samples.
func shapeAttack(y []float32, rise, level float64, n int) {
	peak := level * attackCrest
	limited := min(int(2*rise)+10*n, len(y))
	power := meanPower(y[:min(limited+n, len(y))], n)
	for i := range limited {
		e := math.Sqrt(power[i])
		want := peak * (attackStart + (attackEnd-attackStart)*(float64(i)+0.5)/rise)
		switch {
		case want < peak:
			y[i] *= float32(min(want/max(e, 1e-12), attackGain))
		case e > peak:
			y[i] *= float32(peak / e)
		}
	}
}

// tinyAmplitude keeps the logarithm of a gain finite.
const tinyAmplitude = 1e-12

// binGains writes the gains of all bins, interpolated between the filters on a logarithmic scale, and returns the RMS of
// white noise that is multiplied by them.
func (o *oneShot) binGains(dst, amplitude []float32, boost float32) float64 {
	logs := make([]float64, len(amplitude))
	for m, a := range amplitude {
		logs[m] = math.Log(float64(a) + tinyAmplitude)
	}
	var sum float64
	for j, s := range o.spread {
		dst[j] = 0
		if s.weight > 0 {
			dst[j] = boost * s.weight * float32(math.Exp(logs[s.band]+s.part*(logs[s.band+1]-logs[s.band])))
			sum += float64(dst[j]) * float64(dst[j])
		}
	}
	return math.Sqrt(sum / float64(len(o.spread)))
}
