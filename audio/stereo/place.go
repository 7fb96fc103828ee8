package stereo

import (
	"math"

	"wavemill/audio"
)

// Limit is the largest pan and width in dB, either way: beyond 30 dB, the weaker is not heard beside the stronger.
const Limit = 30.0

// A Place is where the sound of a clip is.
type Place struct {
	// Pan is the power of the right channel relative to the left in dB: 0 in the middle, negative on the left.
	Pan float64 `json:"pan_db"`
	// Width is the power of the side, (L-R)/2, relative to the mid, (L+R)/2, in dB: -30 for one channel, 0 where the
	// channels have nothing in common or one is silent, above 0 where they cancel.
	Width float64 `json:"width_db"`
}

// PlaceOf measures a clip; both figures are limited to ±Limit. One channel, silence and more than two channels are in the
// middle, without width.
func PlaceOf(c audio.Clip) Place {
	var m Meter
	if c.Channels == 2 {
		m.Add(c.Samples)
	}
	return m.Place()
}

// A Meter measures the place of a sound that comes in blocks. The zero Meter is ready.
type Meter struct{ sum powers }

// Add adds interleaved samples of two channels.
func (m *Meter) Add(samples []float32) {
	for i := 0; i+1 < len(samples); i += 2 {
		m.sum.add(float64(samples[i]), float64(samples[i+1]))
	}
}

// Place is that of what was added, as PlaceOf measures it.
func (m *Meter) Place() Place {
	sum := m.sum
	if !(sum.sum() > 0) || math.IsInf(sum.sum(), 0) {
		return Place{0, -Limit}
	}
	return Place{Pan: ratio(sum.rr, sum.ll), Width: ratio(sum.sum()-2*sum.lr, sum.sum()+2*sum.lr)}
}

// differs is the width in dB from which two channels differ: one 1 dB louder than the other has -24.8.
const differs = -25

// Differs reports whether a clip has two channels that differ to the ear: one is 1 dB louder than the other, or as much
// of the sound is not common to both. Channels that are equal but for dither do not.
func Differs(c audio.Clip) bool { return c.Channels == 2 && PlaceOf(c).Width > differs }

// powers are those of two channels, and the real part of their product.
type powers struct{ ll, rr, lr float64 }

func (p *powers) add(l, r float64) {
	p.ll += l * l
	p.rr += r * r
	p.lr += l * r
}

// plus adds a times q.
func (p *powers) plus(q powers, a float64) {
	p.ll += a * q.ll
	p.rr += a * q.rr
	p.lr += a * q.lr
}

func (p powers) sum() float64 { return p.ll + p.rr }

// unit returns p with the sum 1, or other where there is nothing.
func (p powers) unit(other powers) powers {
	s := p.sum()
	if !(s > 0) {
		return other
	}
	return powers{p.ll / s, p.rr / s, p.lr / s}
}

// ratio is a/b in dB within the limits.
func ratio(a, b float64) float64 {
	const least = 1e-30
	return min(max(10*math.Log10(max(a, least)/max(b, least)), -Limit), Limit)
}
