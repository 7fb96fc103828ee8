package codec

import (
	"bufio"
	"encoding/binary"
	"errors"
	"fmt"
	"io"
)

// oggPages passes on the pages of one logical stream of an Ogg file (RFC 3533), whole and plausible.
// It is what stands between a file and the decoder: pages of other streams are dropped, and what the
// decoder cannot bear never reaches it.
type oggPages struct {
	br      *bufio.Reader
	serial  uint32
	begun   bool
	out     []byte // What is left of the page being read.
	page    []byte
	open    int   // Pages in a row without the end of a packet.
	granule int64 // The position after the last complete packet.
	ended   bool  // The page that ends the stream was seen.
	cut     bool  // The file ended within a page.
	err     error
}

const (
	oggHead = 27
	// maxOpenPages bounds a packet, to 8 MB. Vorbis packets of sound have a few kB, headers with
	// pictures some hundred.
	maxOpenPages = 128
)

// Read implements io.Reader.
func (o *oggPages) Read(dst []byte) (int, error) {
	for len(o.out) == 0 && o.err == nil {
		o.err = o.next()
	}
	if len(o.out) == 0 {
		return 0, o.err
	}
	n := copy(dst, o.out)
	o.out = o.out[n:]
	return n, nil
}

// next reads a page. It leaves out empty when the page is of no interest.
func (o *oggPages) next() error {
	if o.ended {
		return io.EOF
	}
	head, err := o.br.Peek(oggHead)
	switch {
	case len(head) == 0 && errors.Is(err, io.EOF):
		return io.EOF
	case errors.Is(err, io.EOF):
		o.cut = true
		return io.EOF
	case err != nil:
		return err
	case string(head[:4]) != "OggS" || head[4] != 0:
		if o.begun {
			o.cut = true // Rubbish after the pages: they end here.
			return io.EOF
		}
		return errors.New("a page without the Ogg capture pattern")
	}
	segments := int(head[26])
	if head, err = o.br.Peek(oggHead + segments); err != nil {
		o.cut = true
		return io.EOF
	}
	size, complete := oggHead+segments, segments == 0
	for _, s := range head[oggHead:] {
		size += int(s)
		complete = complete || s < 255
	}
	if cap(o.page) < size {
		o.page = make([]byte, size)
	}
	o.page = o.page[:size]
	if _, err := io.ReadFull(o.br, o.page); err != nil {
		if errors.Is(err, io.ErrUnexpectedEOF) || errors.Is(err, io.EOF) {
			o.cut = true
			return io.EOF
		}
		return err
	}
	return o.validate(segments, complete)
}

// toNextLink passes the pages of other streams behind the end of this one, and reports whether a page follows that begins
// a stream.
func (o *oggPages) toNextLink() bool {
	for {
		head, _ := o.br.Peek(oggHead + 255) // A short answer is the end of the file.
		if len(head) < oggHead || string(head[:4]) != "OggS" || head[4] != 0 || len(head) < oggHead+int(head[26]) {
			return false
		}
		const beginning = 2
		if head[5]&beginning != 0 {
			return true
		}
		size := oggHead + int(head[26])
		for _, s := range head[oggHead:size] {
			size += int(s)
		}
		if _, err := o.br.Discard(size); err != nil {
			return false
		}
	}
}

// validate decides whether the page in o.page is passed on.
func (o *oggPages) validate(segments int, complete bool) error {
	flags, serial := o.page[5], binary.LittleEndian.Uint32(o.page[14:])
	granule := int64(binary.LittleEndian.Uint64(o.page[6:]))
	if !o.begun {
		o.begun, o.serial = true, serial
	}
	if serial != o.serial || segments == 0 {
		return nil
	}
	const endOfStream = 4
	o.ended = flags&endOfStream != 0
	if complete {
		o.open, o.granule = 0, granule
	} else if o.open++; o.open > maxOpenPages {
		return fmt.Errorf("an Ogg packet of more than %d pages", maxOpenPages)
	}
	if granule < -1 {
		return fmt.Errorf("an Ogg page at position %d", granule)
	}
	o.out = o.page
	return nil
}

// packets reads the first n packets of a stream, of at most limit bytes together, from its pages.
func oggPackets(r io.Reader, n, limit int) ([][]byte, error) {
	var packets [][]byte
	var packet []byte
	head := make([]byte, oggHead+255)
	for total := 0; len(packets) < n; {
		if _, err := io.ReadFull(r, head[:oggHead]); err != nil {
			return nil, errors.New("the file ends within its headers")
		}
		table := head[oggHead : oggHead+int(head[26])]
		if _, err := io.ReadFull(r, table); err != nil {
			return nil, errors.New("the file ends within its headers")
		}
		for _, s := range table {
			at := len(packet)
			packet = append(packet, make([]byte, s)...)
			if _, err := io.ReadFull(r, packet[at:]); err != nil {
				return nil, errors.New("the file ends within its headers")
			}
			if total += int(s); total > limit {
				return nil, fmt.Errorf("headers of more than %d bytes", limit)
			}
			if s < 255 {
				packets, packet = append(packets, packet), nil
			}
		}
	}
	return packets[:n], nil
}

// lastGranule finds the position of the last page of a stream near the end of a file, -1 when there
// is none.
func lastGranule(r io.ReadSeeker, size int64, serial uint32) int64 {
	const window = 2 * (oggHead + 255 + 255*255)
	if _, err := r.Seek(max(0, size-window), io.SeekStart); err != nil {
		return -1
	}
	b, err := io.ReadAll(io.LimitReader(r, window))
	if err != nil {
		return -1
	}
	for i := len(b) - oggHead; i >= 0; i-- {
		if string(b[i:i+4]) == "OggS" && binary.LittleEndian.Uint32(b[i+14:]) == serial {
			if g := int64(binary.LittleEndian.Uint64(b[i+6:])); g > 0 {
				return g
			}
		}
	}
	return -1
}
