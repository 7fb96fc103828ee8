package codec

import (
	"bufio"
	"context"
	"crypto/md5"
	"errors"
	"fmt"
	"hash"
	"io"

	"github.com/mewkiz/flac"
	"github.com/mewkiz/flac/frame"
)

// maxChannels is what any plausible file has.
const maxChannels = 64

// flacDecoder decodes FLAC (RFC 9639) with mewkiz/flac, behind our own walk over the metadata.
type flacDecoder struct {
	c      content
	about  Info
	stream *flac.Stream
	bits   uint // Bits a sample by the stream's header.
	total  int64
	done   int64
	frame  *frame.Frame // The frame being handed out.
	at     int          // Its next sample.
	sum    hash.Hash    // MD5 of the samples, nil when the file has none to compare.
	want   [md5.Size]byte
	err    error
}

var flacFormat = format{
	name: "flac", title: "FLAC", extensions: []string{".flac"}, mediaType: "audio/flac",
	magic: begins(0, "fLaC"),
	open:  func(_ context.Context, s source) (decoder, error) { return newFLAC(s.content) },
}

// newFLAC walks the metadata, keeping the stream's header and the comments, and shows the decoder a
// file without any: so no claim about pictures or seek points reaches it.
func newFLAC(c content) (decoder, error) {
	br := bufio.NewReaderSize(c.reader(), 64<<10)
	head, tags, err := walkFLAC(br)
	if err != nil {
		return nil, fmt.Errorf("FLAC: %w", err)
	}
	d := &flacDecoder{c: c}
	err = contain("FLAC", func() error {
		d.stream, err = flac.New(io.MultiReader(head, br))
		return err
	})
	if err != nil {
		return nil, fmt.Errorf("FLAC: %w", err)
	}
	s := d.stream.Info
	if s.NChannels == 0 || s.SampleRate == 0 || s.BitsPerSample < 4 || s.BitsPerSample > 32 {
		return nil, fmt.Errorf("FLAC: the header says %d channels, %d Hz, %d bits", s.NChannels, s.SampleRate, s.BitsPerSample)
	}
	d.bits, d.total, d.want = uint(s.BitsPerSample), int64(s.NSamples), s.MD5sum
	if d.want != ([md5.Size]byte{}) && d.total > 0 && s.BitsPerSample <= 24 {
		d.sum = md5.New()
	}
	d.about = Info{Format: "flac", Encoding: "flac", Bits: int(s.BitsPerSample), SampleRate: int(s.SampleRate), Channels: int(s.NChannels), Frames: -1, Tags: tags}
	if d.total > 0 {
		d.about.Frames = d.total
	}
	return d, nil
}

// walkFLAC reads up to the first frame. It returns a head whose only metadata is the stream's header.
func walkFLAC(br *bufio.Reader) (io.Reader, map[string]string, error) {
	if err := skipID3(br); err != nil {
		return nil, nil, err
	}
	var magic [4]byte
	if _, err := io.ReadFull(br, magic[:]); err != nil || string(magic[:]) != "fLaC" {
		return nil, nil, errors.New("no fLaC signature")
	}
	var head []byte
	var tags map[string]string
	const (
		streamInfo = 0
		comment    = 4
	)
	for last := false; !last; {
		var b [4]byte
		if _, err := io.ReadFull(br, b[:]); err != nil {
			return nil, nil, errors.New("the file ends within its metadata")
		}
		last = b[0]&0x80 != 0
		kind, size := b[0]&0x7F, int64(b[1])<<16|int64(b[2])<<8|int64(b[3])
		switch {
		case head == nil && (kind != streamInfo || size != 34):
			return nil, nil, errors.New("the first metadata block is not STREAMINFO")
		case head == nil:
			head = append(head, "fLaC\x80\x00\x00\x22"...)
			body, err := io.ReadAll(io.LimitReader(br, size))
			if err != nil || int64(len(body)) < size {
				return nil, nil, errors.New("the file ends within its metadata")
			}
			head = append(head, body...)
		case kind == comment && tags == nil:
			body, err := io.ReadAll(io.LimitReader(br, size))
			if err != nil || int64(len(body)) < size {
				return nil, nil, errors.New("the file ends within its metadata")
			}
			tags, _ = parseComments(body) // Broken comments are no reason to refuse the sound.
		default:
			if n, err := io.CopyN(io.Discard, br, size); err != nil || n < size {
				return nil, nil, errors.New("the file ends within its metadata")
			}
		}
	}
	return &prefix{head}, tags, nil
}

// prefix is a reader of a few bytes.
type prefix struct{ b []byte }

func (p *prefix) Read(dst []byte) (int, error) {
	if len(p.b) == 0 {
		return 0, io.EOF
	}
	n := copy(dst, p.b)
	p.b = p.b[n:]
	return n, nil
}

// skipID3 passes ID3v2 tags, which some programs put before the signature.
func skipID3(br *bufio.Reader) error {
	for {
		b, err := br.Peek(10)
		if err != nil || string(b[:3]) != "ID3" {
			return nil // Too short, or no tag: the parser reports what is wrong.
		}
		size := int64(b[6]&0x7F)<<21 | int64(b[7]&0x7F)<<14 | int64(b[8]&0x7F)<<7 | int64(b[9]&0x7F)
		if _, err := io.CopyN(io.Discard, br, 10+size); err != nil {
			return errors.New("the file ends within an ID3 tag")
		}
	}
}

// contain turns a panic of a library into an error.
func contain(what string, f func() error) (err error) {
	defer func() {
		if p := recover(); p != nil {
			err = fmt.Errorf("malformed %s data (%v)", what, p)
		}
	}()
	return f()
}

func (d *flacDecoder) info() Info { return d.about }

func (d *flacDecoder) close() error { d.c.close(); return nil }

func (d *flacDecoder) readFrames(dst []float32) (int, error) {
	if d.err != nil {
		return 0, d.err
	}
	if d.frame == nil || d.at == d.frame.Subframes[0].NSamples {
		if d.err = d.next(); d.err != nil {
			return 0, d.err
		}
	}
	channels := d.about.Channels
	n := min(len(dst)/channels, d.frame.Subframes[0].NSamples-d.at)
	bits := d.bits
	if d.frame.BitsPerSample != 0 {
		bits = uint(d.frame.BitsPerSample)
	}
	scale := float32(1 / float64(int64(1)<<(bits-1)))
	for c, sub := range d.frame.Subframes {
		for i, v := range sub.Samples[d.at : d.at+n] {
			dst[i*channels+c] = float32(v) * scale
		}
	}
	d.at += n
	return n, nil
}

// next decodes a frame, or completes the Info and returns io.EOF.
func (d *flacDecoder) next() error {
	err := contain("FLAC", func() (err error) {
		d.frame, err = d.stream.ParseNext()
		return err
	})
	switch {
	case errors.Is(err, io.EOF), err != nil && d.total > 0 && d.done >= d.total:
		return d.finish() // What follows the last sample, an ID3v1 tag perhaps, is no frame.
	case errors.Is(err, io.ErrUnexpectedEOF):
		d.about.Truncated = true
		d.about.note("The file ends within a FLAC frame: the %d frames of sound before it are kept.", d.done)
		return d.finish()
	case err != nil:
		return fmt.Errorf("FLAC: after frame %d: %w", d.done, err)
	}
	if len(d.frame.Subframes) != d.about.Channels {
		return fmt.Errorf("FLAC: after frame %d: a block of %d channels in a stream of %d", d.done, len(d.frame.Subframes), d.about.Channels)
	}
	for _, sub := range d.frame.Subframes {
		if sub.NSamples < 1 || len(sub.Samples) != sub.NSamples || sub.NSamples != d.frame.Subframes[0].NSamples {
			return fmt.Errorf("FLAC: after frame %d: a block whose channels differ in length", d.done)
		}
	}
	if d.sum != nil && d.frame.BitsPerSample != 0 && uint(d.frame.BitsPerSample) != d.bits {
		d.sum = nil // The sum is defined for one width only.
	}
	if d.sum != nil {
		d.frame.Hash(d.sum)
	}
	d.done += int64(d.frame.Subframes[0].NSamples)
	d.at = 0
	return nil
}

// finish compares what came with what was promised.
func (d *flacDecoder) finish() error {
	d.about.Frames = d.done
	switch {
	case d.total > 0 && d.done < d.total:
		if !d.about.Truncated {
			d.about.note("The header declares %d frames, but only %d are there.", d.total, d.done)
		}
		d.about.Truncated = true
	case d.total > 0 && d.done > d.total:
		d.about.note("The header declares %d frames; %d are there and taken.", d.total, d.done)
	case d.sum != nil && [md5.Size]byte(d.sum.Sum(nil)) != d.want:
		d.about.note("The MD5 sum of the samples is not the one in the header: some samples may be damaged, or the program that wrote the file did not keep the sum. All of them are taken.")
	}
	return io.EOF
}
