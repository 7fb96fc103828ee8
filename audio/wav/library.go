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

// decodeLibrary decodes through go-audio/wav, block by block. Each block is shown to it as a file of
// its own with a canonical 44-byte header and exactly the bytes that are there, all in memory: so it
// never sees a size to be trusted, a chunk it does not know, or a short read.
func (f format) decodeLibrary(dst []float32, src []byte) error {
	offset, scale := 0, 1/float64(int64(1)<<(8*f.width-1))
	if f.kind == kindUnsigned {
		offset = -128
	}
	buf := &goaudio.IntBuffer{Data: make([]int, min(len(dst), libraryBlock))}
	file := make([]byte, 0, 44+len(buf.Data)*f.width)
	for done := 0; done < len(dst); {
		n := min(len(dst)-done, libraryBlock)
		block := src[done*f.width : (done+n)*f.width]
		file = append(f.canonicalHeader(file[:0], len(block)), block...)
		buf.Data = buf.Data[:n]
		got, err := gowav.NewDecoder(bytes.NewReader(file)).PCMBuffer(buf)
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

// canonicalHeader appends the 44-byte head of a plain PCM file with one channel.
func (f format) canonicalHeader(b []byte, size int) []byte {
	le := binary.LittleEndian
	b = le.AppendUint32(append(b, "RIFF"...), uint32(36+size))
	b = le.AppendUint32(append(b, "WAVEfmt "...), 16)
	b = le.AppendUint16(b, tagPCM)
	b = le.AppendUint16(b, 1)
	b = le.AppendUint32(b, 8000)
	b = le.AppendUint32(b, uint32(8000*f.width))
	b = le.AppendUint16(b, uint16(f.width))
	b = le.AppendUint16(b, uint16(8*f.width))
	return le.AppendUint32(append(b, "data"...), uint32(size))
}
