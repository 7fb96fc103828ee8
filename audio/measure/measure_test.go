package measure_test

import (
	"context"
	"encoding/binary"
	"errors"
	"fmt"
	"math"
	"os"
	"path/filepath"
	"testing"

	"wavemill/audio"
	"wavemill/audio/codec"
	"wavemill/audio/codec/flactest"
	"wavemill/audio/measure"
	"wavemill/audio/wav"
)

// A file is measured block by block as its clip is at once, also beyond what is kept for the bandwidth.
func TestFile(t *testing.T) {
	for _, frames := range []int{1, 1000, 1 << 14, 3 << 19} {
		clip := audio.Clip{Channels: 2, Rate: 44100}
		for i := range frames {
			v := float32(0.3 * math.Sin(float64(i)*0.1*(1+float64(i)/float64(3<<19))))
			clip.Samples = append(clip.Samples, v, v/2)
		}
		path := filepath.Join(t.TempDir(), "x.wav")
		if err := wav.WriteFile(path, clip, wav.Options{Encoding: wav.Float32}); err != nil {
			t.Fatal(err)
		}
		got, err := measure.File(t.Context(), path, measure.Options{})
		if err != nil {
			t.Fatal(err)
		}
		if want := audio.Bandwidth(clip); got.Bandwidth != want {
			t.Errorf("%d frames: bandwidth %v, of the whole clip %v", frames, got.Bandwidth, want)
		}
		if got.Peak != clip.Peak() || math.Abs(got.RMS-clip.RMS()) > 1e-6 || got.Frames != int64(frames) || !got.Measured || got.Channels != 2 || got.SampleRate != 44100 {
			t.Errorf("%d frames: %+v, the clip has peak %v, RMS %v", frames, got, clip.Peak(), clip.RMS())
		}
	}
}

func TestFileRefuses(t *testing.T) {
	dir := t.TempDir()
	text := filepath.Join(dir, "text.wav")
	if err := os.WriteFile(text, []byte("no sound"), 0o600); err != nil {
		t.Fatal(err)
	}
	for _, path := range []string{text, filepath.Join(dir, "missing.wav")} {
		if _, err := measure.File(t.Context(), path, measure.Options{}); err == nil {
			t.Errorf("%s: no error", path)
		}
	}
	sound := filepath.Join(dir, "sound.wav")
	if err := wav.WriteFile(sound, audio.Clip{Samples: make([]float32, 100), Channels: 1, Rate: 8000}, wav.Options{}); err != nil {
		t.Fatal(err)
	}
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	if _, err := measure.File(ctx, sound, measure.Options{}); !errors.Is(err, context.Canceled) {
		t.Errorf("cancelled: %v", err)
	}
}

// Of a long recording only the header is read, unless all of it is asked for; one whose header says nothing is decoded up to
// the limit.
func TestFileOfLongRecordings(t *testing.T) {
	const rate, frames = 10, 10*codec.MaxSeconds + 1
	c := audio.Clip{Channels: 1, Rate: rate, Samples: make([]float32, frames)}
	c.Samples[frames-1] = 0.5
	dir := t.TempDir()
	for name, data := range map[string][]byte{"declared": encoded(t, c, false), "streamed": encoded(t, c, true)} {
		path := filepath.Join(dir, name+".wav")
		if err := os.WriteFile(path, data, 0o600); err != nil {
			t.Fatal(err)
		}
		r, err := measure.File(t.Context(), path, measure.Options{OnProgress: func(int64, int64) { t.Errorf("%s: it is decoded", name) }})
		if err != nil || r.Measured || r.Peak != 0 || r.Frames != frames || r.Duration != frames/float64(rate) {
			t.Errorf("%s: %+v, %v", name, r, err)
		}
		var last int64
		r, err = measure.File(t.Context(), path, measure.Options{Full: true, OnProgress: func(done, total int64) {
			if last = done; total != frames {
				t.Errorf("%s: %d of %d", name, done, total)
			}
		}})
		if err != nil || !r.Measured || r.Peak != 0.5 || r.Frames != frames || last != frames {
			t.Errorf("%s, full: %+v, %v, last progress %d", name, r, err, last)
		}
	}
	// A FLAC file may not declare its length.
	flac, err := flactest.Encode(audio.Clip{Channels: 1, Rate: rate, Samples: make([]float32, 8*blockFrames)}, flactest.Options{})
	if err != nil {
		t.Fatal(err)
	}
	copy(flac[21:26], []byte{flac[21] & 0xF0, 0, 0, 0, 0})
	path := filepath.Join(dir, "x.flac")
	if err := os.WriteFile(path, flac, 0o600); err != nil {
		t.Fatal(err)
	}
	if r, err := measure.File(t.Context(), path, measure.Options{}); err != nil || r.Measured || r.Frames <= frames || r.Frames >= 8*blockFrames {
		t.Errorf("no length: %+v, %v", r, err)
	}
	if r, err := measure.File(t.Context(), path, measure.Options{Full: true}); err != nil || !r.Measured || r.Frames != 8*blockFrames {
		t.Errorf("no length, full: %+v, %v", r, err)
	}
}

const blockFrames = 1 << 14 // Of package measure.

// encoded is a WAV file of a clip, whose sizes are unset where it is streamed.
func encoded(t *testing.T, c audio.Clip, streamed bool) []byte {
	t.Helper()
	b, err := wav.Encode(c, wav.Options{})
	if err != nil {
		t.Fatal(err)
	}
	if streamed {
		binary.LittleEndian.PutUint32(b[40:], math.MaxUint32)
	}
	return b
}

func ExampleFile() {
	dir, err := os.MkdirTemp("", "measure")
	if err != nil {
		fmt.Println(err)
		return
	}
	defer os.RemoveAll(dir)
	path := filepath.Join(dir, "half.wav")
	clip := audio.Clip{Samples: []float32{0.5, -0.5, 0.5, -0.5}, Channels: 1, Rate: 8000}
	if err := wav.WriteFile(path, clip, wav.Options{Encoding: wav.Float32}); err != nil {
		fmt.Println(err)
		return
	}
	r, err := measure.File(context.Background(), path, measure.Options{})
	fmt.Println(r.Format, r.SampleRate, "Hz,", r.Frames, "frames, peak", r.Peak, err)
	// Output:
	// wav 8000 Hz, 4 frames, peak 0.5 <nil>
}
