package audio

import (
	"fmt"
	"math"
	"slices"

	"wavemill/internal/cpu"
)

// maxRatio bounds how far Resample converts, either way. 8 kHz to 384 kHz is 48; what lies beyond
// 256 is a broken header, and would make a small file huge.
const maxRatio = 256

// Resample converts one clip to another rate, see Resamplers.Resample. It makes a Resampler and
// forgets it; to convert many clips, keep a Resamplers.
func Resample(c Clip, rate int) (Clip, error) { return new(Resamplers).Resample(c, rate) }

// clip converts a valid clip, whose rate is the one that the Resampler converts from.
func (r *Resampler) clip(c Clip, rate int) Clip {
	m := r.OutputFrames(c.Frames())
	if c.Channels == 1 {
		c.Samples, c.Rate = r.Resample(make([]float32, 0, m), c.Samples), rate
		return c
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
	return c
}

// A Resampler converts one channel from one rate to another with a Kaiser-windowed sinc in
// polyphase form: linear phase, zero delay, flat to 0.9 of the lower Nyquist frequency and below
// -120 dB from there on up. It is immutable and safe for concurrent use.
type Resampler struct {
	up, down int // Output and input rate in lowest terms.
	table    *phaseTable
}

// NewResampler prepares the conversion between two rates in Hz. Both must be positive and within a
// factor of 256 of each other. It is also an error if WAVEMILL_KERNEL names kernels that do not exist
// or that this processor cannot run.
func NewResampler(from, to int) (*Resampler, error) {
	up, down, err := ratio(from, to)
	if err != nil {
		return nil, err
	}
	return newResampler(up, down), nil
}

// ratio returns the output and the input rate in lowest terms.
func ratio(from, to int) (up, down int, err error) {
	if err := cpu.Check(); err != nil {
		return 0, 0, fmt.Errorf("audio: resampling: %w", err)
	}
	if from <= 0 || to <= 0 || from > math.MaxInt32 || to > math.MaxInt32 {
		return 0, 0, fmt.Errorf("audio: cannot resample from %d Hz to %d Hz: rates must be positive and below 2^31", from, to)
	}
	if float64(from) > maxRatio*float64(to) || float64(to) > maxRatio*float64(from) {
		return 0, 0, fmt.Errorf("audio: cannot resample from %d Hz to %d Hz: the rates differ by more than a factor of %d", from, to, maxRatio)
	}
	g := gcd(from, to)
	return to / g, from / g, nil
}

// newResampler makes the Resampler of a ratio in lowest terms for the class of this process.
func newResampler(up, down int) *Resampler {
	return &Resampler{up: up, down: down, table: newPhaseTable(up, down, cpu.Current())}
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
	return whole*r.up + int((int64(rest)*int64(r.up)+int64(r.down)-1)/int64(r.down))
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
	r.table.run(dst[start:], x, 0, 0)
	return dst
}

// A ResampleStream resamples one channel block by block in constant memory. All its blocks together
// are bit for bit what Resample makes of the whole. A signal may have as many frames, before and after,
// as an int counts: 12 hours of 48 kHz where it has 32 bits. It is not safe for concurrent use.
type ResampleStream struct {
	r       *Resampler
	history []float32 // Input from sample origin on, as far as an output still to come may need it.
	origin  int
	read    int // Input samples seen.
	made    int // Output samples made.
}

// Stream begins a signal.
func (r *Resampler) Stream() *ResampleStream { return &ResampleStream{r: r} }

// Write takes the next block of the signal and appends the output that is certain by now to dst.
// The output lags behind by half the filter's length, about 80 periods of the lower rate.
func (s *ResampleStream) Write(dst, x []float32) []float32 {
	s.history = append(s.history, x...)
	s.read += len(x)
	// Output k needs input up to floor(k*down/up)+half; the bank's groups need no more than that for
	// the lanes that are kept, the rest of their windows being multiplied by zero.
	if certain := s.read - s.r.table.half; certain > 0 {
		dst = s.advance(dst, s.r.OutputFrames(certain))
	}
	return dst
}

// Flush ends the signal: it appends the rest of the output to dst, after which the stream is as new.
func (s *ResampleStream) Flush(dst []float32) []float32 {
	dst = s.advance(dst, s.r.OutputFrames(s.read))
	*s = ResampleStream{r: s.r, history: s.history[:0]}
	return dst
}

// advance makes the outputs up to but without number end and drops the input that is no longer needed.
func (s *ResampleStream) advance(dst []float32, end int) []float32 {
	n := end - s.made
	if n <= 0 {
		return dst
	}
	at := len(dst)
	dst = slices.Grow(dst, n)[:at+n]
	s.r.table.run(dst[at:], s.history, s.origin, s.made)
	s.made = end
	t := s.r.table
	// The next output's group may begin up to 15 outputs earlier.
	keep := (s.made-lanes)*s.r.down/s.r.up - t.half - 1
	if drop := keep - s.origin; drop > 0 {
		drop = min(drop, len(s.history))
		s.history = s.history[:copy(s.history, s.history[drop:])]
		s.origin += drop
	}
	return dst
}
