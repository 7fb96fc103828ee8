package wav

import (
	"bytes"
	"encoding/binary"
	"errors"
	"fmt"
	"io"
	"math"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"testing/iotest"

	goaudio "github.com/go-audio/audio"
	gowav "github.com/go-audio/wav"
	"github.com/google/go-cmp/cmp"
	"pgregory.net/rapid"

	"wavemill/audio"
	"wavemill/internal/allocation"
)

// build makes chunks and files in either byte order.
type build struct{ binary.AppendByteOrder }

var (
	little = build{binary.LittleEndian}
	big    = build{binary.BigEndian}
)

// chunk is a chunk of any declared size, with a pad byte when its body is odd.
func (b build) chunk(id string, size uint32, body []byte) []byte {
	out := append(b.AppendUint32([]byte(id), size), body...)
	if len(body)%2 == 1 {
		out = append(out, 0)
	}
	return out
}

func (b build) sized(id string, body []byte) []byte { return b.chunk(id, uint32(len(body)), body) }

// fmt is a 16-byte fmt chunk.
func (b build) fmt(tag, channels, rate, bits int) []byte {
	width := (bits + 7) / 8
	body := b.AppendUint16(nil, uint16(tag))
	body = b.AppendUint16(body, uint16(channels))
	body = b.AppendUint32(body, uint32(rate))
	body = b.AppendUint32(body, uint32(rate*channels*width))
	body = b.AppendUint16(body, uint16(channels*width))
	body = b.AppendUint16(body, uint16(bits))
	return b.sized("fmt ", body)
}

// extensible is a 40-byte fmt chunk.
func (b build) extensible(tag, channels, rate, bits, valid int) []byte {
	body := b.fmt(tagExtensible, channels, rate, bits)[8:]
	body = b.AppendUint16(body, 22)
	body = b.AppendUint16(body, uint16(valid))
	body = b.AppendUint32(body, 0)
	body = b.AppendUint32(body, uint32(tag))
	return b.sized("fmt ", append(body, "\x00\x00\x10\x00\x80\x00\x00\xAA\x00\x38\x9B\x71"...))
}

// file joins chunks under a head.
func (b build) file(id string, chunks ...[]byte) []byte {
	body := append([]byte("WAVE"), bytes.Join(chunks, nil)...)
	return append(b.AppendUint32([]byte(id), uint32(len(body))), body...)
}

func (b build) words(values ...int) (out []byte) {
	for _, v := range values {
		out = b.AppendUint16(out, uint16(int16(v)))
	}
	return out
}

func info(id, text string) []byte {
	return little.sized("LIST", append([]byte("INFO"), little.sized(id, []byte(text+"\x00"))...))
}

// variant is a file and what it holds.
type variant struct {
	name     string
	data     []byte
	encoding string
	samples  []float32
	tags     map[string]string
	cut      bool
	notes    int
}

// half is what the two samples of most variants are: one and minus one half.
var half = []float32{0.5, -0.5}

func variants() []variant {
	le, be := little, big
	words := le.words(16384, -16384)
	mono := le.fmt(1, 1, 8000, 16)
	data := le.sized("data", words)
	ds64 := func(size uint64) []byte {
		b := le.AppendUint64(nil, 0)
		b = le.AppendUint64(b, size)
		b = le.AppendUint64(b, 2)
		return le.sized("ds64", le.AppendUint32(b, 0))
	}
	f64 := func(b build) []byte {
		return b.AppendUint64(b.AppendUint64(nil, math.Float64bits(0.5)), math.Float64bits(-0.5))
	}
	f32 := func(b build) []byte {
		return b.AppendUint32(b.AppendUint32(nil, math.Float32bits(0.5)), math.Float32bits(-0.5))
	}
	return []variant{
		{name: "16 bits", data: le.file("RIFF", mono, data), encoding: "pcm_s16le", samples: half},
		{name: "8 bits", data: le.file("RIFF", le.fmt(1, 1, 8000, 8), le.sized("data", []byte{192, 64})), encoding: "pcm_u8", samples: half},
		{name: "24 bits", data: le.file("RIFF", le.fmt(1, 1, 8000, 24), le.sized("data", []byte{0, 0, 0x40, 0, 0, 0xC0})), encoding: "pcm_s24le", samples: half},
		{name: "20 in 24", data: le.file("RIFF", le.extensible(1, 1, 8000, 24, 20), le.sized("data", []byte{0, 0, 0x40, 0, 0, 0xC0})), encoding: "pcm_s24le", samples: half},
		{name: "20 plain", data: le.file("RIFF", le.fmt(1, 1, 8000, 20), le.sized("data", []byte{0, 0, 0x40, 0, 0, 0xC0})), encoding: "pcm_s24le", samples: half},
		{name: "12 plain", data: le.file("RIFF", le.fmt(1, 1, 8000, 12), data), encoding: "pcm_s16le", samples: half},
		{name: "32 bits", data: le.file("RIFF", le.fmt(1, 1, 8000, 32), le.sized("data", le.AppendUint32(le.AppendUint32(nil, 1<<30), 3<<30))), encoding: "pcm_s32le", samples: half},
		{name: "64 bits", data: le.file("RIFF", le.fmt(1, 1, 8000, 64), le.sized("data", le.AppendUint64(le.AppendUint64(nil, 1<<62), 3<<62))), encoding: "pcm_s64le", samples: half},
		{name: "float 32", data: le.file("RIFF", le.fmt(3, 1, 8000, 32), le.sized("data", f32(le))), encoding: "pcm_f32le", samples: half},
		{name: "float 64", data: le.file("RIFF", le.fmt(3, 1, 8000, 64), le.sized("data", f64(le))), encoding: "pcm_f64le", samples: half},
		{name: "float 32 extensible", data: le.file("RIFF", le.extensible(3, 1, 8000, 32, 32), le.sized("data", f32(le))), encoding: "pcm_f32le", samples: half},
		// 0x9A and 0x1A are +-16896/32768 in A-law; 0x8F and 0x0F are +-16764/32768 in µ-law (G.711).
		{name: "A-law", data: le.file("RIFF", le.fmt(6, 1, 8000, 8), le.sized("data", []byte{0xA5, 0x25})), encoding: "pcm_alaw", samples: []float32{16896. / 32768, -16896. / 32768}},
		{name: "µ-law", data: le.file("RIFF", le.fmt(7, 1, 8000, 8), le.sized("data", []byte{0x8F, 0x0F})), encoding: "pcm_mulaw", samples: []float32{16764. / 32768, -16764. / 32768}},
		{name: "RIFX 16", data: be.file("RIFX", be.fmt(1, 1, 8000, 16), be.sized("data", be.words(16384, -16384))), encoding: "pcm_s16be", samples: half},
		{name: "RIFX 8", data: be.file("RIFX", be.fmt(1, 1, 8000, 8), be.sized("data", []byte{192, 64})), encoding: "pcm_u8", samples: half},
		{name: "RIFX 24", data: be.file("RIFX", be.fmt(1, 1, 8000, 24), be.sized("data", []byte{0x40, 0, 0, 0xC0, 0, 0})), encoding: "pcm_s24be", samples: half},
		{name: "RIFX 24 by SoX", data: be.file("RIFX", be.extensible(1<<16, 1, 8000, 24, 24), be.sized("data", []byte{0x40, 0, 0, 0xC0, 0, 0})), encoding: "pcm_s24be", samples: half},
		{name: "RIFX 32", data: be.file("RIFX", be.fmt(1, 1, 8000, 32), be.sized("data", be.AppendUint32(be.AppendUint32(nil, 1<<30), 3<<30))), encoding: "pcm_s32be", samples: half},
		{name: "RIFX float 32", data: be.file("RIFX", be.extensible(3, 1, 8000, 32, 32), be.sized("data", f32(be))), encoding: "pcm_f32be", samples: half},
		{name: "RIFX float 64", data: be.file("RIFX", be.fmt(3, 1, 8000, 64), be.sized("data", f64(be))), encoding: "pcm_f64be", samples: half},
		{name: "RF64", data: le.file("RF64", ds64(4), mono, le.chunk("data", unset, words)), encoding: "pcm_s16le", samples: half},
		{name: "BW64 with tags", data: le.file("BW64", ds64(4), mono, le.chunk("data", unset, words), info("INAM", "x")), encoding: "pcm_s16le", samples: half, tags: map[string]string{"INAM": "x"}},
		{name: "RF64 streamed", data: le.file("RF64", ds64(math.MaxUint64), mono, le.chunk("data", unset, words)), encoding: "pcm_s16le", samples: half, notes: 1},
		{name: "RF64 cut", data: le.file("RF64", ds64(400), mono, le.chunk("data", unset, words)), encoding: "pcm_s16le", samples: half, cut: true, notes: 1},
		{name: "streamed, all ones", data: le.file("RIFF", mono, le.chunk("data", unset, words)), encoding: "pcm_s16le", samples: half, notes: 1},
		{name: "streamed, SoX", data: le.file("RIFF", mono, le.chunk("data", 0x7FFFF000, words)), encoding: "pcm_s16le", samples: half, notes: 1},
		{name: "streamed, zero", data: le.file("RIFF", mono, le.chunk("data", 0, words)), encoding: "pcm_s16le", samples: half, notes: 1},
		{name: "no samples", data: le.file("RIFF", mono, le.sized("data", nil)), encoding: "pcm_s16le", samples: []float32{}},
		{name: "no samples, then tags", data: le.file("RIFF", mono, le.sized("data", nil), info("ICMT", "y")), encoding: "pcm_s16le", samples: []float32{}, tags: map[string]string{"ICMT": "y"}},
		{name: "cut within a frame", data: le.file("RIFF", mono, le.chunk("data", 400, words), []byte{7}), encoding: "pcm_s16le", samples: half, cut: true, notes: 1},
		{name: "odd length", data: le.file("RIFF", mono, le.sized("data", append(bytes.Clone(words), 9)), info("INAM", "z")), encoding: "pcm_s16le", samples: half, tags: map[string]string{"INAM": "z"}, notes: 1},
		{name: "odd chunks", data: le.file("RIFF", le.sized("JUNK", []byte("abc")), mono, info("INAM", "ab"), le.sized("bext", make([]byte, 603)), data, le.sized("cue ", make([]byte, 5)), info("IGNR", "g")), encoding: "pcm_s16le", samples: half, tags: map[string]string{"INAM": "ab", "IGNR": "g"}},
		{name: "odd chunk without its pad byte", data: le.file("RIFF", append(le.AppendUint32([]byte("JUNK"), 3), "abc"...), mono, data), encoding: "pcm_s16le", samples: half, notes: 1},
		{name: "odd data without its pad byte", data: le.file("RIFF", le.fmt(1, 1, 8000, 8), append(le.AppendUint32([]byte("data"), 3), 192, 64, 128), info("INAM", "t")), encoding: "pcm_u8", samples: []float32{0.5, -0.5, 0}, tags: map[string]string{"INAM": "t"}, notes: 1},
		{name: "pad byte that is not zero", data: le.file("RIFF", append(le.AppendUint32([]byte("JUNK"), 3), "abcX"...), mono, data), encoding: "pcm_s16le", samples: half},
		{name: "14-byte fmt", data: le.file("RIFF", le.sized("fmt ", mono[8:22]), data), encoding: "pcm_s16le", samples: half},
		{name: "wrong frame size", data: le.file("RIFF", slices.Concat(mono[:20], []byte{7, 0}, mono[22:]), data), encoding: "pcm_s16le", samples: half, notes: 1},
		{name: "24 in 32", data: le.file("RIFF", le.chunk("fmt ", 16, slices.Concat(le.fmt(1, 1, 8000, 32)[8:22], []byte{24, 0})), le.sized("data", le.AppendUint32(le.AppendUint32(nil, 1<<30), 3<<30))), encoding: "pcm_s32le", samples: half},
		{name: "Latin-1 tag", data: le.file("RIFF", mono, info("IART", "Andr\xe9"), data), encoding: "pcm_s16le", samples: half, tags: map[string]string{"IART": "André"}},
		{name: "zeros after the end", data: le.file("RIFF", mono, data, make([]byte, 100)), encoding: "pcm_s16le", samples: half},
		{name: "rubbish after the end", data: le.file("RIFF", mono, data, bytes.Repeat([]byte{1, 2, 3}, 9)), encoding: "pcm_s16le", samples: half, notes: 1},
	}
}

func TestDecodeVariants(t *testing.T) {
	for _, v := range variants() {
		t.Run(v.name, func(t *testing.T) {
			c, h, err := Decode(v.data)
			if err != nil {
				t.Fatal(err)
			}
			if diff := cmp.Diff(v.samples, c.Samples); diff != "" {
				t.Errorf("samples (-want +got):\n%s", diff)
			}
			if h.Encoding != v.encoding || h.SampleRate != 8000 || h.Channels != 1 || h.Frames != int64(len(v.samples)) || h.Truncated != v.cut || len(h.Notes) != v.notes {
				t.Errorf("header %+v, want encoding %s, truncated %v, %d notes", h, v.encoding, v.cut, v.notes)
			}
			if diff := cmp.Diff(v.tags, h.Tags); diff != "" {
				t.Errorf("tags (-want +got):\n%s", diff)
			}
		})
	}
}

// readAll decodes through a Reader in blocks of n frames.
func readAll(r io.Reader, n int) (audio.Clip, Header, error) {
	rd, err := NewReader(r)
	if err != nil {
		return audio.Clip{}, Header{}, err
	}
	c := audio.Clip{Samples: []float32{}, Channels: rd.Header().Channels, Rate: rd.Header().SampleRate}
	buf := make([]float32, n*c.Channels)
	for {
		n, err := rd.ReadFrames(buf)
		c.Samples = append(c.Samples, buf[:n*c.Channels]...)
		if errors.Is(err, io.EOF) {
			return c, rd.Header(), nil
		}
		if err != nil {
			return audio.Clip{}, Header{}, err
		}
	}
}

// pipe hides everything but Read.
type pipe struct{ io.Reader }

func TestReaderAgreesWithDecode(t *testing.T) {
	for _, v := range variants() {
		t.Run(v.name, func(t *testing.T) {
			c, h, err := Decode(v.data)
			if err != nil {
				t.Fatal(err)
			}
			for name, r := range map[string]io.Reader{
				"seekable":       bytes.NewReader(v.data),
				"pipe":           pipe{bytes.NewReader(v.data)},
				"byte a read":    iotest.OneByteReader(bytes.NewReader(v.data)),
				"data and error": iotest.DataErrReader(bytes.NewReader(v.data)),
			} {
				for _, block := range []int{1, 7, 4096} {
					rc, rh, err := readAll(r, block)
					if err != nil {
						t.Fatalf("%s: %v", name, err)
					}
					if diff := cmp.Diff(c, rc); diff != "" {
						t.Errorf("%s: clip (-Decode +Reader):\n%s", name, diff)
					}
					if diff := cmp.Diff(h, rh); diff != "" {
						t.Errorf("%s: header (-Decode +Reader):\n%s", name, diff)
					}
					r = bytes.NewReader(v.data)
				}
			}
		})
	}
}

func TestDecodeRefuses(t *testing.T) {
	le := little
	mono, data := le.fmt(1, 1, 8000, 16), le.sized("data", le.words(1, 2))
	nan := le.AppendUint32(le.AppendUint32(nil, 0), 0x7FC00000)
	for _, tc := range []struct {
		name, want string
		data       []byte
	}{
		{"nothing", "not a WAV file", nil},
		{"text", "not a WAV file", []byte("hello, this is no recording")},
		{"AVI", "not a WAV file", []byte("RIFF\x04\x00\x00\x00AVI LIST")},
		{"no fmt", "no fmt chunk", le.file("RIFF")},
		{"no data", "no data chunk", le.file("RIFF", mono)},
		{"data first", "before the fmt chunk", le.file("RIFF", data, mono)},
		{"short fmt", "fmt chunk has 8 bytes", le.file("RIFF", le.sized("fmt ", mono[8:16]), data)},
		{"no channels", "0 channels", le.file("RIFF", le.fmt(1, 0, 8000, 16), data)},
		{"too many channels", "65 channels", le.file("RIFF", le.fmt(1, 65, 8000, 16), data)},
		{"no rate", "0 Hz", le.file("RIFF", le.fmt(1, 1, 0, 16), data)},
		{"no bits", "0 bits", le.file("RIFF", le.fmt(1, 1, 8000, 0), data)},
		{"MS ADPCM", "MS ADPCM (format tag 0x0002) is not supported; convert", le.file("RIFF", le.fmt(2, 1, 8000, 4), data)},
		{"IMA ADPCM", "IMA ADPCM", le.file("RIFF", le.fmt(0x11, 1, 8000, 4), data)},
		{"GSM", "GSM 6.10", le.file("RIFF", le.fmt(0x31, 1, 8000, 0), data)},
		{"MP3", "MP3", le.file("RIFF", le.fmt(0x55, 1, 8000, 0), data)},
		{"unknown", "unknown format (format tag 0x1234)", le.file("RIFF", le.fmt(0x1234, 1, 8000, 16), data)},
		{"half float", "IEEE float of 16 bits", le.file("RIFF", le.fmt(3, 1, 8000, 16), data)},
		{"40-bit PCM", "PCM of 40 bits", le.file("RIFF", le.fmt(1, 1, 8000, 40), data)},
		{"short extensible", "extensible fmt chunk has 16 bytes", le.file("RIFF", le.fmt(tagExtensible, 1, 8000, 16), data)},
		{"foreign subformat", "extensible subformat", le.file("RIFF", le.extensible(0x12345678, 1, 8000, 16, 16), data)},
		{"ADPCM extensible", "MS ADPCM", le.file("RIFF", le.extensible(2, 1, 8000, 4, 4), data)},
		{"NaN", "frame 1, channel 0 is not a number", le.file("RIFF", le.fmt(3, 1, 8000, 32), le.sized("data", nan))},
		{"NaN, stereo", "frame 0, channel 1 is not a number", le.file("RIFF", le.fmt(3, 2, 8000, 32), le.sized("data", nan))},
		{"infinity", "frame 0, channel 0 is an infinite value", le.file("RIFF", le.fmt(3, 1, 8000, 32), le.sized("data", le.AppendUint32(nil, 0xFF800000)))},
		{"beyond float32", "frame 0, channel 0 is an infinite value", le.file("RIFF", le.fmt(3, 1, 8000, 64), le.sized("data", le.AppendUint64(nil, math.Float64bits(1e300))))},
	} {
		t.Run(tc.name, func(t *testing.T) {
			_, _, err := Decode(tc.data)
			if err == nil || !strings.Contains(err.Error(), tc.want) {
				t.Errorf("Decode: %v, want %q", err, tc.want)
			}
			_, _, rerr := readAll(bytes.NewReader(tc.data), 100)
			if fmt.Sprint(rerr) != fmt.Sprint(err) {
				t.Errorf("Reader: %v, want what Decode says: %v", rerr, err)
			}
		})
	}
}

// TestHeadersTakeNoMemory shows hostile headers to Decode and Reader and weighs what they allocate.
func TestHeadersTakeNoMemory(t *testing.T) {
	le := little
	mono, data := le.fmt(1, 1, 8000, 16), le.sized("data", le.words(1, 2))
	var deep [][]byte
	for range 20000 {
		deep = append(deep, le.sized("JUNK", []byte("ab")))
	}
	ds64 := le.AppendUint64(le.AppendUint64(le.AppendUint64(nil, 1<<62), 1<<62), 1<<62)
	for name, data := range map[string][]byte{
		"huge fmt":    le.file("RIFF", le.chunk("fmt ", 0xFFFFFFF0, mono[8:])),
		"huge LIST":   le.file("RIFF", mono, le.chunk("LIST", 0xFFFFFFF0, []byte("INFOINAM"))),
		"huge tag":    le.file("RIFF", mono, le.sized("LIST", append([]byte("INFO"), le.chunk("INAM", 0xFFFFFFF0, []byte("x"))...)), data),
		"huge data":   le.file("RIFF", mono, le.chunk("data", 0xFFFFFFF0, []byte("abcd"))),
		"huge cue":    le.file("RIFF", mono, le.chunk("cue ", 0xFFFFFFF0, []byte("\xff\xff\xff\x7f"))),
		"huge smpl":   le.file("RIFF", mono, data, le.chunk("smpl", 0x7FFFFFF0, []byte("\xff\xff\xff\x7f"))),
		"huge ds64":   le.file("RF64", le.sized("ds64", le.AppendUint32(ds64, math.MaxUint32)), mono, le.chunk("data", unset, []byte("abcd"))),
		"many chunks": le.file("RIFF", bytes.Join(deep, nil), mono, data),
		// The rate is 4000000000, which an int of 32 bits does not hold.
		"64 channels":    le.file("RIFF", le.fmt(3, 64, -294967296, 64), le.sized("data", make([]byte, 1024))),
		"top of the fmt": le.file("RIFF", le.chunk("fmt ", math.MaxUint32, nil)),
	} {
		limit := uint64(16<<20 + len(data))
		if got := allocation.Of(func() { _, _, _ = Decode(data) }); got > limit {
			t.Errorf("%s: Decode allocates %d bytes, more than %d", name, got, limit)
		}
		if got := allocation.Of(func() { _, _, _ = readAll(pipe{bytes.NewReader(data)}, 1024) }); got > limit {
			t.Errorf("%s: Reader allocates %d bytes, more than %d", name, got, limit)
		}
	}
	if got := allocation.Of(func() { _ = bytes.Clone(make([]byte, 20<<20)) }); got < 20<<20 {
		t.Errorf("the measure sees only %d bytes of 20 MiB", got)
	}
}

// anyClip draws a clip whose samples reach a little beyond full scale.
func anyClip(t *rapid.T) audio.Clip {
	channels := rapid.IntRange(1, 9).Draw(t, "channels")
	frames := rapid.IntRange(0, 200).Draw(t, "frames")
	samples := rapid.SliceOfN(rapid.Float32Range(-1.25, 1.25), frames*channels, frames*channels).Draw(t, "samples")
	return audio.Clip{Samples: samples, Channels: channels, Rate: rapid.IntRange(1, 768000).Draw(t, "rate")}
}

// TestRoundTrip encodes anything in every format and decodes it to within what the format promises.
func TestRoundTrip(t *testing.T) {
	steps := map[Encoding]float64{PCM16: 1. / (1 << 15), PCM24: 1. / (1 << 23), PCM32: 1. / (1 << 31), Float32: 0}
	rapid.Check(t, func(t *rapid.T) {
		c := anyClip(t)
		o := Options{
			Encoding:   rapid.SampledFrom([]Encoding{PCM16, PCM24, PCM32, Float32}).Draw(t, "encoding"),
			NoDither:   rapid.Bool().Draw(t, "no dither"),
			DitherSeed: rapid.Uint64().Draw(t, "seed"),
		}
		b, err := Encode(c, o)
		if err != nil {
			t.Fatal(err)
		}
		got, h, err := Decode(b)
		if err != nil {
			t.Fatal(err)
		}
		if h.Encoding != o.Encoding.String() || h.Channels != c.Channels || h.SampleRate != c.Rate || h.Frames != int64(c.Frames()) || len(h.Notes) != 0 || len(b)%2 != 0 {
			t.Fatalf("header %+v of a clip with %d channels, %d Hz, %d frames", h, c.Channels, c.Rate, c.Frames())
		}
		step := steps[o.Encoding]
		allowed := step / 2
		if !o.NoDither && (o.Encoding == PCM16 || o.Encoding == PCM24) {
			allowed = 1.5 * step // Rounding and the two steps' width of the dither.
		}
		for i, v := range c.Samples {
			want := float64(v)
			if o.Encoding != Float32 {
				want = min(max(want, -1), 1-step)
			}
			// A float32 near 1 is itself 2^-25 off.
			if d := math.Abs(float64(got.Samples[i]) - want); d > allowed+math.Abs(want)/(1<<24) {
				t.Fatalf("sample %d: %v became %v, off by %v steps", i, v, got.Samples[i], d/step)
			}
		}
		again, err := Encode(got, o)
		if err != nil {
			t.Fatal(err)
		}
		if !bytes.Equal(again, b) {
			t.Fatal("decoding and encoding again changes the bytes")
		}
	})
}

// TestWriterAgreesWithEncode writes in blocks to a file and to a pipe and decodes the same samples.
func TestWriterAgreesWithEncode(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		c := anyClip(t)
		o := Options{Encoding: rapid.SampledFrom([]Encoding{PCM16, PCM24, PCM32, Float32}).Draw(t, "encoding"), Tags: map[string]string{"INAM": "name", "ISFT": "odd"}}
		b, err := Encode(c, o)
		if err != nil {
			t.Fatal(err)
		}
		want, wh, err := Decode(b)
		if err != nil {
			t.Fatal(err)
		}
		block := rapid.IntRange(1, 300).Draw(t, "block") * c.Channels
		var seekable seekBuffer
		var streamed bytes.Buffer
		for _, w := range []io.Writer{&seekable, &streamed} {
			wr, err := NewWriter(w, c.Channels, c.Rate, o)
			if err != nil {
				t.Fatal(err)
			}
			for x := c.Samples; len(x) > 0; {
				n := min(block, len(x))
				if err := wr.WriteFrames(x[:n]); err != nil {
					t.Fatal(err)
				}
				x = x[n:]
			}
			if err := wr.Close(); err != nil {
				t.Fatal(err)
			}
			if wr.Close() == nil || wr.WriteFrames(nil) == nil {
				t.Fatal("a closed Writer goes on")
			}
		}
		got, gh, err := Decode(seekable.b)
		if err != nil {
			t.Fatal(err)
		}
		if diff := cmp.Diff(want, got) + cmp.Diff(wh, gh); diff != "" {
			t.Fatalf("(-Encode +Writer):\n%s", diff)
		}
		got, gh, err = Decode(streamed.Bytes())
		if err != nil {
			t.Fatal(err)
		}
		// A streamed file cannot tell its last pad byte from half a sample of 3 bytes.
		if diff := cmp.Diff(want, got); diff != "" || gh.Truncated || len(gh.Notes) == 0 {
			t.Fatalf("streamed %+v (-Encode +Writer):\n%s", gh, diff)
		}
	})
}

// seekBuffer is a file in memory.
type seekBuffer struct {
	b  []byte
	at int64
}

func (s *seekBuffer) Write(p []byte) (int, error) {
	if need := s.at + int64(len(p)); need > int64(len(s.b)) {
		s.b = append(s.b, make([]byte, need-int64(len(s.b)))...)
	}
	copy(s.b[s.at:], p)
	s.at += int64(len(p))
	return len(p), nil
}

func (s *seekBuffer) Seek(offset int64, whence int) (int64, error) {
	switch whence {
	case io.SeekCurrent:
		offset += s.at
	case io.SeekEnd:
		offset += int64(len(s.b))
	}
	s.at = offset
	return offset, nil
}

// TestLibraryOracle compares our own 16-bit path with go-audio/wav on the same bytes.
func TestLibraryOracle(t *testing.T) {
	samples := make([]int, 5001)
	for i := range samples {
		samples[i] = int(int16(uint32(i) * 2654435761 >> 7))
	}
	data := little.file("RIFF", little.fmt(1, 1, 8000, 16), little.sized("data", little.words(samples...)))
	c, _, err := Decode(data)
	if err != nil {
		t.Fatal(err)
	}
	buf := &goaudio.IntBuffer{Data: make([]int, len(samples))}
	n, err := gowav.NewDecoder(bytes.NewReader(data)).PCMBuffer(buf)
	if err != nil || n != len(samples) || n != len(c.Samples) {
		t.Fatalf("go-audio/wav: %d samples, %v; ours %d", n, err, len(c.Samples))
	}
	for i, v := range buf.Data {
		if c.Samples[i] != float32(v)/32768 {
			t.Fatalf("sample %d: %v, go-audio/wav %d", i, c.Samples[i], v)
		}
	}
}

// TestLibraryReadsOurs lets go-audio/wav decode what Encode makes.
func TestLibraryReadsOurs(t *testing.T) {
	c := audio.Clip{Samples: []float32{0, 0.25, -1, 0.999969482421875, 1, -2}, Channels: 2, Rate: 44100}
	want := []int{0, 8192, -32768, 32767, 32767, -32768} // Clipped, never wrapped.
	b, err := Encode(c, Options{Tags: map[string]string{"INAM": "kick"}})
	if err != nil {
		t.Fatal(err)
	}
	d := gowav.NewDecoder(bytes.NewReader(b))
	buf, err := d.FullPCMBuffer()
	if err != nil {
		t.Fatal(err)
	}
	if diff := cmp.Diff(want, buf.Data); diff != "" || buf.Format.SampleRate != 44100 || buf.Format.NumChannels != 2 {
		t.Errorf("%+v (-want +got):\n%s", buf.Format, diff)
	}
}

// TestDither measures what TPDF dither promises: the error's mean is zero and its power the same
// whatever the signal, a quarter of a step squared (1/12 of rounding and 2/12 of dither).
func TestDither(t *testing.T) {
	const n = 1 << 16
	for _, level := range []float32{0.1, 0.25, 0.5} { // In steps.
		c := audio.Clip{Samples: make([]float32, n), Channels: 1, Rate: 8000}
		for i := range c.Samples {
			c.Samples[i] = level / (1 << 15)
		}
		b, err := Encode(c, Options{DitherSeed: 1})
		if err != nil {
			t.Fatal(err)
		}
		got, _, err := Decode(b)
		if err != nil {
			t.Fatal(err)
		}
		var sum, square float64
		for _, v := range got.Samples {
			e := float64(v)*(1<<15) - float64(level)
			sum += e
			square += e * e
		}
		// The mean of n errors of standard deviation 0.5 is 0 +- 0.002; five of them are allowed.
		if mean, power := sum/n, square/n; math.Abs(mean) > 0.01 || math.Abs(power-0.25) > 0.01 {
			t.Errorf("level %v: error of mean %v and power %v, want 0 and 0.25", level, mean, power)
		}
	}
}

// Equal channels stay equal under dither, in blocks of any size, and the others keep their own noise.
func TestDitherKeepsEqualChannels(t *testing.T) {
	const frames = 2000
	samples := make([]float32, 0, 3*frames)
	for i := range frames {
		v := float32(0.001 * math.Sin(float64(i)/9))
		samples = append(samples, v, -v/2, v)
	}
	for _, encoding := range []Encoding{PCM16, PCM24} {
		var b bytes.Buffer
		w, err := NewWriter(&b, 3, 8000, Options{Encoding: encoding, DitherSeed: 5})
		if err != nil {
			t.Fatal(err)
		}
		for at := 0; at < len(samples); at += 3 * 7 {
			if err := w.WriteFrames(samples[at:min(len(samples), at+3*7)]); err != nil {
				t.Fatal(err)
			}
		}
		if err := w.Close(); err != nil {
			t.Fatal(err)
		}
		whole, err := Encode(audio.Clip{Samples: samples, Channels: 3, Rate: 8000}, Options{Encoding: encoding, DitherSeed: 5})
		if err != nil {
			t.Fatal(err)
		}
		c, _, err := Decode(whole)
		if err != nil {
			t.Fatal(err)
		}
		if blocks, _, err := Decode(b.Bytes()); err != nil || !slices.Equal(blocks.Samples, c.Samples) {
			t.Errorf("%v: blocks are dithered otherwise than the whole (%v)", encoding, err)
		}
		alike := 0
		for i := 0; i < len(c.Samples); i += 3 {
			if c.Samples[i] != c.Samples[i+2] {
				t.Fatalf("%v: frame %d is %g and %g", encoding, i/3, c.Samples[i], c.Samples[i+2])
			}
			if c.Samples[i+1] == -c.Samples[i]/2 {
				alike++
			}
		}
		if alike > frames/2 {
			t.Errorf("%v: the second channel has the dither of the first in %d of %d frames", encoding, alike, frames)
		}
	}
}

func TestDitherIsSeeded(t *testing.T) {
	c := audio.Clip{Samples: []float32{0.1, 0.2, 0.3, 0.4, 0.55, 0.6, 0.7}, Channels: 1, Rate: 8000}
	encode := func(seed uint64) []byte {
		b, err := Encode(c, Options{DitherSeed: seed})
		if err != nil {
			t.Fatal(err)
		}
		return b
	}
	if !bytes.Equal(encode(1), encode(1)) || bytes.Equal(encode(1), encode(2)) {
		t.Error("the dither does not follow its seed")
	}
}

func TestEncodeRefuses(t *testing.T) {
	good := audio.Clip{Samples: []float32{0, 0}, Channels: 1, Rate: 8000}
	with := func(change func(*audio.Clip)) audio.Clip { c := good; change(&c); return c }
	for _, tc := range []struct {
		name, want string
		clip       audio.Clip
		options    Options
	}{
		{"no channels", "0 channels", with(func(c *audio.Clip) { c.Channels = 0 }), Options{}},
		{"half a frame", "whole frames", with(func(c *audio.Clip) { c.Samples, c.Channels = make([]float32, 3), 2 }), Options{}},
		{"no rate", "0 Hz", with(func(c *audio.Clip) { c.Rate = 0 }), Options{}},
		{"huge rate", "cannot be written", with(func(c *audio.Clip) { c.Rate = math.MaxInt32 }), Options{Encoding: Float32}},
		{"65 channels", "65 channels", with(func(c *audio.Clip) { c.Samples, c.Channels = make([]float32, 65), 65 }), Options{}},
		{"NaN", "frame 1, channel 0 is not a number", with(func(c *audio.Clip) { c.Samples = []float32{0, float32(math.NaN())} }), Options{}},
		{"infinity as float", "frame 0, channel 0 is an infinite", with(func(c *audio.Clip) { c.Samples = []float32{float32(math.Inf(1))} }), Options{Encoding: Float32}},
		{"encoding", "no encoding", good, Options{Encoding: 9}},
		{"tag name", "four printable", good, Options{Tags: map[string]string{"title": "x"}}},
		{"tag value", "NUL", good, Options{Tags: map[string]string{"INAM": "a\x00b"}}},
	} {
		t.Run(tc.name, func(t *testing.T) {
			if _, err := Encode(tc.clip, tc.options); err == nil || !strings.Contains(err.Error(), tc.want) {
				t.Errorf("%v, want %q", err, tc.want)
			}
		})
	}
}

// TestBeyond4GiB checks the heads of files that are too long to make here.
func TestBeyond4GiB(t *testing.T) {
	f := PCM16.format(2, 48000)
	for _, reserve := range []bool{false, true} {
		for _, size := range []int64{5 << 30, math.MaxUint32 - 100, math.MaxUint32 + 1} {
			head, err := fileHead(f, Options{}, size, reserve)
			if err != nil {
				t.Fatal(err)
			}
			if !reserve && size < math.MaxUint32-100 {
				continue
			}
			rd, err := NewReader(pipe{bytes.NewReader(head)})
			if err != nil {
				t.Fatal(err)
			}
			if got := rd.Header().Frames; got != size/4 || len(rd.Header().Notes) != 0 {
				t.Errorf("%d bytes (reserve %v): %d frames, notes %q", size, reserve, got, rd.Header().Notes)
			}
		}
	}
	small, err := fileHead(f, Options{}, 1000, true)
	if err != nil {
		t.Fatal(err)
	}
	large, err := fileHead(f, Options{}, 5<<30, true)
	if err != nil {
		t.Fatal(err)
	}
	if len(small) != len(large) || string(small[:4]) != "RIFF" || string(large[:4]) != "RF64" {
		t.Errorf("the head of %d bytes cannot be overwritten by one of %d", len(small), len(large))
	}
}

func TestWriteFileIsAtomic(t *testing.T) {
	dir := t.TempDir()
	path := filepath.Join(dir, "clip.wav")
	good := audio.Clip{Samples: []float32{0.5, -0.5}, Channels: 1, Rate: 8000}
	if err := WriteFile(path, good, Options{}); err != nil {
		t.Fatal(err)
	}
	before, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	bad := audio.Clip{Samples: []float32{float32(math.NaN())}, Channels: 1, Rate: 8000}
	if err := WriteFile(path, bad, Options{}); err == nil {
		t.Error("NaN was written")
	}
	if after, err := os.ReadFile(path); err != nil || !bytes.Equal(before, after) {
		t.Errorf("the file changed, %v", err)
	}
	if err := WriteFile(path, good, Options{Encoding: Float32}); err != nil {
		t.Fatal(err)
	}
	if data, err := os.ReadFile(path); err != nil {
		t.Error(err)
	} else if _, h, err := Decode(data); err != nil || h.Encoding != "pcm_f32le" || h.Frames != 2 {
		t.Errorf("%+v, %v", h, err)
	}
	if err := WriteFile(filepath.Join(dir, "none", "clip.wav"), good, Options{}); err == nil {
		t.Error("a folder that does not exist was written to")
	}
	if err := WriteFile(dir, good, Options{}); err == nil {
		t.Error("a folder was replaced by a file")
	}
	if entries, err := os.ReadDir(dir); err != nil || len(entries) != 1 {
		t.Errorf("left behind: %v, %v", entries, err)
	}
}

func TestFullDisk(t *testing.T) {
	full, err := os.OpenFile("/dev/full", os.O_WRONLY, 0)
	if err != nil {
		t.Skip("no /dev/full: ", err)
	}
	defer full.Close()
	if _, err := NewWriter(full, 1, 8000, Options{}); err == nil || !strings.Contains(err.Error(), "no space left") {
		t.Errorf("writing to a full disk: %v", err)
	}
}

// TestLaws checks the corners of the G.711 tables: silence, the extremes and the sign.
func TestLaws(t *testing.T) {
	for b, want := range map[byte]int{0xFF: 0, 0x7F: 0, 0x00: -32124, 0x80: 32124, 0xFE: 8} {
		if got := mulawSample(b); got != want {
			t.Errorf("µ-law %#x: %d, want %d", b, got, want)
		}
	}
	for b, want := range map[byte]int{0xD5: 8, 0x55: -8, 0xAA: 32256, 0x2A: -32256} {
		if got := alawSample(b); got != want {
			t.Errorf("A-law %#x: %d, want %d", b, got, want)
		}
	}
}

// hollow is the head of a file, before as many zero bytes as make it so long.
type hollow struct {
	head []byte
	size int64
	at   int64
}

func (h *hollow) Read(p []byte) (int, error) {
	if h.at >= h.size {
		return 0, io.EOF
	}
	n := int(min(int64(len(p)), h.size-h.at))
	clear(p[:n])
	if h.at < int64(len(h.head)) {
		copy(p[:n], h.head[h.at:])
	}
	h.at += int64(n)
	return n, nil
}

func (h *hollow) Seek(offset int64, whence int) (int64, error) {
	switch whence {
	case io.SeekCurrent:
		offset += h.at
	case io.SeekEnd:
		offset += h.size
	}
	h.at = offset
	return offset, nil
}

// TestWrappedSize takes all of a file of more than 4 GiB whose sizes have 32 bits, and no more than what is declared of
// others.
func TestWrappedSize(t *testing.T) {
	const wrap = int64(1) << 32
	for _, tc := range []struct {
		name         string
		declared     uint32
		size, behind int64 // Bytes of data, and after it.
		open         bool
	}{
		{"just beyond", 400, wrap + 400, 0, false},
		{"five gigabytes", uint32(5_000_000_000 & (wrap - 1)), 5_000_000_000, 0, false},
		{"three times, with tags", 1000, 3*wrap + 1000, 26, false},
		{"exactly four gibibytes", 0, wrap, 0, true},
		{"streamed by ffmpeg", math.MaxUint32, wrap + 5000, 0, true},
		{"streamed by SoX", 0x7FFFF000, 2*wrap + 2, 0, true},
		{"not wrapped", 400, 400, 1 << 31, false},
	} {
		head := little.file("RIFF", little.fmt(1, 1, 8000, 16), little.chunk("data", tc.declared, nil))
		r, err := NewReader(&hollow{head: head, size: int64(len(head)) + tc.size + tc.behind})
		if err != nil {
			t.Errorf("%s: %v", tc.name, err)
			continue
		}
		h := r.Header()
		if h.Frames != tc.size/2 || len(h.Notes) != 1 && tc.size > wrap || len(h.Notes) != 0 && tc.size < wrap || r.Complete() == tc.open {
			t.Errorf("%s: %d frames of %d, complete %v, %q", tc.name, h.Frames, tc.size/2, r.Complete(), h.Notes)
		}
	}
}
