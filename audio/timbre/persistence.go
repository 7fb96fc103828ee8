package timbre

import (
	"math"

	"wavemill/audio/spectrogram/fft"
	"wavemill/internal/stats"
)

const (
	fineLen  = 2048  // samples of a frame, 46 ms
	fineHop  = 735   // samples from frame to frame, 16.7 ms
	fineLag  = 3     // frames, 50 ms: frames that are compared share no sample
	fineFrom = 2000  // Hz
	fineTo   = 16000 // Hz
	// fineSmooth is the width in bins (21.5 Hz each) of the mean that is taken from the log spectrum to leave its fine structure.
	fineSmooth = 31
	// fineRange is how far below the loudest frame a frame may be, in dB of its power in the band.
	fineRange = 30
	// finePairs is how many pairs of frames there must be.
	finePairs = 2
)

// persistence measures Persistence of a clip without the silence about it, whose own Nyquist frequency is given in Hz.
func (m *Meter) persistence(y []float64, nyquist float64) float64 {
	lo, hi := bin(fineFrom), bin(min(fineTo, 0.9*nyquist))
	frames := m.fineFrames(y, lo, hi)
	var loudest float64
	for _, f := range frames {
		loudest = max(loudest, f.power)
	}
	least := loudest * math.Pow(10, -fineRange/10.0)
	var sum float64
	var pairs int
	for t := fineLag; t < len(frames); t++ {
		if frames[t-fineLag].power > least && frames[t].power > least {
			sum += stats.Correlation(frames[t-fineLag].structure, frames[t].structure)
			pairs++
		}
	}
	if pairs < finePairs {
		return math.NaN()
	}
	return sum / float64(pairs)
}

func bin(hz float64) int { return int(math.Round(hz * fineLen / rate)) }

// A fineFrame is the log spectrum of a frame less its smoothed version, and its power.
type fineFrame struct {
	structure []float64
	power     float64
}

// fineFrames are the frames of y, in the bins [lo, hi). y is transformed relative to its peak, so that the squares of any
// level are in the range of float32.
func (m *Meter) fineFrames(y []float64, lo, hi int) []fineFrame {
	if len(y) < fineLen {
		return nil
	}
	if m.fine == nil {
		b, err := newFineBatch()
		if err != nil {
			return nil // No kernels, which is an error wherever there are spectrograms.
		}
		m.fine = b
	}
	count, lanes := (len(y)-fineLen)/fineHop+1, m.fine.Lanes()
	padded := make([]float32, (count+lanes)*fineHop+fineLen)
	scale := 1 / largest(y)
	for i, v := range y {
		padded[i] = float32(v * scale)
	}
	frames := make([]fineFrame, count)
	for at := 0; at < count; at += lanes {
		rows := m.fine.Forward(padded[at*fineHop:], fineHop)
		for l := range min(lanes, count-at) {
			frames[at+l] = newFineFrame(rows, l, lanes, lo, hi)
		}
	}
	return frames
}

// newFineBatch plans the transforms of windowed frames.
func newFineBatch() (*fft.Batch, error) {
	window := make([]float64, fineLen)
	for i := range window {
		window[i] = hann(i, fineLen+1)
	}
	return fft.NewBatch(fineLen, window, nil)
}

// newFineFrame reads the spectrum of a lane from rows.
func newFineFrame(rows []float32, lane, lanes, lo, hi int) fineFrame {
	levels := make([]float64, hi-lo)
	var power float64
	for k := range levels {
		at := 2*(lo+k)*lanes + lane
		re, im := float64(rows[at]), float64(rows[at+lanes])
		levels[k] = re*re + im*im
		power += levels[k]
	}
	floor := 1e-9*power/float64(len(levels)) + math.SmallestNonzeroFloat64 // A bin of zero has a level too.
	for k, v := range levels {
		levels[k] = math.Log(v + floor)
	}
	return fineFrame{stats.AboutMean(levels, fineSmooth), power}
}
