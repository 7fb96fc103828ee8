package npy

import (
	"encoding/binary"
	"errors"
	"fmt"
	"math"
	"strconv"
	"strings"
)

// header is what the head of a file says.
type header struct {
	size  int // Bytes before the first element.
	descr string
	width int // Bytes an element.
	order binary.ByteOrder
	shape []int
}

func parseHeader(b []byte) (header, error) {
	if len(b) < 10 || string(b[:6]) != magic {
		return header{}, errors.New("npy: not an .npy file (no NUMPY magic)")
	}
	var start, n int
	switch major := b[6]; major {
	case 1:
		start, n = 10, int(binary.LittleEndian.Uint16(b[8:]))
	case 2, 3:
		if len(b) < 12 {
			return header{}, errTruncated
		}
		start, n = 12, int(min(binary.LittleEndian.Uint32(b[8:]), math.MaxInt32)) // An int may have 32 bits.
	default:
		return header{}, fmt.Errorf("npy: format version %d.%d is not supported (1.0 to 3.0 are)", major, b[7])
	}
	if n > maxHeader {
		return header{}, fmt.Errorf("npy: a header of %d bytes is not plausible (at most %d)", n, maxHeader)
	}
	if len(b)-start < n {
		return header{}, errTruncated
	}
	h := header{size: start + n}
	return h, h.parse(string(b[start : start+n]))
}

// parse reads the Python dictionary literal {'descr': '<f4', 'fortran_order': False, 'shape': (3, 4), }.
func (h *header) parse(text string) error {
	p := &literal{rest: text}
	seen := map[string]bool{}
	p.expect('{')
	for !p.accept('}') {
		key := p.quoted()
		p.expect(':')
		if p.err == nil && seen[key] {
			return fmt.Errorf("npy: header names %q twice", key)
		}
		seen[key] = true
		switch key {
		case "descr":
			h.descr = p.quoted()
		case "fortran_order":
			if p.word() == "True" {
				return errors.New("npy: Fortran order is not supported; save numpy.ascontiguousarray(a)")
			}
		case "shape":
			h.shape = p.tuple()
		default:
			p.fail("an unknown key " + strconv.Quote(key))
		}
		if p.err != nil {
			return p.err
		}
		if !p.accept(',') {
			p.expect('}')
			break
		}
	}
	if p.err == nil && strings.Trim(p.rest, " \n\x00") != "" {
		p.fail("text after the dictionary")
	}
	if p.err != nil {
		return p.err
	}
	for _, key := range []string{"descr", "fortran_order", "shape"} {
		if !seen[key] {
			return fmt.Errorf("npy: header has no %q", key)
		}
	}
	return h.element()
}

func (h *header) element() error {
	switch h.descr {
	case "<f4":
		h.width, h.order = 4, binary.LittleEndian
	case ">f4":
		h.width, h.order = 4, binary.BigEndian
	case "<f8":
		h.width, h.order = 8, binary.LittleEndian
	case ">f8":
		h.width, h.order = 8, binary.BigEndian
	default:
		return fmt.Errorf("npy: element type %q is not supported; save a.astype(numpy.float32)", h.descr)
	}
	return nil
}

// literal is a parser of the few Python literals a header is made of. It keeps the first error.
type literal struct {
	rest string
	err  error
}

func (p *literal) fail(what string) {
	if p.err == nil {
		p.err = fmt.Errorf("npy: malformed header: found %s", what)
	}
	p.rest = ""
}

func (p *literal) accept(c byte) bool {
	p.rest = strings.TrimLeft(p.rest, " \n\t")
	if p.rest == "" || p.rest[0] != c {
		return p.err != nil // An error ends every loop.
	}
	p.rest = p.rest[1:]
	return true
}

func (p *literal) expect(c byte) {
	if !p.accept(c) {
		p.fail(fmt.Sprintf("%.12q where %q belongs", p.rest, c))
	}
}

func (p *literal) quoted() string {
	if !p.accept('\'') {
		p.fail(fmt.Sprintf("%.12q where a quoted word belongs", p.rest))
		return ""
	}
	i := strings.IndexByte(p.rest, '\'')
	if i < 0 {
		p.fail("an unterminated quote")
		return ""
	}
	word := p.rest[:i]
	p.rest = p.rest[i+1:]
	return word
}

func (p *literal) word() string {
	p.rest = strings.TrimLeft(p.rest, " ")
	for _, w := range []string{"True", "False"} {
		if rest, ok := strings.CutPrefix(p.rest, w); ok {
			p.rest = rest
			return w
		}
	}
	p.fail(fmt.Sprintf("%.12q where True or False belongs", p.rest))
	return ""
}

// maxDimensions is NumPy's own limit.
const maxDimensions = 64

func (p *literal) tuple() []int {
	shape := []int{}
	p.expect('(')
	for !p.accept(')') {
		if len(shape) == maxDimensions {
			p.fail("more than 64 dimensions")
			return nil
		}
		p.rest = strings.TrimLeft(p.rest, " ")
		end := strings.IndexFunc(p.rest, func(r rune) bool { return r < '0' || r > '9' })
		if end < 0 {
			end = len(p.rest)
		}
		d, err := strconv.ParseInt(p.rest[:end], 10, 64)
		if err != nil {
			p.fail(fmt.Sprintf("%.20q where a dimension belongs", p.rest))
			return nil
		}
		p.rest = p.rest[end:]
		shape = append(shape, int(min(d, math.MaxInt))) // count refuses what an int of 32 bits does not hold.
		if !p.accept(',') {
			p.expect(')')
			break
		}
	}
	return shape
}
