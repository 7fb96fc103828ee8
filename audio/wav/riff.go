package wav

import (
	"bufio"
	"encoding/binary"
	"errors"
	"fmt"
	"io"
	"math"
)

// source is where the chunk walk reads: memory or a stream. None of its methods takes more memory
// than there are bytes to read.
type source interface {
	peek(n int) []byte           // The next bytes, at most n, without passing them.
	take(n int) ([]byte, error)  // The next bytes, fewer only at the end, valid until the next call.
	skip(n int64) (int64, error) // Passes bytes; fewer only at the end.
	rest() int64                 // How many bytes are left, -1 when unknown.
}

// memory is a source in memory.
type memory struct{ b []byte }

func (m *memory) peek(n int) []byte { return m.b[:min(n, len(m.b))] }

func (m *memory) take(n int) ([]byte, error) {
	b := m.peek(n)
	m.b = m.b[len(b):]
	return b, nil
}

func (m *memory) skip(n int64) (int64, error) {
	n = min(n, int64(len(m.b)))
	m.b = m.b[n:]
	return n, nil
}

func (m *memory) rest() int64 { return int64(len(m.b)) }

// stream is a source that is read once, front to back.
type stream struct {
	r    *bufio.Reader
	left int64 // -1 when unknown.
}

func newStream(r io.Reader) *stream {
	s := &stream{bufio.NewReaderSize(r, 64<<10), -1}
	if seeker, ok := r.(io.Seeker); ok { // A regular file or memory says how long it is; a pipe refuses.
		if at, err := seeker.Seek(0, io.SeekCurrent); err == nil {
			if end, err := seeker.Seek(0, io.SeekEnd); err == nil {
				if _, err := seeker.Seek(at, io.SeekStart); err == nil {
					s.left = end - at
				}
			}
		}
	}
	return s
}

func (s *stream) passed(n int64) {
	if s.left >= 0 {
		s.left = max(0, s.left-n)
	}
}

func (s *stream) peek(n int) []byte {
	b, _ := s.r.Peek(n) // A short answer is the answer; take and skip report errors.
	return b
}

func (s *stream) take(n int) ([]byte, error) {
	b, err := io.ReadAll(io.LimitReader(s.r, int64(n)))
	s.passed(int64(len(b)))
	return b, err
}

func (s *stream) skip(n int64) (int64, error) {
	var done int64
	for done < n {
		const most = 1 << 30 // Fits an int everywhere.
		k, err := s.r.Discard(int(min(n-done, most)))
		done += int64(k)
		s.passed(int64(k))
		if errors.Is(err, io.EOF) {
			break
		}
		if err != nil {
			return done, err
		}
	}
	return done, nil
}

func (s *stream) rest() int64 { return s.left }

const (
	// unset is the size that streamed and 64-bit files write in 32-bit fields.
	unset = math.MaxUint32
	// maxInfo bounds how much of one LIST chunk is read for tags.
	maxInfo = 1 << 20
	// maxFmt bounds how much of a fmt chunk is read; the extensible one has 40 bytes.
	maxFmt = 64
	// maxBehind bounds what is expected to lie behind the data of a file whose data size is that of a streamed one.
	maxBehind = 16 << 20
	// maxDS64 bounds how much of a ds64 chunk is read: its head and a table of 16 entries.
	maxDS64 = 28 + 16*12
)

// placeholder reports the sizes that programs write to a pipe for "as much as comes": all ones
// (ffmpeg), and the largest positive 32-bit number (SoX, arecord), both also less some header.
func placeholder(size int64) bool {
	const slack = 4096
	return size >= math.MaxInt32-slack+1 && size <= math.MaxInt32+1 || size > math.MaxUint32-slack && size <= math.MaxUint32
}

// walker walks the chunks of one file.
type walker struct {
	src    source
	order  binary.ByteOrder
	header *Header
	format format
	sizes  map[string]int64 // 64-bit sizes of chunks whose 32-bit size is unset.
}

// chunk is the head of a chunk. Its size is as declared, or open when the file was streamed.
type chunk struct {
	id   string
	size int64
	wide bool // The size is a 64-bit one.
	open bool // The data goes on to the end of the file.
}

// openData checks the file's head and walks to the first byte of the data.
func (w *walker) openData() (chunk, error) {
	head, err := w.src.take(12)
	if err != nil {
		return chunk{}, fmt.Errorf("wav: %w", err)
	}
	if len(head) < 12 || string(head[8:]) != "WAVE" {
		return chunk{}, ErrNotWAV
	}
	switch string(head[:4]) {
	case "RIFF", "RF64", "BW64":
		w.order = binary.LittleEndian
	case "RIFX":
		w.order = binary.BigEndian
	default:
		return chunk{}, ErrNotWAV
	}
	wide := head[1] != 'I' // RF64 or BW64.
	haveFormat := false
	for {
		c, ok, err := w.next()
		switch {
		case err != nil:
			return chunk{}, err
		case !ok && !haveFormat:
			return chunk{}, errors.New("wav: the file has no fmt chunk")
		case !ok:
			return chunk{}, errors.New("wav: the file has no data chunk")
		}
		switch c.id {
		case "data":
			if !haveFormat {
				return chunk{}, errors.New("wav: the data chunk comes before the fmt chunk")
			}
			return w.dataSize(c), nil
		case "fmt ":
			if haveFormat {
				w.header.note("There is more than one fmt chunk; the first counts.")
				err = w.pass(c, 0)
				break
			}
			haveFormat = true
			err = w.with(c, maxFmt, func(b []byte) error {
				w.format, err = parseFormat(b, w.order, w.header)
				return err
			})
		case "ds64":
			if !wide {
				err = w.pass(c, 0)
				break
			}
			err = w.with(c, maxDS64, w.parseDS64)
		default:
			err = w.other(c)
		}
		if err != nil {
			return chunk{}, err
		}
	}
}

// tail walks the chunks after the data for tags. What it cannot read it leaves: the samples are
// there already.
func (w *walker) tail() error {
	for {
		c, ok, err := w.next()
		if err != nil || !ok {
			return err
		}
		if c.id == "data" {
			w.header.note("There is more than one data chunk; the first counts.")
		}
		if err := w.other(c); err != nil {
			return err
		}
	}
}

// other handles a chunk that only tags and loops may come from.
func (w *walker) other(c chunk) error {
	if c.id == "LIST" && c.size >= 4 && string(w.src.peek(4)) == "INFO" {
		return w.with(c, maxInfo, func(b []byte) error {
			parseInfo(b[4:], w.order, w.header)
			return nil
		})
	}
	if c.id == "smpl" && w.header.Sampler == nil {
		return w.with(c, smplHead+smplLoop*maxLoops, func(b []byte) error {
			parseSampler(b, w.order, w.header)
			return nil
		})
	}
	return w.pass(c, 0)
}

// next reads a chunk's head. It reports false at the end of the file and where no chunk can begin.
func (w *walker) next() (chunk, bool, error) {
	b := w.src.peek(8)
	if len(b) < 8 || !plausibleID(b) {
		if len(b) > 0 && len(b) == 8 && !allZero(b) {
			w.header.note("Bytes that are no chunk were ignored.")
		}
		return chunk{}, false, nil
	}
	c := chunk{id: string(b[:4]), size: int64(w.order.Uint32(b[4:]))}
	if size, ok := w.sizes[c.id]; ok && c.size == unset {
		c.size, c.wide = size, true
	}
	_, err := w.src.skip(8)
	if err != nil {
		err = fmt.Errorf("wav: %w", err)
	}
	return c, true, err
}

// with hands at most limit bytes of a chunk's body to parse and passes the rest. There may be fewer
// than the chunk declares.
func (w *walker) with(c chunk, limit int, parse func([]byte) error) error {
	b, err := w.src.take(int(min(c.size, int64(limit))))
	if err != nil {
		return fmt.Errorf("wav: %q chunk: %w", c.id, err)
	}
	n := int64(len(b))
	if err := parse(b); err != nil {
		return err
	}
	return w.pass(c, n)
}

// pass moves past the rest of a chunk of which n bytes were read, and past its pad byte.
func (w *walker) pass(c chunk, n int64) error {
	if _, err := w.src.skip(c.size - n); err != nil {
		return fmt.Errorf("wav: %q chunk: %w", c.id, err)
	}
	return w.align(c)
}

// align passes the pad byte after a chunk of odd size. Some writers leave it out: then a chunk
// begins right here.
func (w *walker) align(c chunk) error {
	if c.size%2 == 0 {
		return nil
	}
	b := w.src.peek(9)
	if len(b) == 0 {
		return nil
	}
	if b[0] != 0 && len(b) >= 8 && w.plausible(b[:8]) && (len(b) < 9 || !w.plausible(b[1:9])) {
		w.header.note("The pad byte after the %q chunk of odd size is missing.", c.id)
		return nil
	}
	_, err := w.src.skip(1)
	return err
}

// plausible reports whether a chunk may begin with these eight bytes: a printable name and a size
// that the file can hold, or that is one of the known streamed ones.
func (w *walker) plausible(b []byte) bool {
	if len(b) < 8 || !plausibleID(b) {
		return false
	}
	size := int64(w.order.Uint32(b[4:]))
	if size == unset || knownChunk(string(b[:4])) {
		return true
	}
	left := w.src.rest()
	return left < 0 && size < math.MaxInt32 || left >= 0 && size <= left
}

// plausibleID reports whether four bytes may name a chunk: printable ASCII, not beginning with a space.
func plausibleID(b []byte) bool {
	for _, c := range b[:4] {
		if c < ' ' || c > '~' {
			return false
		}
	}
	return b[0] != ' '
}

func allZero(b []byte) bool {
	for _, c := range b {
		if c != 0 {
			return false
		}
	}
	return true
}

func knownChunk(id string) bool {
	switch id {
	case "LIST", "data", "fact", "fmt ", "cue ", "bext", "smpl", "inst", "id3 ", "ID3 ", "JUNK", "junk", "PAD ",
		"PEAK", "iXML", "axml", "chna", "cart", "acid", "plst", "afsp", "FLLR", "DISP", "_PMX", "strc", "LGWV", "umid", "ds64", "levl", "link", "note", "wavl", "slnt":
		return true
	}
	return false
}

// dataSize settles how much data there is: as declared, or all that comes.
func (w *walker) dataSize(c chunk) chunk {
	left := w.src.rest()
	const wrap = 1 << 32
	switch {
	case !c.wide && placeholder(c.size) && (left < 0 || c.size == unset || c.size > left || left-c.size > maxBehind):
		w.header.note("The file was streamed: its data size was never filled in, and all that follows is taken.")
		c.open = true
	case !c.wide && c.size > 0 && left-c.size >= wrap:
		true64 := c.size + (left-c.size)/wrap*wrap
		w.header.note("The data size, %d bytes, is that of a file of more than 4 GiB with its upper bits lost: %d bytes are taken, which is what the length of the file says.", c.size, true64)
		c.size, c.wide = true64, true
	case c.size == 0 && left != 0:
		if next := w.src.peek(8); len(next) == 8 && knownChunk(string(next[:4])) && w.plausible(next) || len(next) == 0 {
			return c
		}
		w.header.note("The data size is 0, but data follows: the file was streamed, and all of it is taken.")
		c.open = true
	}
	return c
}

// parseDS64 reads the 64-bit sizes of RF64 and BW64.
func (w *walker) parseDS64(b []byte) error {
	if len(b) < 24 {
		return fmt.Errorf("wav: the ds64 chunk has %d bytes; it needs at least 24", len(b))
	}
	w.sizes = map[string]int64{}
	w.wideSize("data", binary.LittleEndian.Uint64(b[8:]))
	if len(b) < 28 {
		return nil
	}
	n := binary.LittleEndian.Uint32(b[24:])
	for b = b[28:]; n > 0 && len(b) >= 12; n-- {
		if id := string(b[:4]); id != "data" {
			w.wideSize(id, binary.LittleEndian.Uint64(b[4:]))
		}
		b = b[12:]
	}
	return nil
}

// wideSize notes the 64-bit size of a chunk, unless a streaming writer left that unset too.
func (w *walker) wideSize(id string, size uint64) {
	if size != math.MaxUint64 {
		w.sizes[id] = int64(min(size, math.MaxInt64/2))
	}
}
