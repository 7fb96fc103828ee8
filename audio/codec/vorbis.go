package codec

import (
	"bufio"
	"bytes"
	"context"
	"encoding/binary"
	"errors"
	"fmt"
	"io"

	"github.com/jfreymuth/oggvorbis"
)

// vorbisDecoder decodes Ogg Vorbis with jfreymuth/oggvorbis, behind our own walk over the pages and
// a check of the headers: of the memory they ask for, and of the codebooks, some of which would make
// the decoder read for ever.
type vorbisDecoder struct {
	c     content
	about Info
	pages *oggPages
	r     *oggvorbis.Reader
	order []int // Where each channel goes, nil when it stays.
	done  int64
	links int // Streams that follow the first, decoded.
	err   error
}

// vorbisFormat is decoded here, but for variants that the library cannot read.
var vorbisFormat = format{
	name: "vorbis", title: "Ogg Vorbis", extensions: []string{".ogg"}, mediaType: "audio/ogg",
	magic: oggBegins("\x01vorbis"), open: openVorbis,
}

func openVorbis(ctx context.Context, s source) (decoder, error) {
	d, err := newVorbis(s.content)
	if errors.Is(err, errVariant) {
		s.kind = "this variant of " + s.kind
		return newFFmpeg(ctx, s)
	}
	return d, err
}

// maxVorbisHeaders bounds the three header packets together.
const maxVorbisHeaders = 4 << 20

func newVorbis(c content) (dec decoder, err error) {
	rs := c.reader()
	check := &oggPages{br: bufio.NewReaderSize(rs, 4096)}
	headers, err := oggPackets(check, 3, maxVorbisHeaders)
	if err != nil {
		return nil, fmt.Errorf("vorbis: %w", err)
	}
	d := &vorbisDecoder{c: c, about: Info{Format: "ogg", Encoding: "vorbis"}}
	if err := d.headers(headers); err != nil {
		return nil, fmt.Errorf("vorbis: %w", err)
	}
	d.about.Frames = lastGranule(rs, c.size, check.serial)
	if _, err := rs.Seek(0, io.SeekStart); err != nil {
		return nil, err
	}
	defer func() { // Whoever tries next begins at the beginning.
		if dec == nil {
			_, _ = rs.Seek(0, io.SeekStart)
		}
	}()
	d.pages = &oggPages{br: bufio.NewReaderSize(rs, 64<<10)}
	err = contain("Vorbis", func() error {
		d.r, err = oggvorbis.NewReader(d.pages)
		return err
	})
	if errors.Is(err, io.EOF) || errors.Is(err, io.ErrUnexpectedEOF) { // Headers without sound.
		d.r, err = nil, nil
	}
	if err != nil {
		return nil, fmt.Errorf("vorbis: %w: %w", errVariant, err)
	}
	d.order = vorbisOrder(d.about.Channels)
	return d, nil
}

// errVariant reports headers that are in order, but not to the library: it misreads floors without
// partitions, which encoders use for the low-frequency channel of 5.1.
var errVariant = errors.New("a variant that is not supported")

// headers checks the three header packets.
func (d *vorbisDecoder) headers(packets [][]byte) error {
	for i, p := range packets {
		if kind := byte(2*i + 1); len(p) < 7 || p[0] != kind || string(p[1:7]) != "vorbis" {
			return fmt.Errorf("header packet %d of 3 has another type", i+1)
		}
	}
	id := packets[0][7:]
	if len(id) < 23 || binary.LittleEndian.Uint32(id) != 0 {
		return errors.New("a malformed identification header")
	}
	channels, rate := int(id[4]), binary.LittleEndian.Uint32(id[5:])
	small, large := id[21]&0x0F, id[21]>>4
	switch {
	case channels == 0 || channels > maxChannels || rate == 0:
		return fmt.Errorf("the header says %d channels, %d Hz", channels, rate)
	case small < 6 || small > large || large > 13: // The specification's bounds, 64 to 8192.
		return fmt.Errorf("the header says blocks of 2^%d and 2^%d samples", small, large)
	}
	d.about.SampleRate, d.about.Channels = int(rate), channels
	tags, err := parseComments(packets[1][7:])
	if err != nil {
		return err
	}
	d.about.Tags = tags
	return checkSetup(packets[2][7:])
}

// vorbisOrder maps Vorbis's channels (specification, section 4.3.9) to the order of WAV.
func vorbisOrder(channels int) []int {
	switch channels {
	case 3: // L C R
		return []int{0, 2, 1}
	case 5: // L C R Ls Rs
		return []int{0, 2, 1, 3, 4}
	case 6: // L C R Ls Rs LFE
		return []int{0, 2, 1, 4, 5, 3}
	case 7: // L C R Ls Rs Cs LFE -> L R C LFE Cs Ls Rs
		return []int{0, 2, 1, 5, 6, 4, 3}
	case 8: // L C R Ls Rs Lb Rb LFE -> L R C LFE Lb Rb Ls Rs
		return []int{0, 2, 1, 6, 7, 4, 5, 3}
	}
	return nil
}

func (d *vorbisDecoder) info() Info { return d.about }

func (d *vorbisDecoder) close() error { d.c.close(); return nil }

func (d *vorbisDecoder) readFrames(dst []float32) (int, error) {
	if d.err != nil {
		return 0, d.err
	}
	if d.r == nil {
		d.err = d.finish()
		return 0, d.err
	}
	n := 0
	d.err = contain("Vorbis", func() (err error) {
		n, err = d.r.Read(dst)
		return err
	})
	channels := d.about.Channels
	n = max(0, n) / channels
	if d.order != nil {
		reorder(dst[:n*channels], d.order)
	}
	d.done += int64(n)
	switch {
	case d.err == nil:
	case errors.Is(d.err, io.EOF) || errors.Is(d.err, io.ErrUnexpectedEOF):
		d.err = d.nextLink()
	default:
		d.err = fmt.Errorf("vorbis: after frame %d: %w", d.done, d.err)
	}
	return n, d.err
}

// reorder permutes the channels of each frame.
func reorder(x []float32, order []int) {
	var frame [8]float32
	for ; len(x) > 0; x = x[len(order):] {
		copy(frame[:], x[:len(order)])
		for from, to := range order {
			x[to] = frame[from]
		}
	}
}

// maxLinks bounds the streams that follow the first: each takes the memory and time of its headers. A radio's recording of a
// day has some hundred.
const maxLinks = 1000

// nextLink goes on with the next stream of a chained file (RFC 3533, section 4), where there is one of the same rate and
// channels; else it completes the Info and returns io.EOF.
func (d *vorbisDecoder) nextLink() error {
	if !d.pages.ended || !d.pages.toNextLink() {
		return d.finish()
	}
	if d.links == maxLinks {
		d.about.Truncated = true
		d.about.note("The file is a chain of more than %d Ogg streams: the others were left out.", maxLinks+1)
		return d.finish()
	}
	pages := &oggPages{br: d.pages.br}
	var read bytes.Buffer
	headers, err := oggPackets(io.TeeReader(pages, &read), 3, maxVorbisHeaders)
	next := &vorbisDecoder{}
	if err == nil {
		err = next.headers(headers)
	}
	if err == nil && (next.about.SampleRate != d.about.SampleRate || next.about.Channels != d.about.Channels) {
		err = fmt.Errorf("it has %d channels at %d Hz, the first %d at %d Hz", next.about.Channels, next.about.SampleRate, d.about.Channels, d.about.SampleRate)
	}
	if err == nil {
		err = contain("Vorbis", func() error {
			next.r, err = oggvorbis.NewReader(io.MultiReader(&read, pages))
			return err
		})
	}
	if err != nil {
		d.about.Truncated = true
		d.about.note("Further Ogg streams follow that were left out: %v.", err)
		return d.finish()
	}
	d.r, d.pages = next.r, pages
	d.links++
	return nil
}

// finish completes the Info and returns io.EOF.
func (d *vorbisDecoder) finish() error {
	d.about.Frames = d.done
	if !d.pages.ended {
		d.about.Truncated = true
		d.about.note("The Ogg stream ends without its last page: the %d frames before that are kept.", d.done)
	}
	if d.links > 0 {
		d.about.note("The file is a chain of %d Ogg streams, which were decoded one after the other.", d.links+1)
	}
	return io.EOF
}
