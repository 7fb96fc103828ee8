package fingerprint

import (
	"math"
	"time"

	"github.com/tphakala/simd/f32"

	"wavemill/audio"
)

const (
	innerRate = 16000         // Hz; the rate at which the band is cut out
	printRate = innerRate / 2 // Hz; the rate of the stored signs
	lowestHz  = 150           // lower edge of the band whose signs are stored; hum and offsets lie below
	highestHz = 1500          // upper edge: a period has at least 5 samples at printRate, so that a shift of half a sample changes few signs
	tapsHalf  = 96            // half the length of the band-pass filter, in samples at innerRate
	leastRate = 2000          // Hz; recordings of a lower rate get no Print: resampling would multiply their memory

	leastDuration = 5 * time.Millisecond // shorter recordings get no Print

	// envelopeShare is the share of the power, -26 dB, below which the band is too weak against noise to be used.
	envelopeShare = 1.0 / 400
)

// bandSignal returns the signal whose signs a Print stores, at printRate: the recording between lowestHz and highestHz.
// Where that band holds less than envelopeShare of the power up to 8 kHz (a hi-hat), the signal is the same band of the
// recording's absolute value, and envelope is true. The result is nil for what cannot be compared: a constant, a clip
// that is not valid, a rate below leastRate.
//
// The result lies in w and is valid until w is used again.
func (m *Maker) bandSignal(w *scratch, c audio.Clip) (y []float32, envelope bool) {
	if c.Rate < leastRate || c.Validate() != nil || c.Duration() < leastDuration || constant(c.Samples) {
		return nil, false
	}
	mono, _ := c.MixedDown()
	samples := grown(&w.samples, len(mono.Samples))
	for i, v := range mono.Samples {
		if v-v != 0 { // NaN or infinite
			v = 0
		}
		samples[i] = v
	}
	x, err := m.resamplers.Resample(audio.Clip{Samples: samples, Channels: 1, Rate: c.Rate}, innerRate)
	if err != nil {
		return nil, false
	}
	filter := m.bandPass()
	y = w.decimate(x.Samples, filter)
	if 2*power(y) >= envelopeShare*variation(x.Samples) {
		return y, false
	}
	if x, err = m.rectified(x); err != nil {
		return nil, false
	}
	return w.decimate(x.Samples, filter), true
}

// rectified returns the absolute value of x. It is taken at twice the rate, because its spectrum is twice as wide.
func (m *Maker) rectified(x audio.Clip) (audio.Clip, error) {
	wide, err := m.resamplers.Resample(x, 2*innerRate)
	if err != nil {
		return audio.Clip{}, err
	}
	for i, v := range wide.Samples {
		wide.Samples[i] = max(v, -v)
	}
	return m.resamplers.Resample(wide, innerRate)
}

func constant(x []float32) bool {
	for _, v := range x {
		if v != x[0] {
			return false
		}
	}
	return true
}

// bandPass is a windowed sinc (Hann) at innerRate with 2*tapsHalf+1 taps and linear phase.
func bandPass() []float32 {
	h := make([]float32, 2*tapsHalf+1)
	for i := range h {
		k := float64(i - tapsHalf)
		v := 2.0 * (highestHz - lowestHz) / innerRate
		if k != 0 {
			v = (math.Sin(2*math.Pi*highestHz/innerRate*k) - math.Sin(2*math.Pi*lowestHz/innerRate*k)) / (math.Pi * k)
		}
		h[i] = float32(v * (0.5 + 0.5*math.Cos(math.Pi*k/(tapsHalf+1))))
	}
	return h
}

// decimate filters x with the symmetric filter h and keeps every second sample. The result covers x and the tails of
// the filter; the filter's delay is constant and stays.
//
// Each sample is the sum of its products in the order of the taps, each product and each sum rounded, so that it has the same bits
// on every machine. The sums of a block of samples grow side by side, one tap after the other, in SIMD.
func (w *scratch) decimate(x, h []float32) []float32 {
	const tail = tapsHalf / 2 // samples at printRate
	y := grown(&w.y, (len(x)+1)/2+2*tail)
	clear(y)
	// Under tap j of sample i lies sample 2*i+j of x between zeros: with j even a sample of even, else one of odd.
	const before = (tapsHalf + 2*tail) / 2
	n, half := len(y)+len(h)/2+1, len(x)/2
	even, odd := grown(&w.even, n), grown(&w.odd, n)
	for _, part := range [][]float32{even, odd} {
		clear(part[:before])
		clear(part[before+half:])
	}
	f32.Deinterleave2(even[before:before+half], odd[before:before+half], x[:2*half])
	if len(x)%2 == 1 {
		even[before+half] = x[len(x)-1]
	}
	var products [decimateBlock]float32
	for first := 0; first < len(y); first += decimateBlock {
		sums := y[first:min(first+decimateBlock, len(y))]
		for j, tap := range h {
			part := even
			if j%2 == 1 {
				part = odd
			}
			at := first + j/2
			f32.Scale(products[:len(sums)], part[at:at+len(sums)], tap)
			f32.Add(sums, sums, products[:len(sums)])
		}
	}
	return y
}

// decimateBlock is how many samples decimate sums side by side: 8 KiB of sums and products stay in the fastest cache.
const decimateBlock = 1024

// scratch is memory for the signals of one recording, which the next one uses again.
type scratch struct{ samples, y, even, odd []float32 }

// grown returns n values of a buffer, whatever they are, and makes the buffer larger where it has fewer.
func grown(buffer *[]float32, n int) []float32 {
	if cap(*buffer) < n {
		*buffer = make([]float32, n)
	}
	return (*buffer)[:n]
}

// power is the sum of squares.
func power(x []float32) float64 {
	var sum float64
	for _, v := range x {
		sum += float64(float64(v) * float64(v))
	}
	return sum
}

// variation is the sum of squared distances from the mean.
func variation(x []float32) float64 {
	var mean float64
	for _, v := range x {
		mean += float64(v)
	}
	mean /= float64(max(1, len(x)))
	return max(0, power(x)-float64(len(x))*mean*mean)
}
