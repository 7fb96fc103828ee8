package wav

import (
	"encoding/binary"
	"errors"
	"fmt"
)

// maxChannels is what any plausible file has; beyond it lies a broken header.
const maxChannels = 64

// The format tags that are decoded (RFC 2361).
const (
	tagPCM        = 0x0001
	tagFloat      = 0x0003
	tagALaw       = 0x0006
	tagMuLaw      = 0x0007
	tagExtensible = 0xFFFE
)

// kind is how the bytes of a sample become a number.
type kind uint8

const (
	kindUnsigned kind = iota // Offset binary, one byte.
	kindSigned               // Two's complement, width bytes.
	kindFloat                // IEEE 754, width bytes.
	kindALaw
	kindMuLaw
)

// format is the content of a fmt chunk, understood.
type format struct {
	kind     kind
	order    binary.ByteOrder
	width    int // Bytes a sample.
	valid    int // Bits of a sample that carry information.
	channels int
	rate     int
}

// frame is the number of bytes a frame takes.
func (f format) frame() int { return f.width * f.channels }

// encoding is ffmpeg's name of the sample format.
func (f format) encoding() string {
	end := "le"
	if f.order == binary.BigEndian {
		end = "be"
	}
	switch f.kind {
	case kindUnsigned:
		return "pcm_u8"
	case kindALaw:
		return "pcm_alaw"
	case kindMuLaw:
		return "pcm_mulaw"
	case kindFloat:
		return fmt.Sprintf("pcm_f%d%s", 8*f.width, end)
	default:
		return fmt.Sprintf("pcm_s%d%s", 8*f.width, end)
	}
}

// parseFormat reads a fmt chunk's body, which may be cut short.
func parseFormat(b []byte, order binary.ByteOrder, h *Header) (format, error) {
	if len(b) < 14 {
		return format{}, fmt.Errorf("wav: the fmt chunk has %d bytes; it needs at least 14", len(b))
	}
	f := format{order: order, channels: int(order.Uint16(b[2:])), rate: int(order.Uint32(b[4:]))}
	tag := order.Uint16(b)
	align, bits := int(order.Uint16(b[12:])), 0
	steady := uint64(order.Uint32(b[8:])) == uint64(f.rate)*uint64(align) // The byte rate bears the frame size out.
	if len(b) >= 16 {
		bits = int(order.Uint16(b[14:]))
	} else if f.channels > 0 {
		bits = 8 * (align / f.channels) // The 14-byte form leaves it to the frame size.
	}
	f.valid = bits
	if tag == tagExtensible {
		var err error
		if tag, err = f.extensible(b, order, bits); err != nil {
			return format{}, err
		}
	}
	switch {
	case f.channels == 0:
		return format{}, errors.New("wav: the fmt chunk says 0 channels")
	case f.channels > maxChannels:
		return format{}, fmt.Errorf("wav: the fmt chunk says %d channels; at most %d are plausible", f.channels, maxChannels)
	case f.rate == 0:
		return format{}, errors.New("wav: the fmt chunk says a sample rate of 0 Hz")
	}
	return f, f.sample(tag, bits, align, steady, h)
}

// extensible reads the extension of WAVEFORMATEXTENSIBLE and returns the tag of the subformat.
func (f *format) extensible(b []byte, order binary.ByteOrder, bits int) (uint16, error) {
	const need = 40 // 16 + size (2), valid bits (2), channel mask (4), GUID (16)
	if len(b) < need {
		return 0, fmt.Errorf("wav: the extensible fmt chunk has %d bytes; it needs %d", len(b), need)
	}
	// The GUID is {tag}-0000-0010-8000-00AA00389B71, or one of the ambisonic B-format, which differ in
	// the tail and hold plain PCM or float as well. Its first field is a 32-bit number in the file's
	// byte order; SoX writes big-endian files with a 16-bit number and two zero bytes.
	tag := order.Uint32(b[24:])
	if tag > 0xFFFF && order == binary.BigEndian && order.Uint16(b[26:]) == 0 {
		tag >>= 16
	}
	if tag > 0xFFFF {
		return 0, &UnsupportedError{tagExtensible, fmt.Sprintf("an extensible subformat {%x}", b[24:40])}
	}
	if valid := int(order.Uint16(b[18:])); valid > 0 && valid <= bits {
		f.valid = valid
	}
	return uint16(tag), nil
}

// sample fills in how a sample is stored.
func (f *format) sample(tag uint16, bits, align int, steady bool, h *Header) error {
	switch tag {
	case tagPCM:
		f.kind = kindSigned
	case tagFloat:
		f.kind = kindFloat
	case tagALaw:
		f.kind = kindALaw
	case tagMuLaw:
		f.kind = kindMuLaw
	default:
		return &UnsupportedError{tag, formatName(tag)}
	}
	if bits == 0 || bits > 64 {
		return fmt.Errorf("wav: the fmt chunk says %d bits a sample", bits)
	}
	f.width = (bits + 7) / 8
	if f.kind == kindSigned || f.kind == kindFloat {
		// A wider frame that the byte rate bears out is the better witness: 24-in-32 is known by it.
		if w := align / f.channels; steady && w*f.channels == align && w > f.width && (w <= 4 || w == 8) {
			f.width = w
		} else if align != f.frame() {
			h.note("The fmt chunk says %d bytes a frame, which %d channels of %d bits do not take; %d are assumed.", align, f.channels, bits, f.frame())
		}
	}
	switch {
	case f.kind == kindSigned && f.width == 1:
		f.kind, f.order = kindUnsigned, binary.LittleEndian // One byte has no order.
	case f.kind == kindSigned && (f.width <= 4 || f.width == 8):
	case f.kind == kindFloat && (f.width == 4 || f.width == 8) && bits == 8*f.width:
	case (f.kind == kindALaw || f.kind == kindMuLaw) && f.width == 1:
	default:
		return &UnsupportedError{tag, fmt.Sprintf("%s of %d bits in %d bytes", formatName(tag), bits, f.width)}
	}
	return nil
}

// formatName is what a format tag stands for (RFC 2361, mmreg.h).
func formatName(tag uint16) string {
	switch tag {
	case tagPCM:
		return "PCM"
	case tagFloat:
		return "IEEE float"
	case tagALaw:
		return "A-law"
	case tagMuLaw:
		return "µ-law"
	case 0x0002:
		return "MS ADPCM"
	case 0x0010:
		return "OKI ADPCM"
	case 0x0011:
		return "IMA ADPCM"
	case 0x0014:
		return "G.723 ADPCM"
	case 0x0017:
		return "Dialogic OKI ADPCM"
	case 0x0020:
		return "Yamaha ADPCM"
	case 0x0022:
		return "TrueSpeech"
	case 0x0031:
		return "GSM 6.10"
	case 0x0040:
		return "G.721 ADPCM"
	case 0x0045:
		return "G.726 ADPCM"
	case 0x0050:
		return "MPEG audio layer 1 or 2"
	case 0x0055:
		return "MP3"
	case 0x0064:
		return "G.726 ADPCM"
	case 0x0065:
		return "G.722 ADPCM"
	case 0x0092:
		return "AC-3 over S/PDIF"
	case 0x00FF, 0x1600, 0x1601, 0x1602, 0x1610:
		return "AAC"
	case 0x0160, 0x0161, 0x0162, 0x0163:
		return "Windows Media Audio"
	case 0x0270:
		return "ATRAC3"
	case 0x2000:
		return "AC-3"
	case 0x2001:
		return "DTS"
	case 0x566F, 0x674F, 0x6750, 0x6751, 0x676F, 0x6770, 0x6771:
		return "Vorbis"
	case 0x704F:
		return "Opus"
	case 0xA109:
		return "Speex"
	case 0xF1AC:
		return "FLAC"
	}
	return "an unknown format"
}
