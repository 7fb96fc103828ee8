package codec

import (
	"context"
	"errors"
	"io"
	"math"
	"os"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"pgregory.net/rapid"

	"wavemill/audio"
	"wavemill/audio/codec/flactest"
	"wavemill/audio/wav"
)

// drain reads all there is in blocks of n frames.
func drain(t *testing.T, r *Reader, n int) []float32 {
	t.Helper()
	x := []float32{}
	buf := make([]float32, n*r.Info().Channels)
	for {
		n, err := r.ReadFrames(buf)
		x = append(x, buf[:n*r.Info().Channels]...)
		if errors.Is(err, io.EOF) {
			return x
		}
		if err != nil {
			t.Fatal(err)
		}
	}
}

func same(t *testing.T, what string, got, want []float32) {
	t.Helper()
	if !slices.Equal(got, want) {
		t.Errorf("%s: %d samples instead of %d, or others", what, len(got), len(want))
	}
}

// sound is n frames of tones that no channel shares with another, and some noise.
func sound(channels, n int) audio.Clip {
	c := audio.Clip{Samples: make([]float32, n*channels), Channels: channels, Rate: 16000}
	for i := range c.Samples {
		t, k := i/channels, i%channels
		c.Samples[i] = float32(0.4*math.Sin(float64(t)*0.05*float64(k+1)) + 0.01*math.Sin(float64(i*i)))
	}
	return c
}

func encodeFLAC(t testing.TB, c audio.Clip, o flactest.Options) []byte {
	t.Helper()
	data, err := flactest.Encode(c, o)
	if err != nil {
		t.Fatal(err)
	}
	return data
}

// tinyVorbis is testdata/tiny.ogg, made by
//
//	sox -R -n -r 8000 -c 1 -C -1 tiny.ogg synth 5 sine 200-2000 synth 5 whitenoise mix vol 0.4
func tinyVorbis(t testing.TB) []byte {
	t.Helper()
	data, err := os.ReadFile("testdata/tiny.ogg")
	if err != nil {
		t.Fatal(err)
	}
	return data
}

// TestFLACRoundTrip encodes anything and decodes the integers that WAV would hold.
func TestFLACRoundTrip(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		channels := rapid.IntRange(1, 8).Draw(t, "channels")
		n := rapid.SampledFrom([]int{0, 1, 15, 16, 17, 100, 4095, 4096, 4097, 9000}).Draw(t, "frames")
		c := sound(channels, n)
		c.Rate = rapid.SampledFrom([]int{8000, 11025, 44100, 48000, 12345, 192000, 655350}).Draw(t, "rate")
		gain := rapid.SampledFrom([]float32{0, 1e-4, 1, 4}).Draw(t, "gain")
		for i := range c.Samples {
			c.Samples[i] *= gain
		}
		o := flactest.Options{Bits: rapid.SampledFrom([]int{16, 24}).Draw(t, "bits"), NoDither: rapid.Bool().Draw(t, "no dither"), DitherSeed: 3}
		if rapid.Bool().Draw(t, "tags") {
			o.Tags = map[string]string{"TITLE": "ä=b", "ARTIST": ""}
		}
		data, err := flactest.Encode(c, o)
		if err != nil {
			t.Fatal(err)
		}
		got, info, err := Decode(t.Context(), "x.flac", data)
		if err != nil {
			t.Fatal(err)
		}
		encoding := wav.PCM16
		if o.Bits == 24 {
			encoding = wav.PCM24
		}
		b, err := wav.Encode(c, wav.Options{Encoding: encoding, NoDither: o.NoDither, DitherSeed: 3})
		if err != nil {
			t.Fatal(err)
		}
		want, _, err := wav.Decode(b)
		if err != nil {
			t.Fatal(err)
		}
		if !slices.Equal(got.Samples, want.Samples) || got.Channels != channels || got.Rate != c.Rate {
			t.Fatalf("%d channels, %d frames at %d Hz differ from WAV's", got.Channels, got.Frames(), got.Rate)
		}
		if diff := cmp.Diff(o.Tags, info.Tags); diff != "" || info.Frames != int64(n) || len(info.Notes) != 0 {
			t.Fatalf("%+v (-want +got):\n%s", info, diff)
		}
	})
}

func TestFLACCompresses(t *testing.T) {
	if strconv.IntSize == 32 {
		t.Skip("FLAC is written without prediction where an int has 32 bits")
	}
	c := sound(2, 40000)
	for i := range c.Samples { // Both channels nearly alike.
		c.Samples[i] = float32(0.4 * math.Sin(float64(i/2)*0.02))
	}
	data := encodeFLAC(t, c, flactest.Options{NoDither: true})
	if plain := 2 * len(c.Samples); len(data) > plain/3 {
		t.Errorf("%d bytes of FLAC for %d of PCM", len(data), plain)
	}
}

func TestEncodeFLACRefuses(t *testing.T) {
	good := sound(1, 10)
	with := func(change func(*audio.Clip)) audio.Clip {
		c := good
		c.Samples = slices.Clone(c.Samples)
		change(&c)
		return c
	}
	for _, tc := range []struct {
		want string
		clip audio.Clip
		o    flactest.Options
	}{
		{"20 bits", good, flactest.Options{Bits: 20}},
		{"9 channels", sound(9, 2), flactest.Options{}},
		{"0 channels", audio.Clip{Rate: 1}, flactest.Options{}},
		{"655350", with(func(c *audio.Clip) { c.Rate = 655351 }), flactest.Options{}},
		{"frame 3, channel 0 is NaN", with(func(c *audio.Clip) { c.Samples[3] = float32(math.NaN()) }), flactest.Options{}},
		{"frame 0, channel 0 is -Inf", with(func(c *audio.Clip) { c.Samples[0] = float32(math.Inf(-1)) }), flactest.Options{}},
		{"tag name", good, flactest.Options{Tags: map[string]string{"a=b": "x"}}},
	} {
		if _, err := flactest.Encode(tc.clip, tc.o); err == nil || !strings.Contains(err.Error(), tc.want) {
			t.Errorf("%v, want %q", err, tc.want)
		}
	}
}

// TestTruncated cuts files at every so many bytes: what is whole is kept, and the cut is told.
func TestTruncated(t *testing.T) {
	whole := map[string][]byte{"x.flac": encodeFLAC(t, sound(2, 20000), flactest.Options{}), "x.ogg": tinyVorbis(t)}
	for name, data := range whole {
		full, _, err := Decode(t.Context(), name, data)
		if err != nil {
			t.Fatal(err)
		}
		kept := false
		for n := 0; n < len(data)-1; n += 97 {
			c, info, err := Decode(t.Context(), name, data[:n])
			if err != nil {
				continue // Cut within the headers.
			}
			if !info.Truncated || len(info.Notes) == 0 {
				t.Errorf("%s cut to %d of %d bytes: %+v", name, n, len(data), info)
			}
			if c.Frames() > full.Frames() || !slices.Equal(c.Samples, full.Samples[:len(c.Samples)]) {
				t.Errorf("%s cut to %d bytes: other samples", name, n)
			}
			kept = kept || c.Frames() > full.Frames()/2
		}
		if !kept {
			t.Errorf("%s: no cut file kept half its sound", name)
		}
	}
}

// TestCorrupt flips bytes in the sound: the checksums notice.
func TestCorrupt(t *testing.T) {
	for name, data := range map[string][]byte{"x.flac": encodeFLAC(t, sound(1, 9000), flactest.Options{}), "x.ogg": tinyVorbis(t)} {
		bad := slices.Clone(data)
		bad[len(bad)*3/4] ^= 0x10
		if _, _, err := Decode(t.Context(), name, bad); err == nil || !strings.HasPrefix(err.Error(), name+": ") {
			t.Errorf("%s with a flipped bit: %v", name, err)
		}
	}
}

func TestDecodeRefuses(t *testing.T) {
	t.Setenv("PATH", "") // No ffmpeg.
	for _, tc := range []struct{ name, data, want string }{
		{"x.wav", "", "x.wav: the file is empty"},
		{"x.wav", "hello there, no sound here", `not an audio file of a known kind (it begins with "hello there,", which is not WAV)`},
		{"README.md", "# hi", `not an audio file`},
		{"x.wav", "RIFF\x04\x00\x00\x00WAVE", "no fmt chunk"},
		{"x.mp3", "\xff\xfb\x90\x00 and so on", "x.mp3: decoding MP3 needs the ffmpeg program, which is not installed; install it (apt install ffmpeg"},
		{"noname", "ID3\x03\x00\x00\x00\x00\x00\x00\xff\xfb", "decoding MP3 needs the ffmpeg"},
		{"x", "\x00\x00\x00\x20ftypM4A ", "decoding MP4 audio needs the ffmpeg"},
		{"x.opus", "OggS\x00\x02" + strings.Repeat("\x00", 20) + "\x01\x13OpusHead", "decoding Opus needs the ffmpeg"},
		{"x.mp3", "some text after all", "decoding this kind of audio (.mp3) needs"},
		{"x.flac", "fLaC", "FLAC: the file ends within its metadata"},
		{"x.flac", "fLaC\x81\x00\x00\x01a", "not STREAMINFO"},
		{"x.flac", "fLaC\x80\x00\x00\x22" + strings.Repeat("\x00", 34), "FLAC: "},
		{"x.ogg", "OggS\x00\x02" + strings.Repeat("\x00", 20) + "\x01\x07\x01vorbis", "vorbis: the file ends within its headers"},
	} {
		if _, _, err := Decode(t.Context(), tc.name, []byte(tc.data)); err == nil || !strings.Contains(err.Error(), tc.want) {
			t.Errorf("%s %q: %v, want %q", tc.name, tc.data, err, tc.want)
		}
	}
	if _, _, err := DecodeFile(t.Context(), filepath.Join(t.TempDir(), "none.wav")); !errors.Is(err, os.ErrNotExist) {
		t.Errorf("a file that is not there: %v", err)
	}
	if _, _, err := DecodeFile(t.Context(), t.TempDir()); err == nil || !strings.Contains(err.Error(), "not a regular file") {
		t.Errorf("a folder: %v", err)
	}
}

// TestFLACBehindID3 decodes FLAC with an ID3 tag before and an ID3v1 tag after it.
func TestFLACBehindID3(t *testing.T) {
	c := sound(1, 5000)
	data := encodeFLAC(t, c, flactest.Options{})
	want, _, err := Decode(t.Context(), "x.flac", data)
	if err != nil {
		t.Fatal(err)
	}
	data = slices.Concat([]byte("ID3\x03\x00\x00\x00\x00\x00\x05hello"), data, []byte("TAG"), make([]byte, 125))
	got, info, err := Decode(t.Context(), "x.flac", data)
	if err != nil {
		t.Fatal(err)
	}
	if !slices.Equal(got.Samples, want.Samples) || info.Format != "flac" || info.Truncated {
		t.Errorf("%d frames, %+v", got.Frames(), info)
	}
}

// TestLimit decodes FLAC of silence, which takes a byte for hundreds of samples: a clip of it is cut, and a Reader has no
// trouble with it.
func TestLimit(t *testing.T) {
	if strconv.IntSize == 32 {
		t.Skip("FLAC is written without prediction where an int has 32 bits")
	}
	one := encodeFLAC(t, audio.Clip{Samples: make([]float32, 8*4096), Channels: 8, Rate: 8000}, flactest.Options{})
	const head = 42
	data := slices.Concat(one[:head], slices.Repeat(one[head:], 1000)) // One block over and over.
	copy(data[21:26], []byte{one[21] & 0xF0, 0, 0, 0, 0})              // An unknown number of samples,
	clear(data[26:head])                                               // and no sum of them.
	path := filepath.Join(t.TempDir(), "silence.flac")
	if err := os.WriteFile(path, data, 0o600); err != nil {
		t.Fatal(err)
	}
	want := int(Limit(8000, 8))
	if want >= 1000*4096 {
		t.Fatalf("%d frames are kept: the test is too small", want)
	}
	for name, decode := range map[string]func() (audio.Clip, Info, error){
		"Decode":     func() (audio.Clip, Info, error) { return Decode(t.Context(), path, data) },
		"DecodeFile": func() (audio.Clip, Info, error) { return DecodeFile(t.Context(), path) },
	} {
		clip, info, err := decode()
		if err != nil || clip.Frames() != want || !info.Cut || len(info.Notes) != 1 {
			t.Errorf("%s: %d frames of %d, %+v, %v", name, clip.Frames(), want, info, err)
		}
	}
	r, err := Open(t.Context(), path)
	if err != nil {
		t.Fatal(err)
	}
	defer r.Close()
	buf := make([]float32, 8*10000)
	for {
		n, err := r.ReadFrames(buf)
		if slices.Max(buf[:max(1, 8*n)]) != 0 {
			t.Fatal("silence is not silent")
		}
		if errors.Is(err, io.EOF) {
			break
		}
		if err != nil {
			t.Fatal(err)
		}
	}
	if got := r.Info().Frames; got != 1000*4096 {
		t.Errorf("the Reader finds %d frames of %d", got, 1000*4096)
	}
}

func TestCancelled(t *testing.T) {
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	data := encodeFLAC(t, sound(1, 100), flactest.Options{})
	if _, _, err := Decode(ctx, "x.flac", data); !errors.Is(err, context.Canceled) {
		t.Errorf("%v, want the context's error", err)
	}
}

// TestCancelledChild gives ffmpeg an endless file and stops it.
func TestCancelledChild(t *testing.T) {
	dir := t.TempDir()
	script := "#!/bin/sh\nprintf 'RIFF\\377\\377\\377\\377WAVEfmt \\020\\000\\000\\000\\001\\000\\001\\000\\100\\037\\000\\000\\200\\076\\000\\000\\002\\000\\020\\000data\\377\\377\\377\\377'\nexec sleep 60\n"
	if err := os.WriteFile(filepath.Join(dir, "ffmpeg"), []byte(script), 0o700); err != nil {
		t.Fatal(err)
	}
	t.Setenv("PATH", dir+string(os.PathListSeparator)+os.Getenv("PATH"))
	ctx, cancel := context.WithTimeout(t.Context(), 300*time.Millisecond)
	defer cancel()
	begin := time.Now()
	_, _, err := Decode(ctx, "x.mp3", []byte("\xff\xfb\x90\x00"))
	if !errors.Is(err, context.DeadlineExceeded) || time.Since(begin) > 20*time.Second {
		t.Errorf("%v after %v", err, time.Since(begin))
	}
	if left, err := filepath.Glob(filepath.Join(os.TempDir(), "wavemill-*")); err == nil && len(left) > 0 {
		for _, f := range left {
			if data, err := os.ReadFile(f); err == nil && string(data) == "\xff\xfb\x90\x00" {
				t.Errorf("left behind: %s", f)
			}
		}
	}
}

// TestFFmpegFails passes on the child's own words.
func TestFFmpegFails(t *testing.T) {
	dir := t.TempDir()
	if err := os.WriteFile(filepath.Join(dir, "ffmpeg"), []byte("#!/bin/sh\necho 'some banner' >&2\necho 'Invalid data found when processing input' >&2\nexit 1\n"), 0o700); err != nil {
		t.Fatal(err)
	}
	t.Setenv("PATH", dir+string(os.PathListSeparator)+os.Getenv("PATH"))
	if _, _, err := Decode(t.Context(), "x.mp3", []byte("no mp3")); err == nil || err.Error() != "x.mp3: ffmpeg: Invalid data found when processing input" {
		t.Errorf("%v", err)
	}
}
