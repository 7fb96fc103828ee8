package codec

import (
	"errors"
	"fmt"
	"math"
	"math/bits"
	"slices"
)

// The bounds on Vorbis codebooks. The encoders in use make books of up to 6561 entries in up to 16
// dimensions, some 50 in a file.
const (
	maxEntries      = 1 << 14 // In one book; building its tree takes time in their square.
	maxDimensions   = 256
	maxBookValues   = 1 << 20 // Entries times dimensions, in one book.
	maxTotalEntries = 1 << 16
	maxTotalValues  = 1 << 21 // 8 MB of floats.
)

// checkSetup walks the codebooks, floors and residues of a Vorbis setup header (specification,
// section 4.2.4) and refuses what would cost memory or time beyond reason, and codebooks whose
// codewords do not fill the code space, in which a decoder can get lost. It reports errVariant for
// what is in order but misread by the library.
func checkSetup(b []byte) error {
	r := bitReader{b: b}
	entries, values := 0, 0
	for i := range int(r.read(8)) + 1 {
		e, v, err := r.codebook()
		if err != nil {
			return fmt.Errorf("codebook %d: %w", i, err)
		}
		entries, values = entries+e, values+v
		if entries > maxTotalEntries || values > maxTotalValues {
			return fmt.Errorf("codebooks of more than %d entries or %d values", maxTotalEntries, maxTotalValues)
		}
	}
	for range r.read(6) + 1 {
		r.read(16) // Placeholders.
	}
	for i := range int(r.read(6)) + 1 {
		if err := r.floor(); err != nil {
			return fmt.Errorf("floor %d: %w", i, err)
		}
	}
	for i := range int(r.read(6)) + 1 {
		if err := r.residue(); err != nil {
			return fmt.Errorf("residue %d: %w", i, err)
		}
	}
	if r.end {
		return errCut
	}
	return nil
}

// floor walks one floor. Type 0 has not been written since 2001 and is left to others, as is a floor
// 1 without partitions: the library reads a class for it that is not there.
func (r *bitReader) floor() error {
	switch kind := r.read(16); kind {
	case 0:
		return fmt.Errorf("%w: type 0", errVariant)
	case 1:
	default:
		return fmt.Errorf("an unknown type %d", kind)
	}
	partitions := make([]uint32, r.read(5))
	if len(partitions) == 0 {
		return fmt.Errorf("%w: no partitions", errVariant)
	}
	for i := range partitions {
		partitions[i] = r.read(4)
	}
	dimensions := make([]int, slices.Max(partitions)+1)
	for i := range dimensions {
		dimensions[i] = int(r.read(3)) + 1
		subclass := r.read(2)
		if subclass > 0 {
			r.read(8)
		}
		for range 1 << subclass {
			r.read(8)
		}
	}
	r.read(2)
	width := int(r.read(4))
	for _, class := range partitions {
		for range dimensions[class] {
			r.read(width)
		}
	}
	return nil
}

// residue walks one residue.
func (r *bitReader) residue() error {
	kind, begin, end := r.read(16), r.read(24), r.read(24)
	if kind > 2 || begin > end {
		return fmt.Errorf("type %d from %d to %d", kind, begin, end)
	}
	r.read(24)
	classes := make([]uint32, r.read(6)+1)
	r.read(8)
	for i := range classes {
		classes[i] = r.read(3)
		if r.read(1) == 1 {
			classes[i] |= r.read(5) << 3
		}
	}
	for _, c := range classes {
		for range bits.OnesCount32(c) {
			r.read(8)
		}
	}
	return nil
}

// bitReader reads bits, the lowest of a byte first. Beyond the end it reads zeros and says so.
type bitReader struct {
	b   []byte
	at  int // Bits read.
	end bool
}

func (r *bitReader) read(n int) uint32 {
	var v uint32
	for i := range n {
		at := r.at + i
		if at>>3 >= len(r.b) {
			r.end = true
			break
		}
		v |= uint32(r.b[at>>3]>>(at&7)&1) << i
	}
	r.at += n
	return v
}

// left is how many bits there are still to read.
func (r *bitReader) left() int { return max(0, 8*len(r.b)-r.at) }

var errCut = errors.New("the setup header ends too early")

// codebook walks one codebook and returns its number of entries and of vector values.
func (r *bitReader) codebook() (entries, values int, err error) {
	const pattern = 0x564342
	if r.read(24) != pattern {
		return 0, 0, errors.New("a codebook without its sync pattern")
	}
	dimensions, entries := int(r.read(16)), int(r.read(24))
	if dimensions < 1 || dimensions > maxDimensions || entries < 2 || entries > maxEntries || entries*dimensions > maxBookValues {
		return 0, 0, fmt.Errorf("%d entries of %d dimensions", entries, dimensions)
	}
	if err := r.lengths(entries); err != nil {
		return 0, 0, err
	}
	switch lookup := r.read(4); lookup {
	case 0:
	case 1, 2:
		r.read(32)
		r.read(32)
		width := int(r.read(4)) + 1
		r.read(1)
		n := entries * dimensions
		values = n
		if lookup == 1 {
			n = root(entries, dimensions)
		}
		if n*width > r.left() {
			return 0, 0, errCut
		}
		r.at += n * width
	default:
		return 0, 0, fmt.Errorf("an unknown lookup type %d", lookup)
	}
	if r.end {
		return 0, 0, errCut
	}
	return entries, values, nil
}

// root is the largest integer whose power does not exceed n.
func root(n, power int) int {
	for r := int(math.Pow(float64(n), 1/float64(power))) + 1; ; r-- {
		p := 1
		for i := 0; i < power && p <= n; i++ {
			p *= r
		}
		if p <= n {
			return r
		}
	}
}

// lengths walks the codeword lengths and checks that they fill the code space exactly, or are one.
func (r *bitReader) lengths(entries int) error {
	used, space := 0, uint64(0) // Space in units of 2^-32.
	count := func(n int, length uint32) {
		used += n
		space += uint64(n) << (32 - length)
	}
	if ordered := r.read(1) == 1; ordered {
		length := r.read(5) + 1
		for at := 0; at < entries; length++ {
			n := int(r.read(bits.Len(uint(entries - at))))
			if n > entries-at || length > 32 || r.end {
				return errors.New("malformed codeword lengths")
			}
			count(n, length)
			at += n
		}
	} else {
		sparse := r.read(1) == 1
		for range entries {
			if !sparse || r.read(1) == 1 {
				count(1, r.read(5)+1)
			}
			if r.end {
				return errCut
			}
		}
	}
	if used != 1 && space != 1<<32 {
		return fmt.Errorf("%d codewords that do not fill the code space", used)
	}
	return nil
}
