package spectrogram

import (
	"errors"
	"fmt"
)

// A Stream computes the features of a signal of any length that arrives piece by piece, in constant memory. The frames
// are those that Forward computes of the whole signal, to the last bit.
//
// It uses the scratch memory of its Transform: use one Stream at a time, and do not use the Transform between its calls.
type Stream struct {
	t     *Transform
	emit  func(frames []float32) error
	held  []float32 // samples that frames to come still see, the padding before the first among them
	first int       // index in the signal of held[0]: -NFFT/2 in the beginning
	next  int       // the next frame
	total int       // samples so far
	out   []float32
	begun bool
	err   error
}

// streamBlock is the blocks of frames that are emitted at once.
const streamBlock = 4

// NewStream begins a signal. emit is called with whole frames of Bins() values, one after the other, as soon as they are
// computed; it must not keep the slice. An error from emit ends the stream. One-shots are not streamed: what a frame of theirs
// holds depends on the whole sound.
func (t *Transform) NewStream(emit func(frames []float32) error) *Stream {
	if t.shot != nil {
		return &Stream{err: fmt.Errorf("spectrogram: the scale %q needs the whole sound at once", ScaleOneShot)}
	}
	return &Stream{t: t, emit: emit, out: make([]float32, 0, streamBlock*t.lanes*t.config.Bins())}
}

// Write adds samples to the signal. It keeps none of x.
func (s *Stream) Write(x []float32) error {
	if s.err != nil {
		return s.err
	}
	for i, v := range x {
		if s.err == nil && v-v != 0 {
			s.err = fmt.Errorf("spectrogram: sample %d is %g", s.total+i, v)
		}
	}
	// In pieces of a block's step, so that memory stays small however long x is.
	step := s.t.lanes * s.t.config.Hop
	for len(x) > 0 && s.err == nil {
		n := min(len(x), step)
		s.held = append(s.held, x[:n]...)
		s.total += n
		x = x[n:]
		s.err = s.advance()
	}
	return s.err
}

// advance computes the blocks whose samples are complete.
func (s *Stream) advance() error {
	c, half := s.t.config, s.t.config.NFFT/2
	if !s.begun {
		if s.total <= half || s.total < s.t.span() {
			return nil
		}
		s.begin()
	}
	for s.first+len(s.held) >= s.next*c.Hop-half+s.t.span() {
		start := s.next*c.Hop - half - s.first
		if err := s.block(s.held[start:start+s.t.span()], s.t.lanes); err != nil {
			return err
		}
	}
	// The padding at the end may mirror half a frame, so that much is kept although no later frame covers it.
	keep := s.next*c.Hop - half - c.NFFT
	if drop := keep - s.first; drop > s.t.span() {
		s.held = append(s.held[:0], s.held[drop:]...)
		s.first = keep
	}
	return nil
}

// begin puts the padding before the first sample.
func (s *Stream) begin() {
	half := s.t.config.NFFT / 2
	padded := make([]float32, half, half+len(s.held)+s.t.span())
	if s.t.config.Pad == PadReflect && s.total > 0 {
		for i := range padded {
			padded[i] = mirrored(s.held, i-half)
		}
	}
	s.held = append(padded, s.held...)
	s.first, s.begun = -half, true
}

// block emits the first frames of the block of the samples x.
func (s *Stream) block(x []float32, frames int) error {
	bins := s.t.config.Bins()
	rows := s.t.encode(s.t.batch.Forward(x, s.t.config.Hop), bins)
	at := len(s.out)
	s.out = s.out[:at+frames*bins]
	s.t.scatter(s.out[at:], rows, bins, frames)
	s.next += frames
	if len(s.out) == cap(s.out) {
		return s.flush()
	}
	return nil
}

func (s *Stream) flush() error {
	if len(s.out) == 0 {
		return nil
	}
	err := s.emit(s.out)
	s.out = s.out[:0]
	return err
}

// Close computes the last frames and emits them. The stream cannot be used afterwards.
func (s *Stream) Close() error {
	if s.err != nil {
		return s.err
	}
	c, half := s.t.config, s.t.config.NFFT/2
	frames := c.Frames(s.total)
	if !s.begun {
		s.begin()
	}
	for s.err == nil && s.next < frames {
		start := s.next*c.Hop - half
		last := (frames-1)*c.Hop - half + c.NFFT // end of what the last frame sees
		x := grow(s.t.edge, s.t.span())
		s.t.edge = x
		clear(x)
		for i := range min(len(x), last-start) {
			x[i] = s.sample(start + i)
		}
		s.err = s.block(x, min(s.t.lanes, frames-s.next))
	}
	if s.err == nil {
		s.err = s.flush()
	}
	err := s.err
	if err == nil {
		s.err = errors.New("spectrogram: the stream is closed")
	}
	return err
}

// sample is sample i of the signal, continued beyond its end.
func (s *Stream) sample(i int) float32 {
	if i >= s.total {
		if s.t.config.Pad != PadReflect || s.total == 0 {
			return 0
		}
		period := max(1, 2*(s.total-1))
		i %= period
		i = min(i, period-i)
	}
	if i -= s.first; i < len(s.held) {
		return s.held[i]
	}
	return 0
}
