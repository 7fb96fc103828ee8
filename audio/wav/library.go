package wav

import (
	"bytes"
	"encoding/binary"
	"fmt"

	goaudio "github.com/go-audio/audio"
	gowav "github.com/go-audio/wav"
)

// library reports whether go-audio/wav decodes this format: little-endian integer PCM of the widths
// that it gets right. 16 bits have a path of their own, because nearly all files have them and ours
// is much faster; the rest go-audio does not know or gets wrong.
func (f format) library() bool {
	return f.order == binary.LittleEndian && (f.kind == kindUnsigned || f.kind == kindSigned && (f.width == 3 || f.width == 4))
}

// libraryBlock is how many samples go through go-audio/wav at a time.
const libraryBlock = 4096

// decodeLibrary decodes a block of samples through go-audio/wav. Its decoder learns the sample format from
// a canonical header and nothing else: where the samples of the file lie, how many there are and whether
// they are complete is found by this package (see Reader), because the decoder trusts sizes, takes one
// short read for the end, and needs a seekable stream. It then reads src itself, which is not copied.
func (f format) decodeLibrary(dst []float32, src []byte) error {
	offset, scale := 0, 1/float64(int64(1)<<(8*f.width-1))
	if f.kind == kindUnsigned {
		offset = -128
	}
	d := gowav.NewDecoder(bytes.NewReader(f.canonicalHeader()))
	err := d.FwdToPCM()
	if err == nil && d.PCMChunk == nil { // It returns no error for a header that it cannot read.
		err = gowav.ErrPCMChunkNotFound
	}
	if err != nil {
		return fmt.Errorf("wav: samples of %d bits: %w", 8*f.width, err)
	}
	d.PCMChunk.R = bytes.NewReader(src)
	buf := &goaudio.IntBuffer{Data: make([]int, min(len(dst), libraryBlock))}
	for done := 0; done < len(dst); {
		n := min(len(dst)-done, libraryBlock)
		buf.Data = buf.Data[:n]
		got, err := d.PCMBuffer(buf)
		if err != nil || got != n {
			return fmt.Errorf("wav: decoding stopped at sample %d of %d: %w", done+got, len(dst), err)
		}
		for i, v := range buf.Data {
			dst[done+i] = float32(float64(v+offset) * scale)
		}
		done += n
	}
	return nil
}

// canonicalHeader is the 44-byte head of a plain PCM file with one channel, up to the samples.
func (f format) canonicalHeader() []byte {
	le := binary.LittleEndian
	b := le.AppendUint32([]byte("RIFF"), 36)
	b = le.AppendUint32(append(b, "WAVEfmt "...), 16)
	b = le.AppendUint16(b, tagPCM)
	b = le.AppendUint16(b, 1)
	b = le.AppendUint32(b, 8000)
	b = le.AppendUint32(b, uint32(8000*f.width))
	b = le.AppendUint16(b, uint16(f.width))
	b = le.AppendUint16(b, uint16(8*f.width))
	return le.AppendUint32(append(b, "data"...), 0)
}
