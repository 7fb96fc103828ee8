package wav

import (
	"encoding/binary"
	"fmt"
	"math"
)

// decode turns len(dst) samples of src into floats. Full scale of an integer format is 1: a PCM
// sample is divided by 2^(bits-1). A value that is no finite float32 is an error that names its
// frame, counted from the file's sample at index first.
func (f format) decode(dst []float32, src []byte, first int64) error {
	switch f.kind {
	case kindALaw:
		for i := range dst {
			dst[i] = alaw[src[i]]
		}
	case kindMuLaw:
		for i := range dst {
			dst[i] = mulaw[src[i]]
		}
	case kindFloat:
		if bad := f.decodeFloat(dst, src); bad >= 0 {
			return f.badSample(dst[bad], first+int64(bad))
		}
	default:
		if f.library() {
			return f.decodeLibrary(dst, src)
		}
		f.decodeSigned(dst, src)
	}
	return nil
}

// decodeSigned decodes the integer formats that go-audio/wav does not know.
func (f format) decodeSigned(dst []float32, src []byte) {
	switch {
	case f.width == 2 && f.order == binary.LittleEndian:
		decode16(dst, src)
	case f.width == 2:
		for i := range dst {
			dst[i] = float32(int16(binary.BigEndian.Uint16(src[2*i:]))) * (1.0 / (1 << 15))
		}
	case f.width == 3:
		for i := range dst {
			s := src[3*i : 3*i+3]
			dst[i] = float32(int32(uint32(s[0])<<24|uint32(s[1])<<16|uint32(s[2])<<8)) * (1.0 / (1 << 31))
		}
	case f.width == 4:
		for i := range dst {
			dst[i] = float32(int32(binary.BigEndian.Uint32(src[4*i:]))) * (1.0 / (1 << 31))
		}
	default:
		for i := range dst {
			dst[i] = float32(float64(int64(f.order.Uint64(src[8*i:]))) * (1.0 / (1 << 63)))
		}
	}
}

// decode16 is the common case, four samples a load.
func decode16(dst []float32, src []byte) {
	const scale = 1.0 / (1 << 15)
	for len(dst) >= 4 && len(src) >= 8 {
		v := binary.LittleEndian.Uint64(src)
		dst[0] = float32(int16(v)) * scale
		dst[1] = float32(int16(v>>16)) * scale
		dst[2] = float32(int16(v>>32)) * scale
		dst[3] = float32(int16(v>>48)) * scale
		dst, src = dst[4:], src[8:]
	}
	for i := range dst {
		dst[i] = float32(int16(binary.LittleEndian.Uint16(src[2*i:]))) * scale
	}
}

func (f format) decodeFloat(dst []float32, src []byte) int {
	const exponent = 0x7F800000 // All ones: an infinity or NaN.
	bad := -1
	switch {
	case f.width == 4 && f.order == binary.LittleEndian:
		for i := range dst {
			bits := binary.LittleEndian.Uint32(src[4*i:])
			if bits&exponent == exponent && bad < 0 {
				bad = i
			}
			dst[i] = math.Float32frombits(bits)
		}
	case f.width == 4:
		for i := range dst {
			bits := binary.BigEndian.Uint32(src[4*i:])
			if bits&exponent == exponent && bad < 0 {
				bad = i
			}
			dst[i] = math.Float32frombits(bits)
		}
	default:
		for i := range dst {
			v := float32(math.Float64frombits(f.order.Uint64(src[8*i:])))
			if math.Float32bits(v)&exponent == exponent && bad < 0 {
				bad = i
			}
			dst[i] = v
		}
	}
	return bad
}

// badSample reports the value at sample index i of a file.
func (f format) badSample(v float32, i int64) error {
	what := "an infinite value"
	if v != v {
		what = "not a number (NaN)"
	}
	return fmt.Errorf("wav: frame %d, channel %d is %s; every sample must be finite", i/int64(f.channels), i%int64(f.channels), what)
}

// alaw and mulaw are the decoding tables of ITU-T G.711, scaled as ffmpeg scales the 16-bit values.
var (
	alaw  = lawTable(alawSample)
	mulaw = lawTable(mulawSample)
)

func lawTable(sample func(byte) int) (t [256]float32) {
	for i := range t {
		t[i] = float32(sample(byte(i))) / (1 << 15)
	}
	return t
}

func alawSample(b byte) int {
	b ^= 0x55
	mantissa, segment := int(b&0x0F), int(b>>4&7)
	v := mantissa<<4 + 8
	if segment > 0 {
		v = (v + 0x100) << (segment - 1)
	}
	if b&0x80 == 0 {
		v = -v
	}
	return v
}

func mulawSample(b byte) int {
	b = ^b
	const bias = 0x84
	v := (int(b&0x0F)<<3+bias)<<(b>>4&7) - bias
	if b&0x80 != 0 {
		v = -v
	}
	return v
}
