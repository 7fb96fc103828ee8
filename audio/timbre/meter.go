package timbre

import (
	"math"
	"runtime"
	"sync"
	"sync/atomic"

	"gonum.org/v1/gonum/dsp/fourier"

	"wavemill/audio"
	"wavemill/audio/spectrogram/fft"
	"wavemill/audio/stereo"
)

const (
	// rate is the rate in Hz at which clips are measured.
	rate = 44100
	// highLeast is the least rate in Hz of a clip whose band from 2 to 16 kHz is measured: an octave of it is left.
	highLeast = 8000
	// longest is how much of a clip is measured, in seconds; one-shots are shorter. It bounds the memory for clips of low
	// rates too.
	longest = 60
)

// Measure measures one clip. The hop rate is that of the spectrogram the clip may come from, rate/hop in Hz: 86.1 for a
// hop of 512 samples at 44.1 kHz; only Line depends on it. For many clips a Meter saves the preparations.
func Measure(c audio.Clip, hopRate float64) Measures { return NewMeter(hopRate).Measure(c) }

// A Meter measures clips. It keeps the plans of the transforms; it is used by one goroutine at a time.
type Meter struct {
	hopRate    float64 // Hz
	resamplers audio.Resamplers
	high, low  butterworth

	// The transforms are planned when first used.
	modulation, pitch *fourier.FFT
	hilbert           *hilbert
	fine              *fft.Batch
}

// NewMeter makes a Meter for spectrograms of a hop rate in Hz, see Measure.
func NewMeter(hopRate float64) *Meter {
	return &Meter{hopRate: hopRate, high: bandPass(2000, 16000), low: lowPass(200)}
}

// Measure measures a clip. It does not change or keep its samples.
func (m *Meter) Measure(c audio.Clip) Measures {
	out := Undefined()
	x, ok := m.signal(c)
	if !ok {
		return out
	}
	lo, hi := within(x, -40)
	y := x[lo:hi]
	out.Pitch, out.Warble = m.tone(y)
	if c.Rate >= highLeast {
		out.Flutter, out.Line = m.flutter(y)
		out.Persistence = m.persistence(y, float64(c.Rate)/2)
	}
	out.Attack = attack(y)
	lo, hi = within(x, -60)
	out.Tail = float64(hi-lo) / rate
	out.Peak = audio.Decibels(largest(x))
	if c.Channels == 2 {
		p := stereo.PlaceOf(c)
		out.Pan, out.Width = p.Pan, p.Width
	}
	return out
}

// signal is the clip in mono at 44.1 kHz; false if there is nothing to measure.
func (m *Meter) signal(c audio.Clip) ([]float64, bool) {
	if c.Validate() != nil {
		return nil, false
	}
	if c.Frames()/longest >= c.Rate {
		c.Samples = c.Samples[:longest*c.Rate*c.Channels]
	}
	one, _ := c.MixedDown()
	mono, err := m.resamplers.Resample(one, rate)
	if err != nil {
		return nil, false
	}
	x := make([]float64, len(mono.Samples))
	for i, v := range mono.Samples {
		x[i] = float64(v)
	}
	peak := largest(x) // NaN if any sample is.
	return x, peak > 0 && !math.IsInf(peak, 0)
}

// All measures clips on all cores, in their order. See Measure.
func All(clips []audio.Clip, hopRate float64) []Measures {
	out := make([]Measures, len(clips))
	var next atomic.Int64
	var workers sync.WaitGroup
	for range min(runtime.GOMAXPROCS(0), len(clips)) {
		workers.Go(func() {
			meter := NewMeter(hopRate)
			for i := next.Add(1) - 1; i < int64(len(clips)); i = next.Add(1) - 1 {
				out[i] = meter.Measure(clips[i])
			}
		})
	}
	workers.Wait()
	return out
}
