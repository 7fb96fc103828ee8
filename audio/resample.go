package audio

import (
	"fmt"
	"math"

	"github.com/tphakala/simd/f32"
)

// maxRatio bounds how far Resample converts, either way. 8 kHz to 384 kHz is 48; what lies beyond
// 256 is a broken header, and would make a small file huge.
const maxRatio = 256

// Resample converts a clip to another rate. The result has exactly ceil(frames*rate/c.Rate) frames,
// no delay, and aliases and images below -120 dB (see Resampler). A clip that has the rate already
// is returned as it is, sharing its samples.
func Resample(c Clip, rate int) (Clip, error) {
	if err := c.Validate(); err != nil {
		return Clip{}, err
	}
	if c.Rate == rate {
		return c, nil
	}
	r, err := NewResampler(c.Rate, rate)
	if err != nil {
		return Clip{}, fmt.Errorf("%w (clip %q)", err, c.Source)
	}
	m := r.OutputFrames(c.Frames())
	if c.Channels == 1 {
		c.Samples, c.Rate = r.Resample(make([]float32, 0, m), c.Samples), rate
		return c, nil
	}
	out := make([]float32, m*c.Channels)
	buf := make([]float32, 0, m)
	for k := range c.Channels {
		buf = r.Resample(buf[:0], c.Channel(k).Samples)
		for i, v := range buf {
			out[i*c.Channels+k] = v
		}
	}
	c.Samples, c.Rate = out, rate
	return c, nil
}

// A Resampler converts one channel from one rate to another with a Kaiser-windowed sinc in
// polyphase form: linear phase, zero delay, flat to 0.9 of the lower Nyquist frequency and below
// -120 dB from there on up. It is immutable and safe for concurrent use; its phase table is shared
// by all Resamplers of the same ratio.
type Resampler struct {
	up, down int // Output and input rate in lowest terms.
	table    *phaseTable
}

// NewResampler prepares the conversion between two rates in Hz. Both must be positive and within a
// factor of 256 of each other.
func NewResampler(from, to int) (*Resampler, error) {
	if from <= 0 || to <= 0 || from > math.MaxInt32 || to > math.MaxInt32 {
		return nil, fmt.Errorf("audio: cannot resample from %d Hz to %d Hz: rates must be positive and below 2^31", from, to)
	}
	if float64(from) > maxRatio*float64(to) || float64(to) > maxRatio*float64(from) {
		return nil, fmt.Errorf("audio: cannot resample from %d Hz to %d Hz: the rates differ by more than a factor of %d", from, to, maxRatio)
	}
	g := gcd(from, to)
	up, down := to/g, from/g
	return &Resampler{up: up, down: down, table: tables.get(up, down)}, nil
}

func gcd(a, b int) int {
	for b != 0 {
		a, b = b, a%b
	}
	return a
}

// OutputFrames is the exact length of the result for n input frames: ceil(n*to/from).
func (r *Resampler) OutputFrames(n int) int {
	if n <= 0 {
		return 0
	}
	whole, rest := n/r.down, n%r.down
	return whole*r.up + (rest*r.up+r.down-1)/r.down
}

// Resample appends the whole of a signal, taken to be zero before its start and after its end, at
// the new rate to dst and returns the extended slice. Output frame k lies at input time k*from/to.
func (r *Resampler) Resample(dst, x []float32) []float32 {
	n := r.OutputFrames(len(x))
	start := len(dst)
	if cap(dst)-start < n {
		dst = append(make([]float32, 0, start+n), dst...)
	}
	dst = dst[:start+n]
	r.run(dst[start:], x, 0, position{})
	return dst
}

// position is an output's place on the input's time axis: whole input samples and a remainder in
// units of 1/up of an input sample.
type position struct{ whole, rest int }

func (r *Resampler) advance(p position) position {
	p.rest += r.down
	p.whole += p.rest / r.up
	p.rest %= r.up
	return p
}

// run computes len(dst) outputs from position p on. x[0] is input sample origin; what lies outside
// x is zero.
func (r *Resampler) run(dst, x []float32, origin int, p position) {
	t := r.table
	for k := range dst {
		lo := p.whole - t.half + 1 - origin // x index under tap 0.
		a, b := max(0, -lo), min(t.taps, len(x)-lo)
		if a < b {
			dst[k] = r.tap(x[lo+a:lo+b], p.rest, a, b)
		} else {
			dst[k] = 0
		}
		p = r.advance(p)
	}
}

// tap applies taps a to b of the filter at a remainder to as many samples.
func (r *Resampler) tap(x []float32, rest, a, b int) float32 {
	t := r.table
	if t.exact {
		return f32.DotProduct(x, t.row(rest)[a:b])
	}
	at := float64(rest) / float64(r.up) * float64(t.phases)
	row := int(math.Floor(at))
	w := float32(at - float64(row))
	y0 := f32.DotProduct(x, t.row(row)[a:b])
	y1 := f32.DotProduct(x, t.row(row + 1)[a:b])
	return y0 + w*(y1-y0)
}
