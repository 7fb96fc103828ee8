package codec

import (
	"bytes"
	"encoding/binary"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"wavemill/audio"
	"wavemill/audio/codec/flactest"
	"wavemill/audio/wav"
	"wavemill/internal/oracle"
)

// pages calls f with each page of an Ogg file, which it may change.
func pages(data []byte, f func(page []byte)) {
	for len(data) > 0 {
		size := oggHead + int(data[26])
		for _, s := range data[oggHead:size] {
			size += int(s)
		}
		f(data[:size])
		data = data[size:]
	}
}

// link is an Ogg Vorbis stream with a serial number and a sample rate of its own.
func link(t testing.TB, serial, rate uint32) []byte {
	data := slices.Clone(tinyVorbis(t))
	first := true
	pages(data, func(page []byte) {
		binary.LittleEndian.PutUint32(page[14:], serial)
		if at := bytes.Index(page, []byte("\x01vorbis")); first && at >= 0 {
			binary.LittleEndian.PutUint32(page[at+12:], rate)
		}
		first = false
	})
	return rechecksum(data)
}

// TestChain decodes all links of a chained Ogg file, whatever their serial numbers, and says what it cannot take.
func TestChain(t *testing.T) {
	one, _, err := Decode(t.Context(), "x.ogg", tinyVorbis(t))
	if err != nil {
		t.Fatal(err)
	}
	// A stream of another kind, with all its pages.
	other := []byte("OggS\x00\x06\x00\x00\x00\x00\x00\x00\x00\x00\x07\x00\x00\x00\x00\x00\x00\x00\x00\x00\x00\x00\x01\x04\x04else")
	for name, tc := range map[string]struct {
		data  []byte
		links int
		cut   bool
		note  string
	}{
		"one":                 {link(t, 9, 8000), 1, false, ""},
		"three":               {slices.Concat(link(t, 1, 8000), link(t, 2, 8000), link(t, 3, 8000)), 3, false, "a chain of 3 Ogg streams"},
		"one serial number":   {slices.Concat(link(t, 1, 8000), link(t, 1, 8000)), 2, false, "a chain of 2 Ogg streams"},
		"another rate":        {slices.Concat(link(t, 1, 8000), link(t, 2, 8000), link(t, 3, 11025)), 2, true, "1 channels at 11025 Hz, the first 1 at 8000 Hz"},
		"another kind":        {slices.Concat(link(t, 1, 8000), other), 1, true, "Further Ogg streams follow that were left out"},
		"headers cut off":     {slices.Concat(link(t, 1, 8000), link(t, 2, 8000)[:200]), 1, true, "the file ends within its headers"},
		"no page, only bytes": {slices.Concat(link(t, 1, 8000), []byte("TAG and more")), 1, false, ""},
	} {
		t.Run(name, func(t *testing.T) {
			clip, info, err := Decode(t.Context(), "x.ogg", tc.data)
			if err != nil {
				t.Fatal(err)
			}
			same(t, "the samples", clip.Samples, slices.Repeat(one.Samples, tc.links))
			notes := strings.Join(info.Notes, "\n")
			if info.Frames != int64(clip.Frames()) || info.Truncated != tc.cut || !strings.Contains(notes, tc.note) || tc.note == "" && notes != "" {
				t.Errorf("%+v", info)
			}
		})
	}
}

// TestFLACSum: a wrong sum of the samples, and a number of samples that is too small, are noted; nothing is refused or left
// out.
func TestFLACSum(t *testing.T) {
	c := sound(2, 10000)
	data := encodeFLAC(t, c, flactest.Options{})
	want, info, err := Decode(t.Context(), "x.flac", data)
	if err != nil || len(info.Notes) != 0 {
		t.Fatal(err, info)
	}
	bad := slices.Clone(data)
	bad[26] ^= 1
	got, info, err := Decode(t.Context(), "x.flac", bad)
	if err != nil || !slices.Equal(got.Samples, want.Samples) || len(info.Notes) != 1 || !strings.Contains(info.Notes[0], "MD5") || info.Truncated {
		t.Errorf("a wrong sum: %d frames, %+v, %v", got.Frames(), info, err)
	}
	few := slices.Concat(data, []byte("TAG"), make([]byte, 125))
	binary.BigEndian.PutUint32(few[22:], 5000)
	got, info, err = Decode(t.Context(), "x.flac", few)
	if err != nil || !slices.Equal(got.Samples, want.Samples) || !strings.Contains(strings.Join(info.Notes, " "), "declares 5000 frames; 10000 are there") {
		t.Errorf("too small a number: %d frames, %+v, %v", got.Frames(), info, err)
	}
}

// TestCutAlike: a WAV file is cut at the limit whether it is decoded whole, streamed from memory or from a large file.
func TestCutAlike(t *testing.T) {
	c := audio.Clip{Channels: 2, Rate: 8, Samples: make([]float32, 2*8*MaxSeconds+2)}
	for i := range c.Samples {
		c.Samples[i] = float32(i%100) / 128
	}
	small, err := wav.Encode(c, wav.Options{})
	if err != nil {
		t.Fatal(err)
	}
	path := filepath.Join(t.TempDir(), "long.wav")
	if err := os.WriteFile(path, small, 0o600); err != nil {
		t.Fatal(err)
	}
	check := func(what string, clip audio.Clip, info Info, err error) {
		t.Helper()
		if err != nil || !slices.Equal(clip.Samples, c.Samples[:len(c.Samples)-2]) || !info.Cut || !strings.Contains(strings.Join(info.Notes, " "), "longer than 300 s") {
			t.Errorf("%s: %d frames, %+v, %v", what, clip.Frames(), info, err)
		}
	}
	clip, info, err := Decode(t.Context(), path, small)
	check("whole", clip, info, err)
	binary.LittleEndian.PutUint32(small[40:], wholeBytes)
	if err := os.WriteFile(path, small, 0o600); err != nil {
		t.Fatal(err)
	}
	if err := os.Truncate(path, wholeBytes+44); err != nil {
		t.Fatal(err)
	}
	clip, info, err = DecodeFile(t.Context(), path)
	check("a large file", clip, info, err)
	// At the limit nothing is cut.
	c.Samples = c.Samples[:len(c.Samples)-2]
	if small, err = wav.Encode(c, wav.Options{}); err != nil {
		t.Fatal(err)
	}
	if clip, info, err = Decode(t.Context(), path, small); err != nil || info.Cut || clip.Frames() != 8*MaxSeconds {
		t.Errorf("at the limit: %d frames, %+v, %v", clip.Frames(), info, err)
	}
}

// behindTag is a file behind an ID3 tag of so many bytes.
func behindTag(size int, data []byte) []byte {
	head := []byte{'I', 'D', '3', 3, 0, 0, 0, 0, byte(size >> 7), byte(size & 0x7F)}
	return slices.Concat(head, make([]byte, size), data)
}

// TestWAVBehindID3 decodes WAV behind tags, also such as are longer than what is looked at.
func TestWAVBehindID3(t *testing.T) {
	c := sound(2, 3000)
	data, err := wav.Encode(c, wav.Options{Encoding: wav.Float32, Tags: map[string]string{"INAM": "kick"}})
	if err != nil {
		t.Fatal(err)
	}
	for _, size := range []int{0, 1, 128, 9000} {
		tagged := behindTag(size, data)
		got, info, err := Decode(t.Context(), "x.wav", tagged)
		if err != nil || !slices.Equal(got.Samples, c.Samples) || info.Format != "wav" || info.Tags["INAM"] != "kick" || info.Truncated {
			t.Errorf("a tag of %d bytes: %d frames, %+v, %v", size, got.Frames(), info, err)
		}
		path := filepath.Join(t.TempDir(), "x.wav")
		if err := os.WriteFile(path, tagged, 0o600); err != nil {
			t.Fatal(err)
		}
		if got, _, err = DecodeFile(t.Context(), path); err != nil || !slices.Equal(got.Samples, c.Samples) {
			t.Errorf("a tag of %d bytes, from a file: %d frames, %v", size, got.Frames(), err)
		}
	}
}

// TestCompressedWAV gives WAV files of compressed encodings to ffmpeg, also behind an ID3 tag, and says in one sentence what
// is missing without it.
func TestCompressedWAV(t *testing.T) {
	const tag, frames = 0x0011, 1010
	block := make([]byte, 4+frames/2)
	body := slices.Concat([]byte("WAVEfmt "), []byte{20, 0, 0, 0, tag, 0, 1, 0, 0x40, 0x1f, 0, 0, 0xA0, 0x0f, 0, 0, byte(len(block) & 255), byte(len(block) >> 8), 4, 0, 2, 0, 0xf3, 0x03, 'd', 'a', 't', 'a'},
		binary.LittleEndian.AppendUint32(nil, uint32(len(block))), block)
	data := slices.Concat([]byte("RIFF"), binary.LittleEndian.AppendUint32(nil, uint32(len(body))), body)
	t.Run("without ffmpeg", func(t *testing.T) {
		t.Setenv("PATH", "")
		for _, data := range [][]byte{data, behindTag(50, data)} {
			_, _, err := Decode(t.Context(), "x.wav", data)
			if err == nil || !strings.HasPrefix(err.Error(), "x.wav: decoding a WAV file of IMA ADPCM needs the ffmpeg program, which is not installed; install it (") {
				t.Errorf("%v", err)
			}
		}
	})
	if _, err := exec.LookPath("ffmpeg"); err != nil {
		oracle.Missing(t, "ffmpeg is not installed")
	}
	for _, data := range [][]byte{data, behindTag(50, data)} {
		clip, info, err := Decode(t.Context(), "x.wav", data)
		if err != nil || clip.Rate != 8000 || clip.Channels != 1 || clip.Frames() < frames-1 || info.Encoding != "adpcm_ima_wav" {
			t.Errorf("%d frames, %+v, %v", clip.Frames(), info, err)
		}
	}
}
