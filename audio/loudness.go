package audio

import "math"

// LUFS is the integrated loudness by ITU-R BS.1770-4 (K-weighted, gated), -Inf when no 400 ms block
// of the clip is louder than -70 LUFS, so also for clips shorter than that. Channels count alike,
// except in clips of five or six, which are taken as L R C [LFE] Ls Rs: the surrounds weigh 1.41 and
// the LFE nothing.
func (c Clip) LUFS() float64 {
	if c.Validate() != nil {
		return math.Inf(-1)
	}
	m := NewLoudness(c.Channels, c.Rate)
	m.Write(c.Samples)
	return m.Integrated()
}

// Loudness measures integrated loudness block by block; it keeps eight bytes for every 100 ms. It is
// not safe for concurrent use.
type Loudness struct {
	channels int
	step     int // Frames in 100 ms.
	filters  [][2]biquad
	weights  []float64
	filled   int       // Frames in the current step.
	sum      float64   // Weighted energy of the current step.
	steps    []float64 // Weighted mean square of each 100 ms.
}

// NewLoudness prepares a measurement. It panics when channels or rate is not positive.
func NewLoudness(channels, rate int) *Loudness {
	if channels <= 0 || rate <= 0 {
		panic("audio: loudness needs a positive number of channels and a positive rate")
	}
	m := &Loudness{channels: channels, step: max(1, (rate+5)/10)}
	for c := range channels {
		m.filters = append(m.filters, [2]biquad{shelf(rate), highPass(rate)})
		m.weights = append(m.weights, channelWeight(c, channels))
	}
	return m
}

func channelWeight(c, channels int) float64 {
	const surround = 1.41
	switch {
	case channels == 5 && c >= 3, channels == 6 && c >= 4:
		return surround
	case channels == 6 && c == 3:
		return 0
	}
	return 1
}

// Write adds interleaved samples, which must fill whole frames.
func (m *Loudness) Write(samples []float32) {
	for len(samples) >= m.channels {
		n := min(m.step-m.filled, len(samples)/m.channels)
		block := samples[:n*m.channels]
		for c, w := range m.weights {
			if w != 0 {
				m.sum += w * m.energy(block, c)
			}
		}
		m.filled += n
		samples = samples[len(block):]
		if m.filled == m.step {
			m.steps = append(m.steps, m.sum/float64(m.step))
			m.filled, m.sum = 0, 0
		}
	}
}

// energy filters one channel of a block and sums its squares.
func (m *Loudness) energy(block []float32, c int) float64 {
	f := &m.filters[c]
	var sum float64
	for i := c; i < len(block); i += m.channels {
		y := f[1].filter(f[0].filter(float64(block[i])))
		sum += y * y
	}
	return sum
}

// Integrated is the loudness of all that was written, in LUFS.
func (m *Loudness) Integrated() float64 {
	const overlap = 4 // A block is 400 ms, four steps; the next begins one step later.
	var blocks []float64
	for i := range len(m.steps) - overlap + 1 {
		s := m.steps[i : i+overlap]
		blocks = append(blocks, (s[0]+s[1]+s[2]+s[3])/overlap)
	}
	const absolute, relative = -70, -10
	gate := math.Pow(10, (absolute+lufsOffset)/10)
	mean := meanAbove(blocks, gate)
	mean = meanAbove(blocks, max(gate, mean*math.Pow(10, relative/10.)))
	return 10*math.Log10(mean) - lufsOffset
}

// lufsOffset is BS.1770's constant, which makes a full-scale 997 Hz sine in one channel -3.01 LUFS.
const lufsOffset = 0.691

// meanAbove is the mean of the values above a gate, 0 when there are none.
func meanAbove(values []float64, gate float64) float64 {
	var sum float64
	n := 0
	for _, v := range values {
		if v > gate {
			sum += v
			n++
		}
	}
	if n == 0 {
		return 0
	}
	return sum / float64(n)
}

// biquad is a second-order section in transposed direct form II.
type biquad struct {
	b0, b1, b2, a1, a2 float64
	z1, z2             float64
}

func (q *biquad) filter(x float64) float64 {
	y := q.b0*x + q.z1
	q.z1 = q.b1*x - q.a1*y + q.z2
	q.z2 = q.b2*x - q.a2*y
	return y
}

// shelf is BS.1770's first stage, the effect of the head: 4 dB more above 1.7 kHz. The standard
// lists coefficients for 48 kHz; these parameters give them there and the same response at any rate.
// Below 4 kHz there is nothing for it to raise, and it passes everything.
func shelf(rate int) biquad {
	const f0, gain, quality = 1681.974450955533, 3.999843853973347, 0.7071752369554196
	if rate < 4000 {
		return biquad{b0: 1}
	}
	k := math.Tan(math.Pi * f0 / float64(rate))
	vh := math.Pow(10, gain/20)
	vb := math.Pow(vh, 0.4996667741545416)
	a0 := 1 + k/quality + k*k
	return biquad{
		b0: (vh + vb*k/quality + k*k) / a0,
		b1: 2 * (k*k - vh) / a0,
		b2: (vh - vb*k/quality + k*k) / a0,
		a1: 2 * (k*k - 1) / a0,
		a2: (1 - k/quality + k*k) / a0,
	}
}

// highPass is BS.1770's second stage, the revised low-frequency B curve. The standard's numerator
// for 48 kHz is (1, -2, 1), which passes high frequencies 0.04 dB raised; other rates keep that gain.
func highPass(rate int) biquad {
	a0, a1, a2 := lowFrequencyB(max(rate, 100))
	standard, _, _ := lowFrequencyB(48000)
	b := standard / a0
	return biquad{b0: b, b1: -2 * b, b2: b, a1: a1, a2: a2}
}

// lowFrequencyB is the denominator, with a1 and a2 in units of a0.
func lowFrequencyB(rate int) (a0, a1, a2 float64) {
	const f0, quality = 38.13547087602444, 0.5003270373238773
	k := math.Tan(math.Pi * f0 / float64(rate))
	a0 = 1 + k/quality + k*k
	return a0, 2 * (k*k - 1) / a0, (1 - k/quality + k*k) / a0
}
