// Package npy reads and writes NumPy's array files (.npy). Every size in a header is checked against
// the file before memory is allocated for it.
//
// Format: https://numpy.org/doc/stable/reference/generated/numpy.lib.format.html. It writes version
// 1.0, '<f4', C order, with the data aligned to 64 bytes. It reads versions 1.0 to 3.0 of '<f4',
// '>f4', '<f8' and '>f8' in C order.
package npy

import (
	"encoding/binary"
	"errors"
	"fmt"
	"math"
	"strconv"
	"strings"
)

const (
	magic = "\x93NUMPY"
	// maxHeader bounds the header text; NumPy itself refuses more than 10000 characters.
	maxHeader = 1 << 16
)

// Encode makes a file of an array in C order. It panics when data does not have as many elements as
// shape says or a dimension is negative, for that is a mistake of the program.
func Encode(shape []int, data []float32) []byte {
	n, err := count(shape)
	if err != nil || n != len(data) {
		panic(fmt.Sprintf("npy: %d elements for shape %v", len(data), shape))
	}
	head := Header(shape)
	out := make([]byte, len(head)+4*len(data))
	copy(out, head)
	for i, v := range data {
		binary.LittleEndian.PutUint32(out[len(head)+4*i:], math.Float32bits(v))
	}
	return out
}

// HeaderSize is the length in bytes of what Header returns for any shape of up to four dimensions:
// a file can be begun before its length is known and its header overwritten at the end.
const HeaderSize = 128

// Header is the head of a file of float32 in C order, up to the first element.
func Header(shape []int) []byte {
	dims := make([]string, len(shape))
	for i, d := range shape {
		dims[i] = strconv.Itoa(d)
	}
	tuple := "(" + strings.Join(dims, ", ") + ")"
	if len(shape) == 1 {
		tuple = "(" + dims[0] + ",)"
	}
	text := "{'descr': '<f4', 'fortran_order': False, 'shape': " + tuple + ", }"
	total := max(HeaderSize, (len(magic)+4+len(text)+1+63)/64*64)
	head := make([]byte, 0, total)
	head = append(head, magic+"\x01\x00"...)
	head = binary.LittleEndian.AppendUint16(head, uint16(total-len(magic)-4))
	head = append(head, text...)
	for len(head) < total-1 {
		head = append(head, ' ')
	}
	return append(head, '\n')
}

// Decode reads a file. Bytes after the last element are an error, as are missing ones. No more
// memory is taken than the file's own data needs, whatever its header says.
func Decode(b []byte) (shape []int, data []float32, err error) {
	h, err := parseHeader(b)
	if err != nil {
		return nil, nil, err
	}
	body := b[h.size:]
	n, err := count(h.shape)
	if err != nil {
		return nil, nil, err
	}
	if n > len(body)/h.width || n*h.width != len(body) {
		return nil, nil, fmt.Errorf("npy: shape %v of %s needs %d elements of %d bytes, but %d bytes follow the header", h.shape, h.descr, n, h.width, len(body))
	}
	data = make([]float32, n)
	for i := range data {
		e := body[i*h.width:]
		if h.width == 8 {
			data[i] = float32(math.Float64frombits(h.order.Uint64(e)))
		} else {
			data[i] = math.Float32frombits(h.order.Uint32(e))
		}
	}
	return h.shape, data, nil
}

// Layout is what the head of a file says of the rest.
type Layout struct {
	Descr  string // NumPy's name of the element type: "<f4".
	Width  int    // Bytes an element takes.
	Shape  []int  // Dimensions, in C order.
	Offset int    // Where in the file the first element lies.
}

// Size is the length in bytes of the file that the layout describes, an error when no file can be so
// long.
func (l Layout) Size() (int64, error) {
	n, err := count(l.Shape)
	if err != nil {
		return 0, err
	}
	return int64(l.Offset) + int64(n)*int64(l.Width), nil
}

// Inspect reads the head of a file, of which head must hold the first MaxHead bytes or all.
func Inspect(head []byte) (Layout, error) {
	h, err := parseHeader(head)
	if err != nil {
		return Layout{}, err
	}
	return Layout{Descr: h.descr, Width: h.width, Shape: h.shape, Offset: h.size}, nil
}

// MaxHead is the length of the longest head that is read.
const MaxHead = 12 + maxHeader

// count is the number of elements of a shape, an error if a dimension is negative or the product
// does not fit.
func count(shape []int) (int, error) {
	n, zero := 1, false
	for _, d := range shape {
		switch {
		case d < 0:
			return 0, fmt.Errorf("npy: negative dimension in shape %v", shape)
		case d == 0:
			zero = true
		case n > math.MaxInt/16/d:
			return 0, fmt.Errorf("npy: shape %v is too large", shape)
		default:
			n *= d
		}
	}
	if zero {
		return 0, nil
	}
	return n, nil
}

var errTruncated = errors.New("npy: the file ends within its header")
