package spectrogram

import (
	"errors"
	"fmt"
	"math"
	"unsafe"

	"wavemill/audio/spectrogram/fft"
)

// A Spectrogram is Frames by Bins values and the Config that made them, time-major: bin f of frame t is
// Data[t*Bins+f].
type Spectrogram struct {
	Config Config
	Frames int
	Bins   int
	Data   []float32
}

// A Transform computes spectrograms of one Config and inverts them. It owns its scratch memory, so that it allocates
// nothing per frame, and is not safe for concurrent use: make one per goroutine.
//
// It processes blocks of frames, one frame per vector lane; see package fft.
type Transform struct {
	config     Config
	shot       *oneShot   // does all the work for ScaleOneShot
	tonal      bool       // phase reconstruction takes the window for a Hann window and the bins for tones
	gradient   gradient   // scratch of phase gradient heap integration
	refinement refinement // scratch of Griffin-Lim iterations
	batch      *fft.Batch
	lanes      int
	linear     int // values per frame before any filter, NFFT/2 + 1
	window     []float64

	filters *fft.Filters // mel only
	bands   []band
	levels  *fft.Levels // log only
	inverse *melInverse // made when first needed, as circle is
	circle  circle

	edge      []float32 // samples of a block that reaches beyond the signal
	partial   []float32 // lanes of a block that has fewer frames than lanes
	magnitude []float32 // rows
	feature   []float32 // rows
	spectrum  []float32 // rows
	signal    []float32 // overlap-added frames
	gain      envelope
}

// minOverlap is the least sum of squared windows at their hop, relative to the greatest: below it the inverse would amplify
// rounding errors by more than 1000.
const minOverlap = 1e-6

// New makes a Transform. It fails if c is not valid or if its window cannot be inverted at its hop: the squared windows
// of overlapping frames must not vanish anywhere.
func New(c Config) (*Transform, error) {
	if err := c.Validate(); err != nil {
		return nil, err
	}
	if c.Channels != 0 {
		return nil, errStereo
	}
	if c.Scale == ScaleOneShot {
		shot, err := newOneShot(c)
		if err != nil {
			return nil, err
		}
		return &Transform{config: c, shot: shot}, nil
	}
	w := window(c)
	low, high := overlapRange(w, c.Hop)
	if !(low > minOverlap*high) {
		return nil, fmt.Errorf("spectrogram config: window %q at hop %d of n_fft %d is not invertible: its squares add up to %.3g at least, %.3g at most; choose a shorter hop",
			c.Window, c.Hop, c.NFFT, low, high)
	}
	batch, err := fft.NewBatch(c.NFFT, w, w)
	if err != nil {
		return nil, fmt.Errorf("spectrogram config: %w", err)
	}
	t := &Transform{config: c, batch: batch, lanes: batch.Lanes(), linear: batch.Bins(), window: w}
	t.magnitude = batch.Rows(t.linear)
	if c.Scale == ScaleMel {
		t.planMel()
	}
	if c.isLog() {
		t.levels = c.levels()
	}
	return t, nil
}

// overlapRange returns the least and the greatest sum of squared windows in an endless series of frames.
func overlapRange(w []float64, hop int) (low, high float64) {
	low = math.Inf(1)
	for p := range hop {
		var sum float64
		for i := p; i < len(w); i += hop {
			sum += w[i] * w[i]
		}
		low, high = min(low, sum), max(high, sum)
	}
	return low, high
}

func (t *Transform) planMel() {
	t.bands = melBands(t.config)
	first, weights := make([]int, len(t.bands)), make([][]float32, len(t.bands))
	for m, b := range t.bands {
		first[m], weights[m] = b.first, b.weights
	}
	t.filters = t.batch.NewFilters(first, weights)
	t.feature = t.batch.Rows(t.config.Mels)
}

// Config returns the Config that t was made from.
func (t *Transform) Config() Config { return t.config }

// span is the number of samples that a block of frames covers.
func (t *Transform) span() int { return (t.lanes-1)*t.config.Hop + t.config.NFFT }

// block returns the samples that the frames from the given one on cover, for as many frames as there are lanes: a part of x,
// or a copy where they reach beyond it.
func (t *Transform) block(x []float32, frame int) []float32 {
	start, n := frame*t.config.Hop-t.config.NFFT/2, t.span()
	if start >= 0 && start+n <= len(x) {
		return x[start : start+n]
	}
	t.edge = grow(t.edge, n)
	clear(t.edge)
	lo, hi := max(0, -start), min(n, len(x)-start)
	if lo < hi {
		copy(t.edge[lo:hi], x[start+lo:])
	}
	if t.config.Pad == PadReflect && len(x) > 0 {
		for i := range lo {
			t.edge[i] = mirrored(x, start+i)
		}
		// Frames beyond the last may cover anything: their lanes are not used.
		last := (t.config.Frames(len(x))-1-frame)*t.config.Hop + t.config.NFFT
		for i := max(0, hi); i < min(n, last); i++ {
			t.edge[i] = mirrored(x, start+i)
		}
	}
	return t.edge
}

// mirrored is sample i of x continued by mirroring at its ends, which are not repeated.
func mirrored(x []float32, i int) float32 {
	period := 2 * (len(x) - 1)
	if period == 0 {
		return x[0]
	}
	i = ((i % period) + period) % period
	return x[min(i, period-i)]
}

// STFT writes the short-time Fourier transform of x to dst, Frames(len(x)) by NFFT/2+1 values, time-major, and returns
// it. It is not normalised, like torch.stft. A dst that is nil or too short is replaced. It panics for ScaleOneShot, which has
// two transforms.
func (t *Transform) STFT(dst []complex64, x []float32) []complex64 {
	t.mustBeOne()
	frames := t.config.Frames(len(x))
	dst = grow(dst, frames*t.linear)
	out, stride := floats(dst), 2*t.linear
	for f := 0; f < frames; f += t.lanes {
		s := t.batch.Forward(t.block(x, f), t.config.Hop)
		t.scatter(out[f*stride:], s, stride, frames-f)
	}
	return dst
}

func (t *Transform) mustBeOne() {
	if t.shot != nil {
		panic(fmt.Sprintf("spectrogram: the scale %q has two transforms", ScaleOneShot))
	}
}

// scatter writes rows of the block's first frames (at most as many as there are lanes) to dst, frame by frame.
func (t *Transform) scatter(dst, src []float32, rows, frames int) {
	if frames >= t.lanes {
		t.batch.Scatter(dst, rows, src, rows)
		return
	}
	t.partial = grow(t.partial, t.lanes*rows)
	t.batch.Scatter(t.partial, rows, src, rows)
	copy(dst, t.partial[:frames*rows])
}

// gather is the inverse of scatter: it fills rows of the block's first frames from src; the other lanes are zero.
func (t *Transform) gather(dst, src []float32, rows, frames int) {
	if frames < t.lanes {
		t.partial = grow(t.partial, t.lanes*rows)
		clear(t.partial[copy(t.partial, src[:frames*rows]):])
		src = t.partial
	}
	t.batch.Gather(dst, src, rows, rows)
}

// ISTFT writes the n samples whose STFT is closest to s in the least-squares sense to dst and returns it; n <= 0 is the
// natural length, Samples(frames). It inverts STFT up to rounding errors if s has Frames(n) frames; samples that no frame
// covers are zero. A dst that is nil or too short is replaced. It panics if s is not a whole number of frames, and for
// ScaleOneShot.
//
// The last n%Hop samples are covered only by the tails of the last frames' windows. With a Hann window at the longest hop,
// NFFT/2, rounding errors grow there by up to 1/window; at a hop of NFFT/4 they do not.
func (t *Transform) ISTFT(dst []float32, s []complex64, n int) []float32 {
	t.mustBeOne()
	if len(s)%t.linear != 0 {
		panic(fmt.Sprintf("spectrogram: ISTFT of %d values, not whole frames of %d", len(s), t.linear))
	}
	frames := len(s) / t.linear
	if n <= 0 {
		n = t.config.Samples(frames)
	}
	return t.finish(dst, t.overlap(s, frames), frames, n)
}

// overlap adds up the windowed inverse transforms of the frames of s: sample i of the signal is at i + NFFT/2.
func (t *Transform) overlap(s []complex64, frames int) []float32 {
	blocks := (frames + t.lanes - 1) / t.lanes
	t.signal = grow(t.signal, max(0, blocks-1)*t.lanes*t.config.Hop+t.span())
	clear(t.signal)
	if t.spectrum == nil {
		t.spectrum = t.batch.Rows(2 * t.linear)
	}
	in, stride := floats(s), 2*t.linear
	for f := 0; f < frames; f += t.lanes {
		t.gather(t.spectrum, in[f*stride:], stride, frames-f)
		t.batch.Inverse(t.signal[f*t.config.Hop:], t.config.Hop, t.spectrum)
	}
	return t.signal
}

// finish divides overlapped frames by their squared windows and cuts out the n samples of the signal.
func (t *Transform) finish(dst, sum []float32, frames, n int) []float32 {
	dst = grow(dst, n)
	clear(dst)
	half := t.config.NFFT / 2
	gain := t.gain.of(t.window, t.config.Hop, frames)
	m := min(n, max(0, len(gain)-half))
	if m > 0 {
		scale(dst[:m], sum[half:half+m], gain[half:half+m])
	}
	return dst
}

// An envelope holds the factors that overlapped frames are multiplied by, for one number of frames.
type envelope struct {
	frames int
	gain   []float32
}

// of returns the reciprocals of the sum of the squared windows of frames, zero where it vanishes: (frames-1)*hop+len(w)
// values.
func (e *envelope) of(w []float64, hop, frames int) []float32 {
	if e.frames == frames {
		return e.gain
	}
	e.frames = frames
	e.gain = grow(e.gain, max(0, frames-1)*hop+min(frames, 1)*len(w))
	inner := make([]float32, hop)
	for p := range e.gain {
		// Frames max(0, ...) to last cover position p.
		whole := p >= len(w)-hop && p/hop < frames
		if whole && p >= len(w) {
			e.gain[p] = inner[p%hop]
			continue
		}
		var sum float64
		for f := min(p/hop, frames-1); f >= 0 && p-f*hop < len(w); f-- {
			sum += w[p-f*hop] * w[p-f*hop]
		}
		var g float32
		if sum > 1e-11 { // torch.istft's limit
			g = float32(1 / sum)
		}
		e.gain[p] = g
		if whole {
			inner[p%hop] = g
		}
	}
	return e.gain
}

// check returns an error if s is not a spectrogram of t's Config.
func (t *Transform) check(s *Spectrogram) error {
	switch {
	case s == nil:
		return errors.New("spectrogram: nothing to reconstruct from")
	case s.Config != t.config:
		return fmt.Errorf("spectrogram: its config %+v is not the transform's, %+v", s.Config, t.config)
	case s.Bins != t.config.Bins() || s.Frames < 1 || len(s.Data) != s.Frames*s.Bins:
		return fmt.Errorf("spectrogram: %d values for %d frames of %d bins; its config has %d bins", len(s.Data), s.Frames, s.Bins, t.config.Bins())
	}
	for i, v := range s.Data {
		if v-v != 0 {
			return fmt.Errorf("spectrogram: bin %d of frame %d is %g", i%s.Bins, i/s.Bins, v)
		}
	}
	return nil
}

// grow returns s with length n, a new one where it is too short.
func grow[T any](s []T, n int) []T {
	if cap(s) < n {
		return make([]T, n)
	}
	return s[:n]
}

// floats returns complex values as pairs of real and imaginary parts, without a copy.
func floats(s []complex64) []float32 {
	if len(s) == 0 {
		return nil
	}
	return unsafe.Slice((*float32)(unsafe.Pointer(&s[0])), 2*len(s))
}
