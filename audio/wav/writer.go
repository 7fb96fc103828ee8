package wav

import (
	"encoding/binary"
	"errors"
	"fmt"
	"io"
	"math"
)

// fileHead is everything before the samples of size bytes. size -1 writes a streamed file, whose
// sizes are unset. reserve leaves room for turning the file into RF64 later.
func fileHead(f format, o Options, size int64, reserve bool) ([]byte, error) {
	info, err := infoChunk(o.Tags)
	if err != nil {
		return nil, err
	}
	smpl, err := samplerChunk(o.Sampler, f.rate)
	if err != nil {
		return nil, err
	}
	info = append(info, smpl...)
	le := binary.LittleEndian
	fmtChunk := formatChunk(f)
	total := 4 + int64(len(fmtChunk)+len(info)) + 8 + size + size&1 // After the size field.
	const margin = 8192                                             // Sizes just below 2^32 read like those of a streamed file.
	wide := size >= 0 && total+ds64Size > math.MaxUint32-margin
	var ds64 []byte
	if wide || reserve {
		ds64 = ds64Chunk(wide, total+ds64Size, size, size/int64(f.frame()))
		total += ds64Size
	}
	riffSize, dataSize := uint32(total), uint32(size)
	id := "RIFF"
	if wide {
		id = "RF64"
	}
	if wide || size < 0 {
		riffSize, dataSize = unset, unset
	}
	head := le.AppendUint32([]byte(id), riffSize)
	head = append(append(append(append(head, "WAVE"...), ds64...), fmtChunk...), info...)
	return le.AppendUint32(append(head, "data"...), dataSize), nil
}

// ds64Size is the length of a ds64 chunk with an empty table, head included.
const ds64Size = 8 + 28

// ds64Chunk is the chunk of 64-bit sizes, or a JUNK chunk that holds its place (EBU Tech 3306).
func ds64Chunk(wide bool, riff, data, frames int64) []byte {
	le := binary.LittleEndian
	if !wide {
		return append(le.AppendUint32([]byte("JUNK"), ds64Size-8), make([]byte, ds64Size-8)...)
	}
	b := le.AppendUint32([]byte("ds64"), ds64Size-8)
	b = le.AppendUint64(b, uint64(riff))
	b = le.AppendUint64(b, uint64(data))
	b = le.AppendUint64(b, uint64(frames))
	return le.AppendUint32(b, 0)
}

// formatChunk is the fmt chunk: plain for one or two channels of PCM, with a fact-free extension
// size for float, extensible (without assigning loudspeakers) for more channels.
func formatChunk(f format) []byte {
	le := binary.LittleEndian
	tag := uint16(tagPCM)
	if f.kind == kindFloat {
		tag = tagFloat
	}
	outer, size := tag, uint32(16)
	switch {
	case f.channels > 2:
		outer, size = tagExtensible, 40
	case f.kind == kindFloat:
		size = 18
	}
	b := le.AppendUint32([]byte("fmt "), size)
	b = le.AppendUint16(b, outer)
	b = le.AppendUint16(b, uint16(f.channels))
	b = le.AppendUint32(b, uint32(f.rate))
	b = le.AppendUint32(b, uint32(f.rate*f.frame()))
	b = le.AppendUint16(b, uint16(f.frame()))
	b = le.AppendUint16(b, uint16(8*f.width))
	switch size {
	case 18:
		b = le.AppendUint16(b, 0)
	case 40:
		b = le.AppendUint16(b, 22)
		b = le.AppendUint16(b, uint16(f.valid))
		b = le.AppendUint32(b, 0) // No loudspeaker is assigned.
		b = le.AppendUint32(b, uint32(tag))
		b = append(b, "\x00\x00\x10\x00\x80\x00\x00\xAA\x00\x38\x9B\x71"...)
	}
	return b
}

// Writer encodes a stream of any length block by block in constant memory. It is not safe for
// concurrent use. Without Close the file is not complete.
type Writer struct {
	w    io.Writer
	q    *quantizer
	o    Options
	head int64 // Length of the head.
	size int64 // Bytes of samples written.
	buf  []byte
	err  error
}

// NewWriter writes the head of a file. When w is an io.WriteSeeker that can seek, Close fills in the
// sizes (beyond 4 GiB as RF64); otherwise the file is a streamed one, whose sizes stay unset and
// which ends where the stream ends.
func NewWriter(w io.Writer, channels, rate int, o Options) (*Writer, error) {
	q, err := newQuantizer(channels, rate, o)
	if err != nil {
		return nil, err
	}
	head, err := fileHead(q.format, o, -1, true)
	if err != nil {
		return nil, err
	}
	if _, err := w.Write(head); err != nil {
		return nil, fmt.Errorf("wav: writing the head: %w", err)
	}
	return &Writer{w: w, q: q, o: o, head: int64(len(head))}, nil
}

// WriteFrames appends interleaved samples, which must fill whole frames. After an error every
// further call returns it.
func (w *Writer) WriteFrames(samples []float32) error {
	if w.err != nil {
		return w.err
	}
	if len(samples)%w.q.format.channels != 0 {
		w.err = fmt.Errorf("wav: %d samples do not fill whole frames of %d channels", len(samples), w.q.format.channels)
		return w.err
	}
	const block = 16 << 10
	for len(samples) > 0 && w.err == nil {
		n := min(len(samples), block)
		if w.buf, w.err = w.q.encode(w.buf[:0], samples[:n]); w.err != nil {
			break
		}
		var m int
		m, w.err = w.w.Write(w.buf)
		w.size += int64(m)
		if w.err != nil {
			w.err = fmt.Errorf("wav: writing samples: %w", w.err)
		}
		samples = samples[n:]
	}
	return w.err
}

// Frames is the number of frames written so far.
func (w *Writer) Frames() int64 { return w.size / int64(w.q.format.frame()) }

// Clipped is the number of samples written so far whose absolute value is above 1 and that were clipped to full scale: none
// of a float encoding.
func (w *Writer) Clipped() int64 { return w.q.clipped }

// Close completes the file. It does not close the underlying writer. Closing twice is an error.
func (w *Writer) Close() error {
	if w.err != nil {
		return w.err
	}
	w.err = errors.New("wav: the Writer is closed")
	if w.size%2 == 1 {
		if _, err := w.w.Write([]byte{0}); err != nil {
			return fmt.Errorf("wav: writing the pad byte: %w", err)
		}
	}
	seeker, ok := w.w.(io.WriteSeeker)
	if !ok {
		return nil
	}
	end, err := seeker.Seek(0, io.SeekCurrent)
	if err != nil {
		return nil // A pipe: the file stays a streamed one.
	}
	head, err := fileHead(w.q.format, w.o, w.size, true)
	if err != nil {
		return err
	}
	if _, err := seeker.Seek(end-w.size-w.size&1-w.head, io.SeekStart); err != nil {
		return fmt.Errorf("wav: filling in the sizes: %w", err)
	}
	if _, err := seeker.Write(head); err != nil {
		return fmt.Errorf("wav: filling in the sizes: %w", err)
	}
	if _, err := seeker.Seek(end, io.SeekStart); err != nil {
		return fmt.Errorf("wav: filling in the sizes: %w", err)
	}
	return nil
}
