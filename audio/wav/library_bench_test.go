package wav

import (
	"encoding/binary"
	"fmt"
	"testing"
)

// BenchmarkLibrary decodes half a second of 8 kHz, the length of a spoken digit, and a minute of 48 kHz by way of
// go-audio/wav.
func BenchmarkLibrary(b *testing.B) {
	for _, bits := range []int{8, 24, 32} {
		for _, samples := range []int{4000, 60 * 48000} {
			f := format{order: binary.LittleEndian, kind: kindSigned, width: bits / 8}
			if bits == 8 {
				f.kind = kindUnsigned
			}
			src, dst := make([]byte, samples*f.width), make([]float32, samples)
			for i := range src {
				src[i] = byte(i * 7)
			}
			b.Run(fmt.Sprintf("%d-bit/%d", bits, samples), func(b *testing.B) {
				b.SetBytes(int64(len(src)))
				b.ReportAllocs()
				for b.Loop() {
					if err := f.decodeLibrary(dst, src); err != nil {
						b.Fatal(err)
					}
				}
			})
		}
	}
}
