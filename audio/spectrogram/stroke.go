package spectrogram

import (
	"math"

	"wavemill/audio"
)

// A stroke is what the marks of a clip say; see oneShot.
type stroke struct {
	level float64 // of the loudest sample, in dB
	start int     // the sample at which the attack begins
	rise  float64 // seconds
	tail  float64 // seconds

	persistence float64 // of fine structure; see oneShot.persistence
}

// How an attack is found.
const (
	attackWindow = 1e-3 // seconds; the envelope's
	attackStart  = 0.1  // of the envelope's peak, where the rise begins
	attackEnd    = 0.9  // and where it ends
	loudHigh     = 0.1  // of the whole sound's peak; a high part that is quieter does not count
)

// slowRise is the rise in seconds from which on a sound sets in so gradually that its frames show it.
const slowRise = 0.03

// sharp reports whether the sound begins with the attack.
func (k stroke) sharp() bool { return k.rise < slowRise }

// Attack returns the sample at which the loudest attack of a sound begins. Only a Transform of ScaleOneShot looks for
// one; others return 0.
func (t *Transform) Attack(x []float32) int {
	if t.shot == nil {
		return 0
	}
	return t.shot.measure(x).start
}

// measure returns the stroke of a sound. The attack is that of the high part, except where that is quiet.
func (o *oneShot) measure(x []float32) stroke {
	rate := float64(o.config.SampleRate)
	low := o.up.Resample(nil, o.down.Resample(nil, x))
	high := make([]float32, len(x))
	var peak, top float32
	for i, v := range x {
		high[i] = v - low[i]
		peak, top = max(peak, v, -v), max(top, high[i], -high[i])
	}
	if top < loudHigh*peak {
		high = x
	}
	start, end := riseOf(high, max(1, int(attackWindow*rate)))
	_, last := audio.SilenceBounds(audio.Clip{Samples: x, Channels: 1, Rate: 1}, tailDB)
	return stroke{
		level: max(audio.Decibels(float64(peak)), -levelRange), start: start,
		rise: float64(end-start) / rate, tail: float64(max(last-start, 0)) / rate,
	}
}

// mark writes the marks, as many as dst has room for, for a frame that ends at a sample.
func (k stroke) mark(dst []float32, at int) {
	dst[markLevel] = -1
	if at >= k.start {
		dst[markLevel] = float32(min(max(1+k.level/(levelRange/2), -1), 1))
	}
	dst[markRise] = logarithmic(k.rise, leastRise, mostRise)
	dst[markTail] = logarithmic(k.tail, leastTail, mostTail)
	if len(dst) > markPersistence {
		dst[markPersistence] = float32(2*min(max(k.persistence, 0), 1) - 1)
	}
}

// strokeOf decodes the marks. The attack is at the step that fits the level best, by least squares.
func (o *oneShot) strokeOf(s *Spectrogram) stroke {
	mark := func(f, m int) float64 { return float64(s.Data[f*s.Bins+o.config.Mels+m]) }
	var rise, tail, persistence, sum, squares float64
	for f := range s.Frames {
		v := mark(f, markLevel)
		sum, squares, rise, tail = sum+v, squares+v*v, rise+mark(f, markRise), tail+mark(f, markTail)
		if o.config.Persistence {
			persistence += (mark(f, markPersistence) + 1) / 2
		}
	}
	at, level, least := 0, 0.0, math.Inf(1)
	var before float64 // squared error of the frames before the step, where the level is -1
	for f := range s.Frames {
		n := float64(s.Frames - f)
		if e := before + squares - sum*sum/n; e < least {
			at, level, least = f, sum/n, e
		}
		v := mark(f, markLevel)
		before += (v + 1) * (v + 1)
		sum, squares = sum-v, squares-v*v
	}
	return stroke{
		level: (min(max(level, -1), 1) - 1) * levelRange / 2, start: o.config.Samples(at + 1),
		rise: seconds(rise/float64(s.Frames), leastRise, mostRise), tail: seconds(tail/float64(s.Frames), leastTail, mostTail),
		persistence: min(max(persistence/float64(s.Frames), 0), 1),
	}
}

// logarithmic returns x between -1 and 1 on a logarithmic scale from low to high, and seconds is its inverse.
func logarithmic(x, low, high float64) float32 {
	return float32(2*math.Log(min(max(x, low), high)/low)/math.Log(high/low) - 1)
}

func seconds(v, low, high float64) float64 {
	return low * math.Exp((min(max(v, -1), 1)+1)/2*math.Log(high/low))
}

// riseOf returns where the envelope of x, the mean power of n samples, rises towards its peak: it begins after the last
// sample below a tenth of it, and ends at the first above nine tenths.
func riseOf(x []float32, n int) (start, end int) {
	if len(x) == 0 {
		return 0, 0
	}
	power := meanPower(x, n)
	at := 0
	for i, p := range power {
		if p > power[at] {
			at = i
		}
	}
	for start = at; start > 0 && power[start] >= attackStart*attackStart*power[at]; start-- {
	}
	for end = start; end < at && power[end] < attackEnd*attackEnd*power[at]; end++ {
	}
	return start, end
}

// meanPower returns the mean power of the n samples about every one.
func meanPower(x []float32, n int) []float64 {
	power := make([]float64, len(x))
	var sum float64
	for i := range len(x) + n/2 {
		if i < len(x) {
			sum += float64(x[i]) * float64(x[i])
		}
		if i >= n {
			sum -= float64(x[i-n]) * float64(x[i-n])
		}
		if k := i - n/2; k >= 0 && k < len(x) {
			power[k] = max(sum, 0) / float64(n)
		}
	}
	return power
}
