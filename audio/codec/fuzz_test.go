package codec

import (
	"encoding/binary"
	"errors"
	"io"
	"slices"
	"strings"
	"testing"

	"wavemill/audio"
	"wavemill/audio/codec/flactest"
	"wavemill/internal/allocation"
)

// fuzzDecode decodes data with one decoder in blocks, as far as 4 Mi samples. It may fail, but not
// panic, hang, or take memory beyond reason.
func fuzzDecode(t *testing.T, data []byte, open func(content) (decoder, error)) {
	var total int64
	used := allocation.Of(func() {
		d, err := open(content{data: data, size: int64(len(data))})
		if err != nil {
			return
		}
		defer d.close()
		channels := d.info().Channels
		buf := make([]float32, 1024*channels)
		for total < 4<<20 {
			n, err := d.readFrames(buf)
			if n < 0 || n > 1024 {
				t.Fatalf("%d frames in a block of 1024", n)
			}
			total += int64(n * channels)
			if err != nil {
				if errors.Is(err, io.EOF) && d.info().Frames*int64(channels) != total {
					t.Fatalf("%d samples of %d channels, but %+v", total, channels, d.info())
				}
				return
			}
		}
	})
	// A decoder may take some buffers for every block it decodes, but nothing that a header asks for.
	if limit := 16<<20 + uint64(len(data)) + 64*uint64(total); used > limit {
		t.Errorf("%d bytes of input made %d samples and took %d bytes, more than %d", len(data), total, used, limit)
	}
}

// FuzzFLAC shows anything behind a FLAC signature to the decoder.
func FuzzFLAC(f *testing.F) {
	for channels := 1; channels <= 8; channels += 3 {
		f.Add(encodeFLAC(f, sound(channels, 300), flactest.Options{}))
	}
	f.Add(encodeFLAC(f, sound(2, 5000), flactest.Options{Bits: 24, Tags: map[string]string{"TITLE": "x", "A": "b"}}))
	f.Add([]byte("ID3\x03\x00\x00\x00\x00\x00\x05helloflaCfLaC\x00\x00\x00\x22"))
	f.Fuzz(func(t *testing.T, data []byte) { fuzzDecode(t, data, newFLAC) })
}

// FuzzVorbis shows anything in Ogg pages to the decoder. The checksums of the pages are set right
// first, for else nothing but them would be tested.
func FuzzVorbis(f *testing.F) {
	f.Add(tinyVorbis(f))
	f.Add(tinyVorbis(f)[:4000])
	f.Add(slices.Concat(link(f, 1, 8000), link(f, 2, 8000)))
	f.Fuzz(func(t *testing.T, data []byte) { fuzzDecode(t, rechecksum(data), newVorbis) })
}

// rechecksum sets the checksum of every page that begins where the last one ends.
func rechecksum(data []byte) []byte {
	out := slices.Clone(data)
	for b := out; len(b) >= oggHead && string(b[:4]) == "OggS"; {
		size := oggHead + int(b[26])
		if len(b) < size {
			break
		}
		for _, s := range b[oggHead:size] {
			size += int(s)
		}
		if len(b) < size {
			break
		}
		copy(b[22:26], "\x00\x00\x00\x00")
		var crc uint32 // Polynomial 0x04C11DB7, unreflected (RFC 3533).
		for _, v := range b[:size] {
			crc ^= uint32(v) << 24
			for range 8 {
				if crc&(1<<31) != 0 {
					crc = crc<<1 ^ 0x04C11DB7
				} else {
					crc <<= 1
				}
			}
		}
		binary.LittleEndian.PutUint32(b[22:], crc)
		b = b[size:]
	}
	return out
}

// oggFile puts packets into pages, one each.
func oggFile(packets ...[]byte) []byte {
	var out []byte
	for i, p := range packets {
		page := append([]byte("OggS\x00"), byte(0))
		if i == 0 {
			page[5] = 2
		}
		page = binary.LittleEndian.AppendUint64(page, uint64(max(0, i-2)*64))
		page = append(page, "\x01\x00\x00\x00"...)
		page = binary.LittleEndian.AppendUint32(page, uint32(i))
		page = append(page, 0, 0, 0, 0)
		rest := len(p)
		var table []byte
		for ; rest >= 255; rest -= 255 {
			table = append(table, 255)
		}
		table = append(table, byte(rest))
		out = append(append(append(append(out, page...), byte(len(table))), table...), p...)
	}
	return rechecksum(out)
}

// bitWriter writes bits, the lowest of a byte first.
type bitWriter struct {
	b []byte
	n int
}

func (w *bitWriter) put(v uint32, n int) *bitWriter {
	for i := range n {
		if w.n%8 == 0 {
			w.b = append(w.b, 0)
		}
		w.b[w.n/8] |= byte(v>>i&1) << (w.n % 8)
		w.n++
	}
	return w
}

// TestHostileVorbis shows headers that ask for gigabytes, or for ever.
func TestHostileVorbis(t *testing.T) {
	id := func(channels byte, blocks byte) []byte {
		b := append([]byte("\x01vorbis\x00\x00\x00\x00"), channels, 0x40, 0x1F, 0, 0)
		return append(append(b, make([]byte, 12)...), blocks, 1)
	}
	comment := []byte("\x03vorbis\x00\x00\x00\x00\x00\x00\x00\x00\x01")
	setup := func(fill func(*bitWriter)) []byte {
		w := &bitWriter{b: []byte("\x05vorbis"), n: 56}
		fill(w)
		return append(w.b, make([]byte, 64)...)
	}
	book := func(w *bitWriter, dimensions, entries uint32) *bitWriter {
		return w.put(0x564342, 24).put(dimensions, 16).put(entries, 24)
	}
	for name, tc := range map[string]struct {
		file []byte
		want string
	}{
		"many channels":         {oggFile(id(255, 0xB8), comment, []byte("\x05vorbis")), "255 channels"},
		"huge blocks":           {oggFile(id(1, 0xFF), comment, []byte("\x05vorbis")), "blocks of 2^15"},
		"short blocks":          {oggFile(id(1, 0x11), comment, []byte("\x05vorbis")), "blocks of 2^1"},
		"reversed blocks":       {oggFile(id(1, 0x8B), comment, []byte("\x05vorbis")), "blocks of 2^11 and 2^8"},
		"four billion comments": {oggFile(id(1, 0xB8), []byte("\x03vorbis\x00\x00\x00\x00\xff\xff\xff\xff\x01"), []byte("\x05vorbis")), "malformed Vorbis comment"},
		"a four GB vendor":      {oggFile(id(1, 0xB8), []byte("\x03vorbis\xff\xff\xff\xff\x00\x00\x00\x00\x01"), []byte("\x05vorbis")), "malformed Vorbis comment"},
		"no entries":            {oggFile(id(1, 0xB8), comment, setup(func(w *bitWriter) { book(w.put(0, 8), 1, 0) })), "0 entries"},
		"16 million entries":    {oggFile(id(1, 0xB8), comment, setup(func(w *bitWriter) { book(w.put(0, 8), 1, 1<<24-1) })), "16777215 entries"},
		"no dimensions":         {oggFile(id(1, 0xB8), comment, setup(func(w *bitWriter) { book(w.put(0, 8), 0, 4) })), "0 dimensions"},
		"many values":           {oggFile(id(1, 0xB8), comment, setup(func(w *bitWriter) { book(w.put(0, 8), 65535, 16384) })), "65535 dimensions"},
		"ordered for ever":      {oggFile(id(1, 0xB8), comment, setup(func(w *bitWriter) { book(w.put(0, 8), 1, 1000).put(1, 1).put(0, 5) })), "malformed codeword lengths"},
		"an incomplete code":    {oggFile(id(1, 0xB8), comment, setup(func(w *bitWriter) { book(w.put(0, 8), 1, 2).put(0, 2).put(1, 5).put(1, 5) })), "do not fill the code space"},
		"an overfull code":      {oggFile(id(1, 0xB8), comment, setup(func(w *bitWriter) { book(w.put(0, 8), 1, 3).put(0, 2).put(0, 15) })), "do not fill the code space"},
		"no codebook":           {oggFile(id(1, 0xB8), comment, setup(func(w *bitWriter) {})), "without its sync pattern"},
		"a residue that ends before it begins": {oggFile(id(1, 0xB8), comment, setup(func(w *bitWriter) {
			book(w.put(0, 8), 1, 2).put(0, 2).put(0, 5).put(0, 5).put(0, 4)          // A codebook of two one-bit words.
			w.put(0, 6).put(0, 16)                                                   // A placeholder.
			w.put(0, 6).put(1, 16).put(1, 5).put(0, 4).put(0, 5).put(0, 8).put(0, 6) // A floor.
			w.put(0, 6).put(0, 16).put(10, 24).put(9, 24)
		})), "residue 0: type 0 from 10 to 9"},
		"a long packet": {slices.Repeat(openPage(), 300), "more than"},
	} {
		t.Run(name, func(t *testing.T) {
			var err error
			used := allocation.Of(func() {
				_, err = newVorbis(content{data: tc.file, size: int64(len(tc.file))})
			})
			if err == nil || !strings.Contains(err.Error(), tc.want) {
				t.Errorf("%v, want %q", err, tc.want)
			}
			if limit := 16<<20 + uint64(len(tc.file)); used > limit {
				t.Errorf("took %d bytes", used)
			}
		})
	}
}

// openPage is a page whose packet goes on in the next.
func openPage() []byte {
	page := []byte("OggS\x00\x00" + strings.Repeat("\x00", 20) + "\xff" + strings.Repeat("\xff", 255))
	copy(page[14:], "\x01")
	return rechecksum(append(page, make([]byte, 255*255)...))
}

// TestHostileFLAC shows metadata that asks for gigabytes.
func TestHostileFLAC(t *testing.T) {
	good := encodeFLAC(t, sound(1, 100), flactest.Options{})
	block := func(kind byte, size int, body string) []byte {
		return append([]byte{kind, byte(size >> 16), byte(size >> 8), byte(size)}, body...)
	}
	head := slices.Clone(good[:42])
	head[4] = 0 // More metadata follows.
	for name, data := range map[string][]byte{
		"a 16 MB picture that is not there":    slices.Concat(head, block(0x86, 1<<24-1, "abc")),
		"four billion comments":                slices.Concat(head, block(0x84, 8, "\x00\x00\x00\x00\xff\xff\xff\xff"), good[42:]),
		"a seek table that is not there":       slices.Concat(head, block(0x83, 1<<24-2, "")),
		"an ID3 tag of 256 MB that is missing": append([]byte("ID3\x03\x00\x00\x7f\x7f\x7f\x7f"), good...),
	} {
		used := allocation.Of(func() {
			if d, err := newFLAC(content{data: data, size: int64(len(data))}); err == nil {
				_, _ = d.readFrames(make([]float32, 1000))
			}
		})
		if limit := 16<<20 + uint64(len(data)); used > limit {
			t.Errorf("%s: took %d bytes", name, used)
		}
	}
}

// FuzzDecode shows anything to Decode, which chooses the format by the content, without ffmpeg.
func FuzzDecode(f *testing.F) {
	f.Setenv("PATH", f.TempDir())
	f.Add("a.wav", []byte("RIFF\x2a\x00\x00\x00WAVEfmt \x10\x00\x00\x00\x01\x00\x01\x00\x40\x1f\x00\x00\x80\x3e\x00\x00\x02\x00\x10\x00data\x06\x00\x00\x00\x00\x40\x00\xc0\x01\x00"))
	f.Add("a.flac", encodeFLAC(f, sound(2, 300), flactest.Options{}))
	f.Add("a.ogg", tinyVorbis(f)[:4000])
	f.Add("id3.wav", []byte("ID3\x03\x00\x00\x00\x00\x00\x05helloRIFF\x2a\x00\x00\x00WAVE"))
	f.Add("a.mp3", []byte("\xff\xfb\x90\x00"))
	f.Add("a.aiff", []byte("FORM\x00\x00\x00\x40AIFFCOMM"))
	f.Add("a.m4a", []byte("\x00\x00\x00\x20ftypM4A "))
	f.Add("a.wav", []byte("PK\x03\x04\x14\x00"))
	f.Fuzz(func(t *testing.T, name string, data []byte) {
		var clip audio.Clip
		used := allocation.Of(func() {
			var err error
			clip, _, err = Decode(t.Context(), name, data)
			if err == nil && clip.Validate() != nil {
				t.Errorf("%v", clip.Validate())
			}
		})
		// A few bytes of FLAC are a block of silence; what is decoded is at most MaxBytes.
		if limit := uint64(allocation.Base + 64*len(data) + 64*len(clip.Samples)); used > limit {
			t.Errorf("%d bytes of input made %d samples and took %d bytes, more than %d", len(data), len(clip.Samples), used, limit)
		}
	})
}
