package spectrogram

import (
	"math"

	"wavemill/audio"
)

// reconstruct makes n samples from features: see oneShot. Noise and phases that are drawn at random come from ph.Seed.
func (o *oneShot) reconstruct(s *Spectrogram, n int, ph Phase) []float32 {
	c, k := o.config, o.strokeOf(s)
	tail := int(k.tail * float64(c.SampleRate))
	// What follows the tail is silence, and need not be made. A sound that is cut before its attack is made up to it.
	sounding := min(max(n, k.start+c.Hop), k.start+int(tailMargin*float64(tail))+c.NFFT)
	amplitude := o.amplitudes(s, min(c.Samples(s.Frames), sounding+c.NFFT)/c.Hop+1)
	out := o.tones(amplitude, k, sounding, ph)
	add(out, o.noise(amplitude, k, sounding, ph.Seed))
	stretchTail(out, k.start, tail)
	out = append(out, make([]float32, max(0, n-sounding))...)
	var peak float32
	for _, v := range out {
		peak = max(peak, v, -v)
	}
	var scale float32 // 0 where there is nothing but rounding errors
	if peak > silentPeak {
		scale = float32(audio.Amplitude(k.level)) / peak
	}
	for i := range out {
		out[i] *= scale
	}
	return out[:n]
}

// silentPeak is the largest sample, relative to that of a sound, that counts as silence.
const silentPeak = 1e-8

// tailMargin is how much longer than its tail a sound is made, so that the tail can be measured.
const tailMargin = 1.2

const (
	mostStretch = 25  // dB, the most by which stretchTail makes an end louder
	hingeDB     = -30 // below the loudest sample, where a tail begins
)

// stretchTail makes the tail of a sound, what follows its last sample above hingeDB, so much louder or quieter towards its
// end that it falls to tailDB after the given number of samples from the start. A sound that is cut off has no end to go by.
func stretchTail(x []float32, start, tail int) {
	c := audio.Clip{Samples: x, Channels: 1, Rate: 1}
	_, end := audio.SilenceBounds(c, tailDB)
	_, hinge := audio.SilenceBounds(c, hingeDB)
	if end == len(x) && start+tail >= end {
		return
	}
	if start+tail <= hinge {
		hinge = start
	}
	is, want := float64(end-hinge), float64(start+tail-hinge)
	if is < 1 || want < 1 {
		return
	}
	slope := (hingeDB - tailDB) * (1/is - 1/want) // dB per sample
	step := audio.Amplitude(min(slope, mostStretch/is))
	limit := audio.Amplitude(mostStretch)
	gain := 1.0
	for i := max(hinge, 0); i < len(x); i++ {
		x[i] *= float32(gain)
		gain = min(gain*step, limit)
	}
}

// silentValue is how far above the floor, as a factor of it, a value still is silence: a decoder's silence is not exact, and
// eight seconds of it would be heard.
const silentValue = 1.25

// amplitudes returns those of all filters in so many frames of the first hop, interpolated between the frames of s.
func (o *oneShot) amplitudes(s *Spectrogram, fine int) []float32 {
	c := o.config
	out := make([]float32, fine*c.Mels)
	gain := (c.Max - c.Min) / 2
	f, here, next := 0, 0, 0
	for g := range fine {
		for g >= next && f+1 < s.Frames {
			f++
			here, next = c.Samples(f)/c.Hop, c.Samples(f+1)/c.Hop
		}
		a, b := s.Data[max(0, f-1)*s.Bins:], s.Data[f*s.Bins:]
		part := float32(1)
		if next > here {
			part = float32(min(g, next)-here) / float32(next-here)
		}
		for m := range c.Mels {
			v := a[m] + part*(b[m]-a[m])
			out[g*c.Mels+m] = float32(max(0, math.Exp(c.Min+(float64(v)+1)*gain)-silentValue*c.Floor)) / o.gain[m]
		}
	}
	return out
}

// beginsLevel is the level in dB, relative to that of the next frames, below which nothing sounds before an attack.
const beginsLevel = -12

// begins reports whether the low part begins at a fine frame: whether its last frame that ends there is quiet.
func (o *oneShot) begins(amplitude []float32, frame int) bool {
	c := o.config
	reach := c.NFFT / 2 / c.Hop
	power := func(g int) (p float64) {
		if g < 0 {
			return 0
		}
		for _, a := range amplitude[g*c.Mels : g*c.Mels+o.lows] {
			p += float64(a) * float64(a)
		}
		return p
	}
	var after float64
	for g := frame; g <= min(frame+reach, len(amplitude)/c.Mels-1); g++ {
		after = max(after, power(g))
	}
	return power(frame-reach) < after*math.Pow(10, beginsLevel/10.0)
}

// tones reconstructs the low part. Where it begins at the attack, it is silent before.
func (o *oneShot) tones(amplitude []float32, k stroke, n int, ph Phase) []float32 {
	c := o.config
	start, lead := 0, 0 // frames that are left out, and those that are silent though an attack shows in them
	if frame := k.start / c.Hop; o.begins(amplitude, frame) {
		start = max(0, frame-c.NFFT/2/c.Hop)
		lead = frame - start
	}
	fine := len(amplitude)/c.Mels - start
	s := &Spectrogram{Config: o.low.config, Frames: fine, Bins: o.lows, Data: make([]float32, fine*o.lows)}
	for g := range fine {
		for m := range o.lows {
			s.Data[g*o.lows+m] = amplitude[(start+g)*c.Mels+m] * float32(o.weight[m])
		}
	}
	out := make([]float32, n)
	at := start * c.Hop
	if at >= n {
		return out
	}
	ph.Iterations *= lowIterations
	want := min((n-at)/o.factor+1, o.low.config.Samples(fine+1))
	x := o.low.phased(s, max(want, 1), min(lead*c.Hop/o.factor, want), ph)
	copy(out[at:], o.up.Resample(nil, x))
	if begin := at + lead*c.Hop; lead > 0 && begin < n {
		clear(out[:begin])
		fadeIn(out[begin:], c.SampleRate)
	}
	return out
}

// lowIterations is by how much the low part has more iterations: with once the number, 60 Hz is 19 cents off, with twice the
// number 35 Hz is more than 50 cents off in some kicks, and they are short.
const lowIterations = 3

// fadeTime is the length in seconds of the ramp at the beginning of an attack: inaudible, but no step.
const fadeTime = 0.0003

// fadeIn multiplies the first samples by a ramp.
func fadeIn(x []float32, rate int) {
	n := min(int(fadeTime*float64(rate)), len(x))
	for i := range n {
		x[i] *= float32(i) / float32(n)
	}
}

func add(dst, x []float32) {
	for i, v := range x {
		dst[i] += v
	}
}
