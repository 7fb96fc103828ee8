package fingerprint

import (
	"math"
	"time"

	"wavemill/audio"
	"wavemill/internal/cpu"
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
	x := grown(&w.samples, len(mono.Samples))
	for i, v := range mono.Samples {
		if v-v != 0 { // NaN or infinite
			v = 0
		}
		x[i] = v
	}
	filters := m.bandPasses()
	rate, inBand := innerRate, 0.0 // of x, and the power of the band in x
	if c.Rate == printRate {       // As good and at half the price without another rate.
		rate = printRate
		y = w.filter(x, filters.print, cpu.Current())
		inBand = power(y)
	} else {
		var err error
		if x, err = m.resampled(&w.inner, x, c.Rate, innerRate); err != nil {
			return nil, false
		}
		y = w.decimate(x, filters.inner, cpu.Current())
		inBand = 2 * power(y)
	}
	if inBand >= envelopeShare*variation(x) {
		return y, false
	}
	x, err := m.rectified(w, x, rate)
	if err != nil {
		return nil, false
	}
	return w.decimate(x, filters.inner, cpu.Current()), true
}

// rectified returns the absolute value of x, of a rate, at innerRate. It is taken at twice the rate, because its spectrum is twice
// as wide.
func (m *Maker) rectified(w *scratch, x []float32, rate int) ([]float32, error) {
	wide, err := m.resampled(&w.wide, x, rate, 2*rate)
	if err != nil {
		return nil, err
	}
	for i, v := range wide {
		wide[i] = max(v, -v)
	}
	return m.resampled(&w.inner, wide, 2*rate, innerRate)
}

// resampled returns x at another rate, in a buffer. At the rate that x has it is x itself.
func (m *Maker) resampled(buffer *[]float32, x []float32, from, to int) ([]float32, error) {
	if from == to {
		return x, nil
	}
	r, err := m.resamplers.Get(from, to)
	if err != nil {
		return nil, err
	}
	*buffer = r.Resample((*buffer)[:0], x)
	return *buffer, nil
}

func constant(x []float32) bool {
	for _, v := range x {
		if v != x[0] {
			return false
		}
	}
	return true
}

// bandPasses are the band-pass filters at innerRate and at printRate, of 12 ms each.
type bandPasses struct{ inner, print []float32 }

// bandPass is a windowed sinc (Hann) at a rate with 2*half+1 taps and linear phase.
func bandPass(rate float64, half int) []float32 {
	h := make([]float32, 2*half+1)
	for i := range h {
		k := float64(i - half)
		v := 2.0 * (highestHz - lowestHz) / rate
		if k != 0 {
			v = (math.Sin(2*math.Pi*highestHz/rate*k) - math.Sin(2*math.Pi*lowestHz/rate*k)) / (math.Pi * k)
		}
		h[i] = float32(v * (0.5 + 0.5*math.Cos(math.Pi*k/float64(half+1))))
	}
	return h
}

// scratch is memory for the signals of one recording, which the next one uses again.
type scratch struct{ samples, inner, wide, y, even, odd []float32 }

// grown returns n values of a buffer, whatever they are, and makes the buffer larger where it has fewer.
func grown(buffer *[]float32, n int) []float32 {
	if cap(*buffer) < n {
		*buffer = make([]float32, n)
	}
	return (*buffer)[:n]
}

// power is the sum of squares.
func power(x []float32) float64 {
	_, squares := sums(x)
	return squares
}

// variation is the sum of squared distances from the mean.
func variation(x []float32) float64 {
	sum, squares := sums(x)
	mean := sum / float64(max(1, len(x)))
	return max(0, squares-float64(len(x))*mean*mean)
}

// sums adds up samples and their squares, in order. It converts four samples before it adds them: the compiler lets a conversion
// wait for the addition before it.
func sums(x []float32) (sum, squares float64) {
	for ; len(x) >= 4; x = x[4:] {
		a, b, c, d := float64(x[0]), float64(x[1]), float64(x[2]), float64(x[3])
		sum = sum + a + b + c + d
		squares = squares + float64(a*a) + float64(b*b) + float64(c*c) + float64(d*d)
	}
	for _, v := range x {
		sum += float64(v)
		squares += float64(float64(v) * float64(v))
	}
	return sum, squares
}
