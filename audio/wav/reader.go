package wav

import (
	"errors"
	"fmt"
	"io"
)

// Reader decodes a stream of any length block by block in constant memory. It is not safe for
// concurrent use.
type Reader struct {
	w     walker
	src   *stream
	data  chunk
	left  int64 // Bytes of data to come; counts up from 0 below zero when open.
	done  int64 // Samples decoded.
	bytes int64 // Bytes of data seen.
	// promised reports that all the data is there.
	promised bool
	header   Header
	buf      []byte
	err      error
}

// NewReader reads the head of a file up to its samples. It reads ahead, and it seeks to the end and
// back when r is an io.Seeker, to learn the length; it does not close r.
func NewReader(r io.Reader) (*Reader, error) {
	rd := &Reader{src: newStream(r)}
	rd.w = walker{src: rd.src, header: &rd.header}
	var err error
	if rd.data, err = rd.w.openData(); err != nil {
		return nil, err
	}
	f, h := rd.w.format, &rd.header
	h.Encoding, h.BitsPerSample, h.SampleRate, h.Channels = f.encoding(), f.valid, f.rate, f.channels
	rd.left = rd.data.size
	rest := rd.src.rest()
	rd.promised = rest >= rd.left
	if rd.data.open || rest >= 0 && rest < rd.left {
		rd.left = rest
	}
	h.Frames = -1
	if rd.left >= 0 {
		h.Frames = rd.left / int64(f.frame())
	}
	return rd, nil
}

// Header returns what is known so far. Frames, Tags, Truncated and Notes are final once ReadFrames has
// returned io.EOF: until then Frames is what the header declares, and tags that come after the data
// are missing.
func (r *Reader) Header() Header { return r.header }

// Complete reports whether the source is known to hold all the data that its header declares: not for
// truncated files, and not for streamed ones or pipes, whose length is unknown.
func (r *Reader) Complete() bool {
	return !r.data.open && !r.header.Truncated && r.promised
}

// ReadFrames decodes up to len(dst)/Channels frames, interleaved, and returns how many. It returns
// fewer than asked for only at the end of the data, and then with a nil error: the next call returns
// 0 and io.EOF. Errors are those of the source, and samples that are no finite number.
func (r *Reader) ReadFrames(dst []float32) (int, error) {
	if r.err != nil {
		return 0, r.err
	}
	f := r.w.format
	want := len(dst) / f.channels
	if want == 0 {
		return 0, nil
	}
	done := 0
	for done < want {
		n, err := r.block(dst[done*f.channels:], min(want-done, max(1, (64<<10)/f.frame())))
		done += n
		if err != nil {
			r.err = err
			break
		}
	}
	if done > 0 && errors.Is(r.err, io.EOF) {
		return done, nil
	}
	return done, r.err
}

// block decodes at most n frames.
func (r *Reader) block(dst []float32, n int) (int, error) {
	f := r.w.format
	size := int64(n * f.frame())
	if r.left >= 0 {
		size = min(size, r.left)
	}
	if cap(r.buf) < int(size) {
		r.buf = make([]byte, size)
	}
	buf := r.buf[:size]
	got, err := io.ReadFull(r.src.r, buf)
	r.src.passed(int64(got))
	r.bytes += int64(got)
	if r.left >= 0 {
		r.left -= int64(got)
	}
	end := int64(got) < size || r.left == 0
	if err != nil && !errors.Is(err, io.EOF) && !errors.Is(err, io.ErrUnexpectedEOF) {
		return 0, fmt.Errorf("wav: reading samples: %w", err)
	}
	frames := got / f.frame()
	samples := dst[:frames*f.channels]
	if err := f.decode(samples, buf, r.done); err != nil {
		return 0, err
	}
	r.done += int64(len(samples))
	if end {
		return frames, r.finish()
	}
	return frames, nil
}

// finish completes the header and returns io.EOF.
func (r *Reader) finish() error {
	f := r.w.format
	r.header.Frames = r.done / int64(f.channels)
	r.header.checkLength(r.data, r.bytes, f)
	if !r.data.open && r.bytes == r.data.size {
		if err := r.w.align(r.data); err != nil {
			return fmt.Errorf("wav: after the data: %w", err)
		}
		if err := r.w.tail(); err != nil {
			return err
		}
	}
	return io.EOF
}
